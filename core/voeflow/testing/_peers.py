"""Peers that speak VTP 2.0 over real sockets: an author, a subscriber, and one that does as it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Literal, Self

import attrs
import trio

from voeflow._event import Event
from voeflow.testing._vtp import Frames, Transport, framed, read_transport, write_transport

#: How long a peer waits for a frame, in seconds of trio's clock.
PATIENCE = 30.0

_UNIX = "unix:"


@attrs.define(eq=False)
class FakePeer:
    """One end of a connection, frame by frame: for what no proper peer would do.

    Attributes:
        stream: the connection.
        patience: how long a frame is waited for, in seconds of trio's clock.
    """

    stream: trio.abc.Stream
    patience: float = PATIENCE
    _waiting: list[bytes] = attrs.field(factory=list, init=False)
    _frames: Frames = attrs.field(factory=Frames, init=False)

    @classmethod
    @asynccontextmanager
    async def connected(cls, address: str | int, *, patience: float = PATIENCE) -> AsyncIterator[Self]:
        """Connect for the length of a block.

        Args:
            address: `HOST:PORT`, `[IPv6]:PORT`, `unix:/path`, or a port of this machine.
            patience: how long a frame is waited for, in seconds of trio's clock.
        """
        async with await _connect(address) as stream:
            yield cls(stream, patience)

    async def send(self, *payloads: bytes) -> None:
        """Send each payload in a frame of its own."""
        await self.stream.send_all(b"".join(map(framed, payloads)))

    async def receive(self) -> bytes:
        """Wait for a frame, and give its payload.

        Raises:
            EOFError: the other end has closed.
            trio.TooSlowError: none came in time.
        """
        with trio.fail_after(self.patience):
            while not self._waiting:
                data = await self.stream.receive_some(65536)
                if not data:
                    raise EOFError("the other end has closed")
                self._waiting += self._frames.feed(bytes(data))
        return self._waiting.pop(0)

    async def closed(self) -> bool:
        """Wait until the other end has closed; False if it sends something first."""
        try:
            await self.receive()
        except (EOFError, trio.BrokenResourceError):
            return True
        return False


@attrs.frozen
class Receipt:
    """A broker's answer to an event.

    Attributes:
        accepted: whether it is an ack; else it is a nak.
        origin: the IVORN that it answers for.
        reason: what it says in words, or empty.
    """

    accepted: bool
    origin: str
    reason: str = ""


@attrs.define(eq=False)
class FakeAuthor(FakePeer):
    """An author: submits events to a broker, and reads a receipt for each (VTP 2.0, section 4.1).

    async with FakeAuthor.connected("localhost:8098") as author:
        receipt = await author.submit(make_event())
        assert receipt.accepted
    """

    async def submit(self, event: Event | bytes) -> Receipt:
        """Send an event, and wait for its receipt.

        Raises:
            EOFError: the broker closed the connection, which for an author is a temporary failure.
            trio.TooSlowError: none came in time.
        """
        await self.send(event.raw if isinstance(event, Event) else event)
        while True:
            message = read_transport(await self.receive())
            if message is not None and message.role in ("ack", "nak"):
                return Receipt(message.role == "ack", message.origin, message.result)


@attrs.define(eq=False)
class FakeSubscriber(FakePeer):
    """A subscriber: is sent events, answers for each, and says that it is alive (VTP 2.0, section 4.2).

    For example::

        async with FakeSubscriber.connected("localhost:8099") as subscriber:
            event = await subscriber.event()

    Attributes:
        identity: its own IVOID.
        answer: what it answers to each event: `ack`, `nak`, or `nothing`.
        xpath: what it asks of the broker when that greets it with `authenticate`.
        broker: the IVOID by which the broker greeted it, or empty.
        alive: how often the broker has asked whether it is.
    """

    identity: str = "ivo://org.example/subscriber"
    answer: Literal["ack", "nak", "nothing"] = "ack"
    xpath: Sequence[str] = ()
    broker: str = attrs.field(default="", init=False)
    alive: int = attrs.field(default=0, init=False)
    _events: list[Event] = attrs.field(factory=list, init=False)

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, address: str | int, *, patience: float = PATIENCE, xpath: Sequence[str] = ()
    ) -> AsyncIterator[Self]:
        """Subscribe for the length of a block, which begins once the broker has greeted.

        Args:
            address: `HOST:PORT`, `[IPv6]:PORT`, `unix:/path`, or a port of this machine.
            patience: how long a frame is waited for, in seconds of trio's clock.
            xpath: the XPath filters that it asks for; an event passes if any of them holds.
        """
        async with await _connect(address) as stream:
            subscriber = cls(stream, patience, xpath=xpath)
            while not subscriber.broker:
                await subscriber._take()
            yield subscriber

    async def event(self) -> Event:
        """Wait for an event, and answer for it; what else comes meanwhile is answered too.

        Raises:
            EOFError: the broker closed the connection.
            trio.TooSlowError: none came in time.
        """
        while not self._events:
            await self._take()
        return self._events.pop(0)

    async def _take(self) -> None:
        payload = await self.receive()
        message = read_transport(payload)
        if message is None:
            event = Event.parse(payload)
            if self.answer != "nothing":
                reason = "refused, as the test wants it" if self.answer == "nak" else ""
                await self.send(write_transport(self.answer, event.ivorn, self.identity, reason))
            self._events.append(event)
        else:
            await self._reply(message)

    async def _reply(self, message: Transport) -> None:
        if message.role == "authenticate":
            self.broker = message.origin
            await self.send(
                write_transport("authenticate", message.origin, self.identity, filters=self.xpath)
            )
        elif message.role == "iamalive":
            self.alive += 1
            await self.send(write_transport("iamalive", message.origin, self.identity))


async def _connect(address: str | int) -> trio.SocketStream:
    if isinstance(address, str) and address.startswith(_UNIX):
        return await trio.open_unix_socket(address.removeprefix(_UNIX))
    host, _, port = f":{address}".rpartition(":") if isinstance(address, int) else address.rpartition(":")
    if not str(port).isdecimal():
        raise ValueError(f"expected HOST:PORT, [IPv6]:PORT, unix:/path or a port, got {address!r}")
    return await trio.open_tcp_stream(host.strip("[]") or "localhost", int(port))
