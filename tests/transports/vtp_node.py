"""A node for the tests of transports, and peers that speak VTP over real sockets."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

import attrs
import trio
from structlog.testing import capture_logs

import voeflow
from transports.vtp_support import IVOID
from voeflow_transports.vtp._frames import FrameReader, frame
from voeflow_transports.vtp._messages import Message, is_transport, read_message

Answer = Callable[[bytes], Awaitable[voeflow.Submission]]


async def accept_all(raw: bytes) -> voeflow.Submission:
    """Answer as a node does that has no store: it refuses what is no VOEvent, and takes the rest."""
    await trio.lowlevel.checkpoint()
    try:
        event = voeflow.Event.parse(raw)
        return voeflow.Submission("accepted", event.ivorn, digest=event.digest)
    except voeflow.EventError as error:
        return voeflow.Submission("refused", None, str(error))


@attrs.define(eq=False)
class FakeNode:
    """Takes what a transport submits, and gives a sink what a test says; keeps a log of that."""

    answer: Answer = accept_all
    name: str = "table"
    ivoid: str = IVOID
    max_event: int = 2**20
    submitted: list[tuple[bytes, str, str]] = attrs.field(factory=list)
    signs: list[str] = attrs.field(factory=list)
    settled: dict[str, str] = attrs.field(factory=dict)
    noted: dict[str, str] = attrs.field(factory=dict)
    log: list[tuple[datetime, voeflow.Event]] = attrs.field(factory=list)
    position: int = 0
    before_reading: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint
    _out: Any = attrs.field(factory=lambda: trio.open_memory_channel[Sequence[voeflow.Delivery]](1000))

    async def submit(
        self, raw: bytes, *, validate: voeflow.Validation = "schema", peer: str = ""
    ) -> voeflow.Submission:
        self.submitted.append((raw, validate, peer))
        return await self.answer(raw)

    async def take(self) -> Sequence[voeflow.Delivery]:
        taken: Sequence[voeflow.Delivery] = await self._out[1].receive()
        self.position = taken[-1].position
        return taken

    def heard(self, peer: str = "") -> None:
        self.signs.append(peer)

    @property
    def delivered_up_to(self) -> int:
        return self.position

    def bookmark(self, name: str, value: str) -> None:
        self.noted[name] = value

    async def bookmarks(self) -> Mapping[str, str]:
        await self.before_reading()
        return dict(self.noted)

    async def history(self, after: int, upto: int) -> voeflow.History:
        await self.before_reading()
        end = min(after + 2, upto, len(self.log))
        events = [self.log[position - 1][1] for position in range(after + 1, end + 1)]
        deliveries = [
            voeflow.Delivery(event, event.ivorn, position=position)
            for position, event in enumerate(events, after + 1)
        ]
        return voeflow.History(tuple(deliveries), end)

    async def find(self, digest: bytes) -> int | None:
        await trio.lowlevel.checkpoint()
        found = [position for position, (_, event) in enumerate(self.log, 1) if event.digest == digest]
        return found[-1] if found else None

    async def position_at(self, moment: datetime) -> int:
        await trio.lowlevel.checkpoint()
        return sum(received < moment for received, _ in self.log)

    def offer(self, deliveries: Sequence[voeflow.Delivery]) -> None:
        """Let the transport take these, as one batch."""
        self._out[0].send_nowait(deliveries)

    def keep(self, *packets: bytes, received: datetime | None = None) -> None:
        """Put events into the log, which the transport does not take: it took them before."""
        now = datetime.now(UTC) if received is None else received
        self.log += [(now, voeflow.Event.parse(packet)) for packet in packets]

    def carry(self, *packets: bytes) -> None:
        """Let the transport take these events, as one batch."""

        def settle(delivery: voeflow.Delivery, ending: object) -> None:
            self.settled[delivery.event.ivorn] = "done" if ending is None else str(ending)

        first = len(self.log) + 1
        self.keep(*packets)
        events = [event for _, event in self.log[first - 1 :]]
        self._out[0].send_nowait(
            [
                voeflow.Delivery(event, event.ivorn, 1, settle, position=position)
                for position, event in enumerate(events, first)
            ]
        )


@asynccontextmanager
async def running(transport: Any, node: FakeNode) -> AsyncIterator[list[Any]]:
    """Run a transport; give what it said it had started, its listeners."""
    async with trio.open_nursery() as nursery:
        started = await nursery.start(lambda task_status: transport.run(node, task_status=task_status))
        yield started
        nursery.cancel_scope.cancel()


@attrs.define(eq=False)
class Peer:
    """The other end of a connection to a transport, frame by frame."""

    stream: trio.SocketStream
    patience: float = 10.0
    _frames: list[bytes] = attrs.field(factory=list)
    _reader: FrameReader = attrs.field(factory=lambda: FrameReader(2**20))

    async def send(self, *payloads: bytes) -> None:
        await self.stream.send_all(b"".join(map(frame, payloads)))

    async def receive(self) -> bytes:
        """Wait for a frame; EOFError if the connection ends instead."""
        with trio.fail_after(self.patience):
            while not self._frames:
                data = await self.stream.receive_some(65536)
                if not data:
                    raise EOFError
                self._frames += self._reader.feed(data)
        return self._frames.pop(0)

    async def message(self) -> Message:
        return read_message(await self.receive())

    async def event(self) -> bytes:
        """Wait for a frame that is no Transport message."""
        while is_transport(payload := await self.receive()):
            pass
        return payload

    async def closed(self) -> bool:
        """Wait until the other end has closed; False if it sends something first."""
        try:
            await self.receive()
        except (EOFError, trio.BrokenResourceError):
            return True
        return False


@asynccontextmanager
async def connected(
    port: int, host: str = "127.0.0.1", patience: float = 10.0, own: str | None = None
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
