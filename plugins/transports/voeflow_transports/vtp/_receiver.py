"""The broker's end of a connection that an author opened (VTP 2.0, sections 4.1 and 7.2)."""

from __future__ import annotations

import math

import attrs

from ._machine import Found, Machine, Packet
from ._messages import Message, write_ack, write_iamalive, write_nak

#: How many Transport messages an author may send before its first event, and between two: to ask now and then
#: whether we live. Each costs us some 50 us, and one that sends nothing else would have us do nothing else.
_MOST_MESSAGES = 100


@attrs.define(kw_only=True, eq=False, repr=False)
class Receiver(Machine):
    """Takes events from an author and answers each, in the order they came.

    The standard has the broker close after its answer (section 7.2). An author may nevertheless go on: the
    connection closes when nothing more has come for `linger` seconds after the last answer, and at once when
    the author has ended its own stream.

    What time allows:

    | state                            | until                                          |
    | -------------------------------- | ---------------------------------------------- |
    | nothing has come yet             | `first_byte_timeout` after it opened           |
    | a frame has begun                | `frame_timeout` after its first byte, not its last |
    | answers are owed                 | for ever: the author waits for us              |
    | all is answered                  | `linger` after the last answer                 |
    | it last spoke of transport only  | `idle_timeout` after that                      |

    Attributes:
        ivoid: this node's IVOID: the `Response` of each answer.
        opened: when the connection was opened.
        idle_timeout: in seconds.
        first_byte_timeout: in seconds; None for `idle_timeout`.
        frame_timeout: in seconds; None for `idle_timeout`.
        linger: in seconds.
        owed: how many packets were found and are not answered yet.
    """

    ivoid: str
    opened: float
    idle_timeout: float
    linger: float
    first_byte_timeout: float | None = None
    frame_timeout: float | None = None
    owed: int = attrs.field(default=0, init=False)
    _deadline: float = attrs.field(init=False)
    _heard: bool = attrs.field(default=False, init=False)
    _no_more: bool = attrs.field(default=False, init=False)  # nothing can come from the author any more
    _why: str = attrs.field(default="", init=False)
    _messages: int = attrs.field(default=0, init=False)  # since the last event

    def __attrs_post_init__(self) -> None:
        """Start the time that an author has for its first frame."""
        super().__attrs_post_init__()
        self._deadline = self.opened + self._for_first_byte

    @property
    def _for_first_byte(self) -> float:
        return self.idle_timeout if self.first_byte_timeout is None else self.first_byte_timeout

    @property
    def _for_frame(self) -> float:
        return self.idle_timeout if self.frame_timeout is None else self.frame_timeout

    @property
    def deadline(self) -> float:
        """When the author has run out of time."""
        return math.inf if self.owed or self.over else self._deadline

    def receive(self, data: bytes, now: float) -> list[Found]:
        """Take bytes from the author; see `Machine.receive`."""
        if self._no_more:
            return []
        reader = self._reader
        had_begun, before = reader.partial, self._deadline
        found = super().receive(data, now)
        if reader.partial and (not had_begun or self._deadline != before):  # it is another frame then
            self._deadline = now + self._for_frame
        return found

    def accept(self, ivorn: str, now: float) -> None:
        """Acknowledge the oldest unanswered packet: it is on disk, or was seen before (section 6.3)."""
        self._answered(now)
        self._send(write_ack(ivorn, self.ivoid, self.clock))

    def reject(self, ivorn: str | None, reason: str, now: float) -> None:
        """Refuse the oldest unanswered packet; `ivorn` is None where it has none to answer for."""
        self._answered(now)
        self._send(write_nak(ivorn or self.ivoid, self.ivoid, reason, self.clock))

    def grant_time(self, now: float) -> None:
        """Give the author the time for a frame anew: for a while nothing was read from anybody."""
        self._deadline = max(self._deadline, now + self._for_frame)

    def tick(self, now: float) -> None:
        """End the connection when its time has run out."""
        if now < self.deadline:
            return
        if self._reader.partial:
            self.end(
                f"sent a frame too slowly: {self._reader.missing} bytes short "
                f"{self._for_frame:g} s after it began"
            )
        elif not self._heard:
            self.end(f"sent nothing in {self._for_first_byte:g} s")
        else:
            self.end()

    def _answered(self, now: float) -> None:
        assert self.owed, "an answer to no packet"
        self.owed -= 1
        # A frame that has begun gets its time anew: while answers were owed, nobody may have been reading.
        self._deadline = now + (self._for_frame if self._reader.partial else self.linger)
        if self._no_more and not self.owed:
            self.end(self._why)

    def _take(self, payload: bytes, now: float, found: list[Found]) -> None:
        if self._no_more or self.over:
            return
        self._heard = True
        self._deadline = now + self.idle_timeout
        super()._take(payload, now, found)

    def _packet(self, raw: bytes, now: float, found: list[Found]) -> None:
        self._messages = 0
        self.owed += 1
        found.append(Packet(raw))

    def _message(self, message: Message, now: float, found: list[Found]) -> None:
        if message.role == "iamalive":
            self._send(write_iamalive(message.origin or "", self.clock, self.ivoid))
        # Whatever else an author says about transport asks for no answer; it is tolerated.
        self._count_message(now)

    def _unreadable(self, now: float) -> None:
        self._count_message(now)

    def _count_message(self, now: float) -> None:
        self._messages += 1
        if self._messages > _MOST_MESSAGES:
            self._unusable(f"sent more than {_MOST_MESSAGES} Transport messages and no event", now)

    def _stream_ended(self, now: float) -> None:
        self._unusable(self._cut_short(), now)

    def _unusable(self, fault: str, now: float) -> None:
        self._no_more, self._why = True, fault
        if not self.owed:
            self.end(fault)
