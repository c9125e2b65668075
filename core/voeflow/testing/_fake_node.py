"""A node for the test of a transport: it takes what a source submits, and gives a sink what the test says."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

import attrs
import trio

from voeflow import _wall
from voeflow._errors import EventError, StoreError
from voeflow._event import Event
from voeflow._node_api import Answer, Check, Delivery, Ending, History, Submission, Validation
from voeflow._notice import Notice

#: How long `FakeNode.until` waits, in seconds of trio's clock.
PATIENCE = 30.0

#: How many events `FakeNode.history` gives in one piece, so that a sink has to ask more than once.
_PIECE = 2


async def accept_all(raw: bytes) -> Submission:
    """Answer as a node without a store would: it takes every VOEvent, and refuses what is none."""
    await trio.lowlevel.checkpoint()
    try:
        event = Event.parse(raw)
    except EventError as error:
        return Submission("refused", None, str(error))
    return Submission("accepted", event.ivorn, digest=event.digest)


class Submitted(NamedTuple):
    """What a transport submitted: the packet's bytes, how it asked for them to be judged, and from whom."""

    raw: bytes
    validate: Validation
    peer: str


@attrs.define(eq=False)
class _Packet:
    """A packet that was submitted without waiting."""

    answered: Callable[[Sequence[Answer]], None]
    answer: Answer | None = None


@attrs.define(eq=False)
class FakeNode:
    """A `voeflow.Node` in memory, without a store, threads or files, for the test of one transport.

    As a source's node it takes what is submitted and answers by `answer`; as a sink's it hands over what the
    test gives to `carry`. It keeps a record of both.

    Attributes:
        answer: answers each packet that is submitted; it may wait, or raise `voeflow.StoreError`.
        name: the name of the transport's table.
        ivoid: the node's own IVOID.
        max_event: the greatest size of a packet, in bytes.
        submitted: what was submitted, in order.
        notices: the notices that were submitted, in order.
        refused: what the transport itself refused, with the reason, in order.
        signs: from whom signs of life were heard, in order.
        settled: what became of each delivery, by its event's IVORN: `done`, or the reason given.
        noted: the transport's bookmarks.
        log: the events of the node's log, each with when it came in; their positions count from 1.
        position: the position of the last event that was taken.
        before_reading: happens before bookmarks and history are read; it may wait, or raise.
    """

    answer: Callable[[bytes], Awaitable[Submission]] = accept_all
    name: str = "table"
    ivoid: str = "ivo://org.example/voeflow"
    max_event: int = 2**20
    submitted: list[Submitted] = attrs.field(factory=list)
    notices: list[Notice] = attrs.field(factory=list)
    refused: list[tuple[bytes, str]] = attrs.field(factory=list)
    signs: list[str] = attrs.field(factory=list)
    settled: dict[str, str] = attrs.field(factory=dict)
    noted: dict[str, str] = attrs.field(factory=dict)
    log: list[tuple[datetime, Event]] = attrs.field(factory=list)
    position: int = 0
    before_reading: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint
    _out: Any = attrs.field(factory=lambda: trio.open_memory_channel[Sequence[Delivery]](1000), init=False)
    _nursery: trio.Nursery = attrs.field(init=False)
    _packets: deque[_Packet] = attrs.field(factory=deque, init=False)
    _changed: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)

    @asynccontextmanager
    async def running(self, transport: Any) -> AsyncIterator[Any]:
        """Run a transport on this node for the length of a block, and end it then.

        Returns:
            For the block: what the transport gave to `task_status.started()`.
        """
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            started = await nursery.start(lambda task_status: transport.run(self, task_status=task_status))
            yield started
            nursery.cancel_scope.cancel()

    async def until(self, holds: Callable[[], object], patience: float = PATIENCE) -> None:
        """Wait until something holds that submitting, settling, taking or noting makes true.

        Raises:
            trio.TooSlowError: it does not hold after `patience` seconds.
        """
        with trio.fail_after(patience):
            while not holds():
                await self._changed.park()

    def carry(self, *events: Event | bytes) -> None:
        """Let the transport take these events, as one batch; they are put into the log first."""
        first = len(self.log) + 1
        self.keep(*events)
        self.offer(
            [
                Delivery(event, event.ivorn, 1, self._settle, position=position)
                for position, (_, event) in enumerate(self.log[first - 1 :], first)
            ]
        )

    def keep(self, *events: Event | bytes, received: datetime | None = None) -> None:
        """Put events into the log that the transport has taken before."""
        now = _wall.utcnow() if received is None else received
        self.log += [(now, each if isinstance(each, Event) else Event.parse(each)) for each in events]

    def offer(self, deliveries: Sequence[Delivery]) -> None:
        """Let the transport take deliveries that the test has made itself, as one batch."""
        self._out[0].send_nowait(deliveries)

    async def submit(
        self,
        raw: bytes,
        *,
        validate: Validation = "schema",
        peer: str = "",
        where: str = "",
        check: Check | None = None,
    ) -> Submission:
        """See `voeflow.Node.submit`; `check` is asked about what `answer` accepts."""
        self.submitted.append(Submitted(raw, validate, peer))
        self._changed.unpark_all()
        return await self._judge(raw, check)

    def submit_nowait(
        self,
        raw: bytes,
        answered: Callable[[Sequence[Answer]], None],
        *,
        validate: Validation = "schema",
        peer: str = "",
        check: Check | None = None,
    ) -> None:
        """See `voeflow.Node.submit_nowait`; packets are put to `answer` at once, and answered in order."""
        packet = _Packet(answered)
        self._packets.append(packet)
        self._nursery.start_soon(self._answer, packet, partial(self._judge, raw, check))
        self.submitted.append(Submitted(raw, validate, peer))
        self._changed.unpark_all()

    async def _answer(self, packet: _Packet, judge: Callable[[], Awaitable[Submission]]) -> None:
        try:
            packet.answer = await judge()
        except StoreError as error:
            packet.answer = error
        while self._packets and (answer := self._packets[0].answer) is not None:
            self._packets.popleft().answered([answer])

    async def _judge(self, raw: bytes, check: Check | None) -> Submission:
        answered = await self.answer(raw)
        if check is not None and answered.outcome == "accepted" and (reason := check(Event.parse(raw))):
            return Submission("refused", answered.ivorn, reason)
        return answered

    async def submit_notice(
        self,
        notice: Notice,
        *,
        mapping: str = "",
        peer: str = "",
        where: str = "",
        check: Check | None = None,
    ) -> Submission:
        """See `voeflow.Node.submit_notice`; no mapping is asked, and every notice is accepted."""
        await trio.lowlevel.checkpoint()
        self.notices.append(notice)
        self._changed.unpark_all()
        return Submission("accepted", None)

    async def refuse(self, raw: bytes, reason: str, *, peer: str = "", where: str = "") -> Submission:
        """See `voeflow.Node.refuse`."""
        await trio.lowlevel.checkpoint()
        self.refused.append((raw, reason))
        self._changed.unpark_all()
        return Submission("refused", None, reason)

    async def take(self) -> Sequence[Delivery]:
        """See `voeflow.Node.take`."""
        taken: Sequence[Delivery] = await self._out[1].receive()
        self.position = taken[-1].position
        self._changed.unpark_all()
        return taken

    def heard(self, peer: str = "") -> None:
        """See `voeflow.Node.heard`."""
        self.signs.append(peer)
        self._changed.unpark_all()

    @property
    def delivered_up_to(self) -> int:
        """See `voeflow.Node.delivered_up_to`; here all that was taken counts."""
        return self.position

    def bookmark(self, name: str, value: str) -> None:
        """See `voeflow.Node.bookmark`."""
        self.noted[name] = value
        self._changed.unpark_all()

    async def bookmarks(self) -> Mapping[str, str]:
        """See `voeflow.Node.bookmarks`."""
        await self.before_reading()
        return dict(self.noted)

    async def history(self, after: int, upto: int) -> History:
        """See `voeflow.Node.history`; two events in a piece."""
        await self.before_reading()
        end = min(after + _PIECE, upto, len(self.log))
        pieces = enumerate(self.log[after:end], after + 1)
        deliveries = [Delivery(event, event.ivorn, position=position) for position, (_, event) in pieces]
        return History(tuple(deliveries), end)

    async def find(self, digest: bytes) -> int | None:
        """See `voeflow.Node.find`."""
        await trio.lowlevel.checkpoint()
        found = [position for position, (_, event) in enumerate(self.log, 1) if event.digest == digest]
        return found[-1] if found else None

    async def position_at(self, moment: datetime) -> int:
        """See `voeflow.Node.position_at`."""
        await trio.lowlevel.checkpoint()
        since = (position for position, (received, _) in enumerate(self.log) if received >= moment)
        return next(since, len(self.log))

    def _settle(self, delivery: Delivery, ending: Ending) -> None:
        self.settled[delivery.event.ivorn] = "done" if ending is None else str(ending)
        self._changed.unpark_all()
