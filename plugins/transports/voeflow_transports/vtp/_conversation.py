"""One author: what it sends is submitted, and each packet answered once it is on disk."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
import trio

import voeflow

from ._binding import Check
from ._connection import Connection
from ._machine import Packet
from ._poller import READ
from ._receiver import Receiver
from ._serve import tell_failure

if TYPE_CHECKING:
    from ._authors import Authors

#: What is said of a packet that was submitted.
Answer = voeflow.Submission | voeflow.StoreError

#: How much is read from one author before the next has its turn, in bytes.
_PIECE = 2**16


@attrs.define(eq=False, repr=False)
class Conversation:
    """One author at a port. Nothing here waits.

    Nothing is read from an author while it has as many packets in hand as it may, or does not read its
    receipts: the kernel's buffers, and then the author, hold what follows.

    Attributes:
        connection: to the author.
        machine: our end of the protocol.
        port: all authors at the port.
        check: says what it may not say, or None for one that may say everything.
    """

    connection: Connection
    machine: Receiver
    port: Authors
    check: Check | None
    _found: deque[bytes] = attrs.field(factory=deque, init=False)  # not submitted yet
    _in_hand: deque[int] = attrs.field(factory=deque, init=False)  # the sizes of those that are
    _resting: float = attrs.field(default=0.0, init=False)  # until when nothing more is taken; 0 for not
    _held_up: bool = attrs.field(default=False, init=False)  # until there is room for more in hand
    _watched: bool = attrs.field(default=False, init=False)
    _flushing: bool = attrs.field(default=False, init=False)
    _ended: bool = attrs.field(default=False, init=False)  # the author has ended its stream
    _parted: bool = attrs.field(default=False, init=False)

    def begin(self, now: float) -> None:
        """Take what has come already: most authors send at once."""
        self.connection.on_close = self._closing
        self._read(now)

    @property
    def deadline(self) -> float:
        """When `tick` is to be called; `math.inf` for never.

        While it rests, or waits for room, its time does not run out.
        """
        waits = self._flushing or self._held_up
        return math.inf if waits else self._resting or self.machine.deadline

    def fileno(self) -> int:
        """Give the number of the connection's file."""
        return self.connection.fileno()

    def ready(self, events: int) -> None:
        """Take what has come, as far as that goes without waiting."""
        if self._watched:  # else somebody has seen to it since the system said so
            self._read(trio.current_time())

    def _read(self, now: float) -> None:
        try:
            if self.port.has_room and (data := self.connection.receive_nowait(_PIECE)) is not None:
                self._take(data, now)
            self._go_on(now)
        except Exception as error:  # noqa: BLE001 - what one connection raises ends that connection alone
            self._fail(error)

    def answered(self, answers: Sequence[Answer]) -> None:
        """Send receipts, until a packet that the store did not take: then all is over (section 7.1)."""
        size = sum([self._in_hand.popleft() for _ in answers])
        now = trio.current_time()
        try:
            self._answer(answers, now)
            self._go_on(now)
            if self.deadline <= now:  # it is not to linger
                self.tick(now)
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(error)
        self.port.release(size)

    def use_room(self) -> None:
        """Go on, now that there is room for more in hand."""
        self._held_up = False
        now = trio.current_time()
        self.machine.grant_time(now)
        self._read_on(now)

    def _read_on(self, now: float) -> None:
        """Read more, but not before all that was read is submitted: what waits for that is bounded so."""
        if self._found:
            self.resume(now)
        else:
            self._read(now)

    def resume(self, now: float) -> None:
        """Go on, as far as that goes."""
        try:
            self._go_on(now)
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(error)

    def tick(self, now: float) -> None:
        """Do what time asks for; harmless when it is called early."""
        if now < self._resting:
            return
        if self._resting:
            self._resting = 0.0
            self._read_on(now)  # what has come meanwhile counts
            return
        self.machine.tick(now)
        self.resume(now)

    async def flush(self, patience: float) -> None:
        """Wait until the author has read its receipts; nothing more is done for one that does not.

        Args:
            patience: how long it may take, in seconds.
        """
        try:
            with trio.move_on_after(patience):
                await self.connection.flush()
        except (OSError, trio.ClosedResourceError) as error:
            self._fail(error)
            return
        self._flushing = False
        if self.connection.unsent:
            self.machine.end("does not read its receipts")
            self._part()
        else:
            self.resume(trio.current_time())

    def _take(self, data: bytes, now: float) -> None:
        self._ended = not data
        for each in self.machine.receive(data, now):
            if isinstance(each, Packet):
                self._found.append(each.raw)
        self.port.partials.note(self.connection, self.machine.held)

    def _answer(self, answers: Sequence[Answer], now: float) -> None:
        machine = self.machine
        for answer in answers:
            if machine.over:
                return
            if isinstance(answer, voeflow.StoreError):
                self.port.tell_unstored(answer)
                machine.end()
            elif answer.outcome == "refused" or answer.ivorn is None:
                machine.reject(answer.ivorn, answer.reason, now)
            else:
                machine.accept(answer.ivorn, now)

    def _go_on(self, now: float) -> None:
        """Send what is owed, submit what may be, and wait for what is of use now; or part."""
        machine, connection = self.machine, self.connection
        if connection.closed or self._parted:
            return
        while self._found and self._may_submit and not (machine.over or connection.unsent):
            raw = self._found.popleft()
            self._in_hand.append(len(raw))
            self.port.submit(raw, self)
            self._resting = self.port.pace(connection, now)
        if data := machine.outbox():
            connection.send_nowait(data)
        if connection.unsent:
            self._watch(reading=False)
            if not self._flushing:
                self._flushing = True
                self.port.flush(self)
        elif machine.over:
            self._part()
        else:
            self._watch(reading=self._may_submit and not self._found and not self._ended)
            self.port.remind(self.deadline)
            if not self.port.has_room:
                self._held_up = True
                self.port.hold_up(self)

    def _fail(self, error: Exception) -> None:
        tell_failure(self.port.node.name, self.connection, error)
        self.connection.close()

    @property
    def _may_submit(self) -> bool:
        most = self.port.manner.max_in_hand
        return not self._resting and len(self._in_hand) < most and self.port.has_room

    def _part(self) -> None:
        if not self._parted:
            self._parted = True
            self._watch(reading=False)
            self.port.part(self, ended=self._ended)

    def _watch(self, *, reading: bool) -> None:
        if reading != self._watched:
            self.port.poller.watch(self, READ * self._watched, READ * reading)
            self._watched = reading

    def _closing(self) -> None:
        """The connection is being closed, by whomever."""
        self._watch(reading=False)
        self.machine.end()
        self._found.clear()
        self.port.left(self)
