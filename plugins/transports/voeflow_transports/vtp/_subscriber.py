"""A subscriber's end of a connection to a broker (VTP 2.0, sections 4.2, 5 and 7.4)."""

from __future__ import annotations

import math

import attrs

from ._machine import Found, Machine, Packet, Resumed
from ._messages import Message, write_ack, write_authenticate, write_iamalive, write_nak
from ._resume import Resume, read_stage, write_params

#: How many Transport messages a broker may send in a minute. Each has to be answered; one or two would do.
_MOST_MESSAGES, _MINUTE = 100, 60.0


@attrs.define(kw_only=True, eq=False, repr=False)
class Subscriber(Machine):
    """Takes a broker's events and answers them, in the order they came, and its `iamalive` at once.

    Attributes:
        identity: a URI for this subscriber, or empty for none (section 6.2 asks for none).
        filters: XPath expressions asked of the broker when it sends `authenticate`. Comet knows them as this
            node does.
        opened: when the connection was opened.
        alive_patience: after how many seconds of silence the broker is given up (section 5). Anything that it
            sends breaks the silence: pygcn-serve sends events and never an `iamalive`.
        wish: where to go on, for a broker that can; None to ask for nothing.
        owed: how many packets were found and are not answered yet.
        asked: whether the broker has asked for the filters; one that never does (GCN's did not) sends
            everything.
        broker: the IVOID that the broker gives as its own, once it has asked.
        heard: whether it has sent a whole frame.
    """

    identity: str
    filters: tuple[str, ...]
    opened: float
    alive_patience: float
    wish: Resume | None = None
    owed: int = attrs.field(default=0, init=False)
    asked: bool = attrs.field(default=False, init=False)
    broker: str = attrs.field(default="", init=False)
    heard: bool = attrs.field(default=False, init=False)
    _silent_since: float = attrs.field(init=False)
    _messages: int = attrs.field(default=0, init=False)  # since a time within the last minute
    _messages_since: float = attrs.field(default=-math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        """Start listening."""
        super().__attrs_post_init__()
        self._silent_since = self.opened

    @property
    def deadline(self) -> float:
        """When the broker has been silent for too long."""
        return math.inf if self.over else self._silent_since + self.alive_patience

    def receive(self, data: bytes, now: float) -> list[Found]:
        """Take bytes from the broker; see `Machine.receive`."""
        self._silent_since = now
        return super().receive(data, now)

    def resume(self, now: float) -> None:
        """Say that nothing was read until now, for want of room: that silence was not the broker's."""
        self._silent_since = now

    def accept(self, ivorn: str | None) -> None:
        """Acknowledge the oldest unanswered packet; `ivorn` is None where it has none to answer for."""
        self._answered()
        self._send(write_ack(ivorn or self.identity, self.identity, self.clock))

    def reject(self, ivorn: str | None, reason: str) -> None:
        """Refuse the oldest unanswered packet. Comet closes the connection on that."""
        self._answered()
        self._send(write_nak(ivorn or self.identity, self.identity, reason, self.clock))

    def tick(self, now: float) -> None:
        """Give the broker up when it has been silent for too long."""
        if now >= self.deadline:
            self.end(f"was silent for {self.alive_patience:g} s")

    def _answered(self) -> None:
        assert self.owed, "an answer to no packet"
        self.owed -= 1

    def _packet(self, raw: bytes, now: float, found: list[Found]) -> None:
        self.heard = True
        self.owed += 1
        found.append(Packet(raw))

    def _message(self, message: Message, now: float, found: list[Found]) -> None:
        self.heard = True
        if not self._count_message(now):
            return
        origin = message.origin or ""
        match message.role:
            case "iamalive":
                self._send(write_iamalive(origin, self.clock, self.identity))
                if self.wish is not None and (stage := read_stage(message.params)) is not None:
                    found.append(Resumed(stage))
            case "authenticate":
                self.asked, self.broker = True, origin
                params = write_params(self.wish) if self.wish is not None else {}
                self._send(write_authenticate(origin, self.clock, self.identity, self.filters, params))
        # A broker has no use for any other role here; it is tolerated.

    def _unreadable(self, now: float) -> None:
        self._count_message(now)

    def _count_message(self, now: float) -> bool:
        """Count a message; False if it is one too many."""
        if now - self._messages_since >= _MINUTE:
            self._messages, self._messages_since = 0, now
        self._messages += 1
        if self._messages > _MOST_MESSAGES:
            self.end(f"sent more than {_MOST_MESSAGES} Transport messages in a minute")
        return not self.over
