"""What the event store holds, as values; no SQL, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import attrs

from voeflow._notice import Attachment


@attrs.frozen
class NewEvent:
    """An event that is to be stored.

    Attributes:
        digest: SHA-256 of the `<VOEvent>` element, 32 bytes: equal ones are duplicates (VTP 2.0, section 8).
        raw: the packet exactly as it came in.
        ivorn: its IVORN.
        role: its role.
        version: the VOEvent version that it is written in.
        author: its AuthorIVORN, or None.
        date: what its author gave as Date, or None.
        received: when it came in, in seconds since 1970, UTC.
        source: the name of the transport that it came in through.
        valid: whether it keeps to the grammar of its version.
        attachments: what is kept beside it.
        notice: SHA-256 of the notice that it was made of, 32 bytes, or None.
    """

    digest: bytes
    raw: bytes = attrs.field(repr=False)
    ivorn: str
    role: str
    version: str
    author: str | None
    date: str | None
    received: float
    source: str
    valid: bool = attrs.field(converter=bool)  # SQLite has it as 0 or 1
    attachments: tuple[Attachment, ...] = attrs.field(default=(), kw_only=True)
    notice: bytes | None = attrs.field(default=None, kw_only=True, repr=False)

    @property
    def received_at(self) -> datetime:
        """When it came in, aware, in UTC."""
        return datetime.fromtimestamp(self.received, UTC)


@attrs.frozen
class StoredEvent(NewEvent):
    """An event as the store has it.

    Attributes:
        seq: its position in the log, from 1; it is never given again, even once the event has been pruned.
        attached: how many bytes are kept beside it; where only the packet was read, `attachments` is empty
            all the same.
    """

    seq: int
    attached: int = 0


class Place(NamedTuple):
    """Where an event that was to be stored lies in the log.

    Attributes:
        seq: its position, from 1.
        new: whether it has been stored now; else it was there before.
    """

    seq: int
    new: bool


@attrs.frozen
class Refusal:
    """A packet or a notice that was refused, kept aside with the reason.

    Attributes:
        raw: its bytes exactly as they came in.
        reason: why it was refused.
        source: the name of the transport that it came in through.
        peer: the address of who sent it, or empty.
        received: when it came in, in seconds since 1970, UTC.
        ivorn: its IVORN, where it has one.
        where: where its source found it, as topic, partition and offset; or empty.
        number: under which it is stored, or None before that.
    """

    raw: bytes = attrs.field(repr=False)
    reason: str
    source: str
    peer: str
    received: float
    ivorn: str | None
    where: str = ""
    number: int | None = attrs.field(default=None, eq=False, kw_only=True)


@attrs.frozen
class Waiting:
    """A delivery that failed, or was asked for again: it is to be tried (again), or is a dead letter.

    Attributes:
        seq: the event's position in the log.
        attempts: how many have failed.
        due: when to try again, 0 for as soon as may be; for a dead letter, when it was given up; in seconds
            since 1970, UTC.
        reason: why the last attempt failed.
        dead: whether it has been given up.
        since: when the first attempt that counts failed, in seconds since 1970, UTC; None before that.
        replayed: of a delivery that somebody asked for again, how many attempts had failed by then, which
            count no more; else None.
    """

    seq: int
    attempts: int = 0
    due: float = 0.0
    reason: str = ""
    dead: bool = attrs.field(default=False, converter=bool)
    since: float | None = None
    replayed: int | None = None

    @property
    def failures(self) -> int:
        """How many attempts have failed that count."""
        return self.attempts - (self.replayed or 0)


class Delivered(NamedTuple):
    """A delivery that was made.

    Attributes:
        seq: the event's position in the log.
        at: when, in seconds since 1970, UTC.
        attempts: how many it took, this one included.
    """

    seq: int
    at: float
    attempts: int


@attrs.frozen
class Progress:
    """What one sink has done since it last said so.

    Attributes:
        sink: its name.
        cursor: every event up to this position has been delivered, is not wanted, or has a waiting row. One
            that is behind the store's own leaves that as it is.
        waiting: deliveries that failed since then; each replaces what the store has of it.
        settled: positions of waiting deliveries that are made at last.
        taken_up: positions that were asked for again and are now among what waits.
        delivered: deliveries that were made since then, in the order in which they were.
    """

    sink: str
    cursor: int
    waiting: Sequence[Waiting] = ()
    settled: Sequence[int] = ()
    taken_up: Sequence[int] = ()
    delivered: Sequence[Delivered] = ()


@attrs.frozen
class StoredVerdict:
    """What a filter answered about an event, where it gave its reason.

    Attributes:
        seq: the event's position in the log.
        filter: the name of the filter's table.
        holds: whether it holds for the event.
        reason: why, in words.
    """

    seq: int
    filter: str
    holds: bool
    reason: str


@attrs.frozen
class SinkState:
    """What a sink has still to do: all after the cursor, but for what was passed, and what waits.

    Attributes:
        cursor: every event up to this position has been seen to, save those that wait.
        waiting: what is to be tried again, in the order of the log; dead letters are not among it.
        passed: of what is after the cursor, what has been delivered or given up.
        new: whether the store did not know the sink.
    """

    cursor: int
    waiting: Sequence[Waiting] = ()
    passed: Sequence[int] = ()
    new: bool = attrs.field(default=False, eq=False)
