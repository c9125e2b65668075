"""One connection of a subscriber, from its first byte to its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

import attrs
import structlog
import trio

import voeflow

from ._connection import Connection
from ._machine import Packet, Resumed, Unreadable
from ._options import utcnow
from ._place import Place
from ._resume import Stage
from ._subscriber import Subscriber
from ._test_event import is_test_event

log = structlog.get_logger()

#: What takes a packet that came from a peer: `Node.submit`, or what stands for it.
Submit = Callable[[bytes, str], Awaitable[voeflow.Submission]]

#: How many receipts may wait for a broker that does not read them, in bytes.
_MAX_UNSENT = 2**20

#: How many bytes of packets may be in hand, besides one packet of any size. Reading stops there: the
#: kernel's buffers, and then the broker, hold what follows.
_MAX_BYTES_IN_HAND = 8 * 2**20

#: How a connection ends that was no subscription. A receiver of authors' events takes it too, and closes it
#: when nothing comes.
_UNHEARD = (
    "closed before a first message: is this address allowed there, or is that the port for authors,"
    " or one for TLS?"
)


@attrs.frozen(kw_only=True)
class Manner:
    """How a subscriber behaves.

    Attributes:
        identity: a URI for it, or empty.
        filters: XPath expressions asked of the broker.
        nak: whether an event that is refused is answered with a nak; Comet closes the connection on one.
        alive_patience: after how many seconds of silence the broker is given up.
        max_event: the greatest size of a packet in bytes.
        max_in_hand: how many packets may be in hand at once.
    """

    identity: str
    filters: tuple[str, ...]
    nak: bool
    alive_patience: float
    max_event: int
    max_in_hand: int


@attrs.frozen
class Ending:
    """How a connection ended.

    Attributes:
        reason: in words about the broker.
        heard: whether it had sent a whole frame.
        lasted: for how many seconds it was open.
    """

    reason: str
    heard: bool
    lasted: float


@attrs.define(eq=False)
class _InHand:
    """A packet that was submitted and is not answered."""

    size: int
    stage: Stage | None
    begun: trio.Event = attrs.field(factory=trio.Event)
    answer: voeflow.Submission | None = None


@attrs.define(eq=False)
class Session:
    """One connection to a broker.

    The reader never waits for an event to be dealt with, so that an `iamalive` is answered at once; only when
    as many packets are in hand as may be does it stop.

    Attributes:
        connection: to the broker.
        manner: how to behave.
        submit: what takes the packets.
        name: the transport's table, for the log.
        place: how far we have come with this broker, or None to ask it for nothing that we missed.
        remote: the broker's address as it was given, for the log.
        heard: is told each sign of life of the broker, with its address.
    """

    connection: Connection
    manner: Manner
    submit: Submit
    name: str
    place: Place | None
    remote: str
    heard: Callable[[str], None]
    _machine: Subscriber = attrs.field(init=False)
    _in_hand: deque[_InHand] = attrs.field(factory=deque, init=False)
    _bytes: int = attrs.field(default=0, init=False)
    _room: trio.Event = attrs.field(factory=trio.Event, init=False)
    _flushing: bool = attrs.field(default=False, init=False)
    _warned: bool = attrs.field(default=False, init=False)
    _tasks: trio.Nursery = attrs.field(init=False)

    async def run(self) -> Ending:
        """Take events until the connection ends.

        Returns:
            How it ended.
        """
        opened = trio.current_time()
        manner = self.manner
        self._machine = machine = Subscriber(
            clock=utcnow,
            limit=manner.max_event,
            identity=manner.identity,
            filters=manner.filters,
            opened=opened,
            alive_patience=manner.alive_patience,
            wish=self.place.resume() if self.place is not None else None,
        )
        try:
            async with trio.open_nursery() as self._tasks:
                await self._read()
                self._tasks.cancel_scope.cancel()
        finally:
            self.connection.close()
        lasted = trio.current_time() - opened
        if machine.fault or machine.heard:
            return Ending(machine.fault or "closed the connection", machine.heard, lasted)
        return Ending(_UNHEARD, False, lasted)

    async def _read(self) -> None:
        machine = self._machine
        while not machine.over:
            data = None
            try:
                with trio.move_on_at(machine.deadline):
                    data = await self.connection.receive()
            except (OSError, trio.ClosedResourceError) as error:
                machine.end("" if machine.fault else _lost(error))
                return
            if data is None:
                machine.tick(trio.current_time())
                continue
            known = machine.heard
            found = machine.receive(data, trio.current_time())
            if machine.heard and not known:  # a broker that serves subscribers speaks first, or sends events
                log.info("subscribed", transport=self.name, remote=self.remote, peer=self.connection.peer)
            if data and machine.heard:
                self.heard(self.connection.peer)
            self._send()  # an iamalive is answered before any event is looked at
            for each in found:
                if isinstance(each, Packet):
                    if not await self._take(each.raw):
                        return  # nor is anything after it taken: the place would go past what is not held
                elif isinstance(each, Resumed):
                    self._resumed(each.stage)
                elif isinstance(each, Unreadable):
                    log.debug(
                        "unreadable message",
                        transport=self.name,
                        peer=self.connection.peer,
                        reason=voeflow.printable(each.reason),
                    )

    async def _take(self, raw: bytes) -> bool:
        """Take a packet, once there is room; False if the connection ended before there was."""
        if self.manner.filters and not self._machine.asked and not self._warned:
            self._warned = True
            log.warning(
                "filters are not asked for, so every event comes",
                transport=self.name,
                peer=self.connection.peer,
            )
        waited = False
        while self._in_hand and (
            len(self._in_hand) >= self.manner.max_in_hand or self._bytes + len(raw) > _MAX_BYTES_IN_HAND
        ):
            waited = True
            self._room = trio.Event()
            await self._room.wait()
            if self._machine.over:
                return False
        if waited:
            self._machine.resume(trio.current_time())
        packet = _InHand(len(raw), self.place.stage if self.place is not None else None)
        self._in_hand.append(packet)
        self._bytes += packet.size
        self._tasks.start_soon(self._submit, packet, raw)
        await packet.begun.wait()  # tasks run in no order, and events are to be stored in theirs
        return True

    async def _submit(self, packet: _InHand, raw: bytes) -> None:
        packet.begun.set()
        try:
            packet.answer = await self.submit(raw, self.connection.peer)
        except voeflow.StoreError as error:
            # No receipt: for the broker that is a temporary failure, and it may send the event again (section
            # 7.3).
            self._end(f"nothing can be stored: {error}")
            return
        while self._in_hand and (answer := self._in_hand[0].answer) is not None:
            answered = self._in_hand.popleft()
            self._bytes -= answered.size
            self._hold(answer, answered.stage)
            if answer.outcome == "refused" and self.manner.nak:
                self._machine.reject(answer.ivorn, answer.reason)
            else:
                self._machine.accept(answer.ivorn)
        self._send()
        self._room.set()

    def _resumed(self, stage: Stage) -> None:
        assert self.place is not None
        self.place.told(stage)
        told = "all that was missed has come" if stage == "live" else "resumed"
        log.info(told, transport=self.name, peer=self.connection.peer, stage=stage)

    def _hold(self, answer: voeflow.Submission, stage: Stage | None) -> None:
        """Note an event as held, and with it all before it: they are answered in order.

        The broker's own test events are in no log of its own, so it could not find them again.
        """
        if self.place is None or stage is None or answer.digest is None:
            return
        if not is_test_event(answer.ivorn or "", self._machine.broker):
            self.place.hold(answer.digest, stage)

    def _send(self) -> None:
        try:
            self.connection.send_nowait(self._machine.outbox())
        except (OSError, trio.ClosedResourceError) as error:
            self._end(_lost(error))
            return
        if self.connection.unsent > _MAX_UNSENT:
            self._end("does not read its receipts")
        elif self.connection.unsent and not self._flushing:
            self._flushing = True
            self._tasks.start_soon(self._flush)

    async def _flush(self) -> None:
        try:
            await self.connection.flush()
        except (OSError, trio.ClosedResourceError) as error:
            self._end(_lost(error))
        finally:
            self._flushing = False

    def _end(self, reason: str) -> None:
        self._machine.end(reason)
        self.connection.close()
        self._room.set()


def _lost(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"connection lost: {reason or 'closed'}"
