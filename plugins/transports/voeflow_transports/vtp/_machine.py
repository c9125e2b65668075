"""What the four machines share: frames in, messages out, and how a connection ends.

A machine is one end of one connection, without the connection: no socket, no clock, no trio. Its owner hands
it what came and the time, sends what it owes, and looks at what it found:

```python
found = machine.receive(data, now)     # b"" is the end of the stream
connection.send_nowait(machine.outbox())
```

It answers `iamalive` and `authenticate` by itself. It never acknowledges an event by itself: its owner says
so once the event is on disk. `now` is a time in seconds from any clock that only goes forward.
"""

from __future__ import annotations

import math

import attrs

from voeflow import EventError

from ._frames import FrameReader, frame
from ._messages import Clock, Message, is_transport, read_message
from ._resume import Resume, Stage


@attrs.frozen
class Packet:
    """A payload that is no Transport message: a VOEvent for all that the machine knows.

    Attributes:
        raw: the payload's bytes.
    """

    raw: bytes


@attrs.frozen
class Receipt:
    """An `ack` or a `nak` from the peer.

    Attributes:
        accepted: whether it was an `ack`.
        origin: the IVORN that it answers for, as the peer wrote it, or None.
        reason: the words of a `nak`; empty when there were none.
    """

    accepted: bool
    origin: str | None
    reason: str = ""


@attrs.frozen
class FiltersBrought:
    """XPath filters that a subscriber brings; they replace the ones it brought before.

    Attributes:
        expressions: as written, neither checked nor counted.
    """

    expressions: tuple[str, ...]


@attrs.frozen
class ResumeAsked:
    """A subscriber's wish to go on where it was; an extension, see `_resume`.

    Attributes:
        resume: where that is.
    """

    resume: Resume


@attrs.frozen
class Resumed:
    """What a broadcaster says of where it is in what we missed.

    Attributes:
        stage: where it begins, or that it is through.
    """

    stage: Stage


@attrs.frozen(eq=False, repr=False)
class Unreadable:
    """A Transport message that could not be read; the connection goes on.

    Attributes:
        reason: what was wrong with it.
    """

    reason: str


Found = Packet | Receipt | FiltersBrought | ResumeAsked | Resumed | Unreadable


@attrs.define(kw_only=True, eq=False, repr=False)
class Machine:
    """One end of one connection.

    Attributes:
        clock: gives the wall-clock time, for time stamps.
        limit: the longest payload taken from the peer, in bytes.
        over: whether the connection is to be closed once the outbox is sent. Nothing is found after that.
        fault: why it is over, in words about the peer; empty while it is not, and when it ended in order.
    """

    clock: Clock
    limit: int
    over: bool = attrs.field(default=False, init=False)
    fault: str = attrs.field(default="", init=False)
    _reader: FrameReader = attrs.field(init=False)
    _out: list[bytes] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        """Make the reader of frames."""
        self._reader = FrameReader(self.limit)

    def receive(self, data: bytes, now: float) -> list[Found]:
        """Take bytes from the peer; none at all is the end of its stream.

        Returns:
            What they completed, in order. Send the outbox, then look at `over`.
        """
        found: list[Found] = []
        if self.over:
            return found
        if not data:
            self._stream_ended(now)
            return found
        for payload in self._reader.feed(data):
            self._take(payload, now, found)
        if self._reader.too_long is not None and not self.over:
            self._unusable(_too_long(self._reader.too_long, self.limit), now)
        return found

    def outbox(self) -> bytes:
        """Take what is owed to the peer since the last call, framed; it must be sent in full."""
        if not self._out:
            return b""
        owed, self._out = b"".join(self._out), []
        return owed

    @property
    def held(self) -> int:
        """How many bytes of an unfinished frame are kept."""
        return self._reader.held

    @property
    def deadline(self) -> float:
        """When `tick` is to be called if nothing comes before; `math.inf` for never."""
        return math.inf

    def tick(self, now: float) -> None:
        """Do what time asks for; harmless when it is called early. Send the outbox, then look at `over`."""

    def end(self, fault: str = "") -> None:
        """Be over; the first fault stays."""
        if not self.over:
            self.over, self.fault = True, fault

    def _send(self, payload: bytes) -> None:
        self._out.append(frame(payload))

    def _take(self, payload: bytes, now: float, found: list[Found]) -> None:
        """Take one payload: a role's own part is what it does with a packet and with a message."""
        if self.over:
            return
        if not is_transport(payload):
            self._packet(payload, now, found)
            return
        try:
            message = read_message(payload)
        except EventError as error:
            self._unreadable(now)
            found.append(Unreadable(str(error)))
            return
        self._message(message, now, found)

    def _packet(self, raw: bytes, now: float, found: list[Found]) -> None:
        raise NotImplementedError

    def _message(self, message: Message, now: float, found: list[Found]) -> None:
        raise NotImplementedError

    def _unreadable(self, now: float) -> None:
        """Note a Transport message that could not be read."""

    def _stream_ended(self, now: float) -> None:
        self.end(self._cut_short())

    def _unusable(self, fault: str, now: float) -> None:
        """Note that nothing more can be read from the peer, who is at fault."""
        self.end(fault)

    def _cut_short(self) -> str:
        if not self._reader.partial:
            return ""
        return f"closed in the middle of a frame, {self._reader.missing} bytes short"


#: The first three bytes of a record of TLS, an alert or a handshake (RFC 8446, section 5.1).
_TLS = frozenset({(kind << 16) | 0x0300 | minor for kind in (0x15, 0x16) for minor in range(5)})


def _too_long(announced: int, limit: int) -> str:
    if announced >> 8 in _TLS:
        return "speaks TLS, and this end does not: set tls at both ends or at neither"
    return f"announced a frame of {announced} bytes, above the limit of {limit}"
