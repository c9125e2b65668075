"""The broker's end of one subscriber's connection (VTP 2.0, sections 4.2, 5 and 7.3)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from itertools import islice

import attrs

from ._machine import FiltersBrought, Found, Machine, Receipt, ResumeAsked
from ._messages import Message, read_acks, write_authenticate, write_iamalive, write_nak
from ._resume import STAGE, Stage, read_params

#: How far behind the oldest unanswered event an answer is looked for: peers answer in order, or nearly.
_LOOK_BEHIND = 64

#: How many frames a subscriber may send between two `iamalive` besides its receipts. Some cost an answer.
_MOST_UNASKED = 100


@attrs.define(kw_only=True, eq=False, repr=False)
class Broadcaster(Machine):
    """Keeps one subscriber's subscription: asks whether it lives, counts its receipts, takes its filters.

    The events themselves are framed once for all subscribers, so its owner sends them and says so with
    `sent`.

    Attributes:
        ivoid: this node's IVOID: the `Origin` of what it asks (section 6.1).
        opened: when the connection was opened.
        alive_interval: seconds between two `iamalive`. They are sent whether or not events flow: a peer that
            answers no event (pygcn, given a version of VOEvent that it does not know) shows only by them
            that it lives.
        alive_patience: how many `iamalive` in a row may stay without any message from the subscriber. One is
            too few: pygcn reads nothing while its handler runs.
        max_unacknowledged: how many events may be sent after the last one that was answered.
        heard: whether the subscriber has sent a whole frame.
    """

    ivoid: str
    opened: float
    alive_interval: float
    alive_patience: int
    max_unacknowledged: int
    heard: bool = attrs.field(default=False, init=False)
    _next_alive: float = attrs.field(init=False)
    _unheard: int = attrs.field(default=0, init=False)  # how many iamalive since it last said anything
    _unasked: int = attrs.field(default=0, init=False)  # how many frames since then that answer no event
    _outstanding: deque[str] = attrs.field(factory=deque, init=False)

    def __attrs_post_init__(self) -> None:
        """Greet the subscriber: its answer may bring filters (section 9.2)."""
        super().__attrs_post_init__()
        self._next_alive = self.opened + self.alive_interval
        self._send(write_authenticate(self.ivoid, self.clock))

    @property
    def deadline(self) -> float:
        """When the next `iamalive` is due."""
        return math.inf if self.over else self._next_alive

    @property
    def unacknowledged(self) -> int:
        """How many events were sent after the last one that was answered."""
        return len(self._outstanding)

    def sent(self, ivorns: Iterable[str]) -> None:
        """Note events that were sent, by their IVORNs, in order."""
        self._outstanding.extend(ivorns)
        if len(self._outstanding) > self.max_unacknowledged:
            self.end(f"left more than {self.max_unacknowledged} events without a receipt")

    def take_receipts(self, data: bytes) -> bool:
        """Take bytes from the peer if they are nothing but `ack`s as its software writes them.

        Returns:
            Whether they were taken. If not, they are for `receive`, to which it would have come to the same.
        """
        if self.over or self._reader.partial or not (origins := read_acks(data)):
            return False
        self._unheard, self.heard = 0, True
        for origin in origins:
            if self._outstanding:
                self._answered(origin)
            else:
                self._count_unasked()
        return True

    def tell(self, stage: Stage) -> None:
        """Say, to a subscriber that has asked to resume, where its events begin, or that they are new now.

        It is an `iamalive`, which whoever knows no more of it answers.
        """
        self._send(write_iamalive(self.ivoid, self.clock, params={STAGE: stage}))

    def tick(self, now: float) -> None:
        """Ask whether the subscriber lives, or give it up."""
        if now < self.deadline:
            return
        if self._unheard >= self.alive_patience:
            self.end(f"said nothing to {self._unheard} iamalive in a row")
            return
        self._unheard += 1
        self._unasked = 0
        self._next_alive = now + self.alive_interval
        self._send(write_iamalive(self.ivoid, self.clock))

    def _take(self, payload: bytes, now: float, found: list[Found]) -> None:
        outstanding = len(self._outstanding)
        super()._take(payload, now, found)
        if len(self._outstanding) == outstanding:
            self._count_unasked()

    def _count_unasked(self) -> None:
        self._unasked += 1
        if self._unasked > _MOST_UNASKED:
            self.end(f"sent more than {_MOST_UNASKED} frames that nobody asked for")

    def _packet(self, raw: bytes, now: float, found: list[Found]) -> None:
        self._unheard, self.heard = 0, True
        reason = "this port serves subscribers and takes no events; submit them to the broker's other port"
        self._send(write_nak(self.ivoid, self.ivoid, reason, self.clock))

    def _message(self, message: Message, now: float, found: list[Found]) -> None:
        self._unheard, self.heard = 0, True
        match message.role:
            case "ack" | "nak":
                self._answered(message.origin)
                found.append(Receipt(message.role == "ack", message.origin, message.result or ""))
            case "authenticate":
                found.append(FiltersBrought(message.filters))
                if (resume := read_params(message.params)) is not None:
                    found.append(ResumeAsked(resume))
        # An iamalive needs no more than to have been heard; another role means nothing to us.

    def _unreadable(self, now: float) -> None:
        # A peer that builds XML by hand answers an IVORN with an ampersand like this: by order, it is a
        # receipt.
        self._unheard, self.heard = 0, True
        self._answered(None)

    def _answered(self, origin: str | None) -> None:
        """Forget the event that was answered and those sent before it, which the peer has passed over."""
        if self._outstanding and self._outstanding[0] == origin:  # nearly always
            self._outstanding.popleft()
            return
        upto = 1
        for place, ivorn in enumerate(islice(self._outstanding, _LOOK_BEHIND), 1):
            if ivorn == origin:
                upto = place
                break
        for _ in range(min(upto, len(self._outstanding))):
            self._outstanding.popleft()
