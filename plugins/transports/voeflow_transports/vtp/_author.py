"""An author's end of a connection to a broker (VTP 2.0, sections 4.1 and 7.1)."""

from __future__ import annotations

import math

import attrs

from ._machine import Found, Machine, Receipt, Unreadable
from ._messages import Message, write_iamalive


@attrs.define(kw_only=True, eq=False, repr=False)
class Author(Machine):
    """Sends events and reads a receipt for each; the broker answers in the order of the events.

    An `Unreadable` answer stands for one receipt: whether the broker took that event is not known.

    Attributes:
        timeout: how many seconds the broker has for each receipt.
        unanswered: how many events are sent and have no receipt.
        greeted: whether the broker has sent `authenticate`, as one does to subscribers: it may be the wrong
            port.
    """

    timeout: float
    unanswered: int = attrs.field(default=0, init=False)
    greeted: bool = attrs.field(default=False, init=False)
    _since: float = attrs.field(default=0.0, init=False)

    @property
    def deadline(self) -> float:
        """When the oldest unanswered event has waited for too long."""
        return self._since + self.timeout if self.unanswered and not self.over else math.inf

    def send(self, raw: bytes, now: float) -> None:
        """Send an event."""
        if not self.unanswered:
            self._since = now
        self.unanswered += 1
        self._send(raw)

    def tick(self, now: float) -> None:
        """End the connection when a receipt is overdue."""
        if now >= self.deadline:
            hint = "; it greets subscribers, so this may be the wrong port" if self.greeted else ""
            self.end(f"gave no receipt in {self.timeout:g} s{hint}")

    def _packet(self, raw: bytes, now: float, found: list[Found]) -> None:
        self._answered(now)
        found.append(Unreadable("expected an ack or a nak, got another document"))

    def _message(self, message: Message, now: float, found: list[Found]) -> None:
        match message.role:
            case "ack" | "nak":
                self._answered(now)
                found.append(Receipt(message.role == "ack", message.origin, message.result or ""))
            case "iamalive":
                self._send(write_iamalive(message.origin or "", self.clock))
            case "authenticate":
                self.greeted = True

    def _unreadable(self, now: float) -> None:
        self._answered(now)

    def _answered(self, now: float) -> None:
        self.unanswered = max(0, self.unanswered - 1)
        self._since = now
