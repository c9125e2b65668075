"""A node for the tests of transports, and peers that speak VTP over real sockets."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import attrs
import trio
import trio.testing
from structlog.testing import capture_logs

from transports.vtp_support import IVOID, clock
from voeflow.testing import FakeNode, FakePeer, accept_all
from voeflow_transports.vtp._messages import Message, is_transport, read_message, write_authenticate
from voeflow_transports.vtp.broadcast import VTPBroadcast

__all__ = [
    "FakeNode", "Peer", "accept_all", "broadcast", "connected", "greeted", "listening", "running", "settled",
    "small_buffers", "still", "told_logs",
]  # fmt: skip


#: In seconds of real time: less than it takes the clock that jumps.
_MOMENT = 0.01


@asynccontextmanager
async def running(transport: Any, node: FakeNode) -> AsyncIterator[list[Any]]:
    """Run a transport; give what it said it had started, its listeners."""
    async with node.running(transport) as started:
        yield started


@attrs.define(eq=False)
class Peer(FakePeer):
    """The other end of a connection to a transport, frame by frame."""

    async def message(self) -> Message:
        return read_message(await self.receive())

    async def event(self) -> bytes:
        """Wait for a frame that is no Transport message."""
        while is_transport(payload := await self.receive()):
            pass
        return payload


@asynccontextmanager
async def connected(
    port: int, host: str = "127.0.0.1", patience: float = 60.0, own: str | None = None
) -> AsyncIterator[Peer]:
    """Connect to a transport; where the clock jumps, with a patience of `math.inf`; from `own` if given."""
    async with await trio.open_tcp_stream(host, port, local_address=own) as stream:
        yield Peer(stream, patience)


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, Callable[[], Awaitable[Peer]]]]:
    """Be a broker: give a port, and what waits for a client to connect to it."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    peers: list[Peer] = []

    async def accept() -> Peer:
        with trio.fail_after(1000):  # of what may be a clock that jumps
            peers.append(Peer(await listener.accept()))
        return peers[-1]

    async with listener:
        yield listener.socket.getsockname()[1], accept
        for peer in peers:
            await trio.aclose_forcefully(peer.stream)


@contextmanager
def told_logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """Collect what is told, but not that a port listens nor what is for debugging."""
    told: list[MutableMapping[str, Any]] = []
    with capture_logs() as logs:
        yield told
    told += [entry for entry in logs if entry["event"] != "listening" and entry["log_level"] != "debug"]


def small_buffers(stream: trio.SocketStream) -> None:
    """Let the kernel keep little, so that a peer that does not read is soon noticed."""
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)


def broadcast(**options: object) -> VTPBroadcast:
    given: dict[str, object] = {"listen": ("127.0.0.1:0",), "test_interval": 0.0, **options}
    return VTPBroadcast(**given)  # type: ignore[arg-type]  # the options of many tests


async def greeted(peer: Peer, *filters: str) -> None:
    """Wait for the greeting; bring filters, and wait until the broadcaster has them."""
    assert await peer.message() == Message("authenticate", IVOID)
    if filters:
        await peer.send(write_authenticate(IVOID, clock, "", filters))
        await settled(peer)
    else:
        await peer.send(write_authenticate(IVOID, clock))


async def still() -> None:
    """Wait until every task waits, and nothing has come for a moment that was on its way in the kernel."""
    await trio.testing.wait_all_tasks_blocked(_MOMENT)


async def settled(peer: Peer) -> None:
    """Wait until the broadcaster has read all that was sent: it refuses an event after that."""
    await peer.send(b"<no/>")
    assert (await peer.message()).role == "nak"
