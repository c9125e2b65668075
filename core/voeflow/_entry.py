"""What is on its way through intake: how it is judged, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

import attrs
import structlog

from voeflow._errors import EventError, StoreError
from voeflow._event import Event, Facts
from voeflow._ivoid import names_event, parse_ivoid
from voeflow._node_api import MAX_REASON, Answer, Check, Submission, Validation
from voeflow._raised import Raised, describe
from voeflow._store_records import NewEvent, Refusal
from voeflow._text import printable

log = structlog.get_logger()

#: The longest text that is kept of where something was found, in characters; a path may be as long.
_MAX_WHERE = 4096


def _ignore(_: object) -> None:
    """Tell nobody."""


@attrs.define(eq=False, repr=False)
class Entry:
    """A packet on its way through intake, and what came of it.

    Attributes:
        raw: the bytes as they came, a packet's or a notice's.
        source: the name of the transport that brought them.
        validate: how strictly they are judged.
        peer: who sent them, or empty.
        where: where they were found, or empty.
        received: when they came.
        event: what was made of them; given at once for a notice that was mapped.
        found: what another process has found in them, or None where they have still to be read.
        notice: of a notice, its digest.
        refused: of what is to be kept aside whatever it is, the reason.
        check: what its source asks of the event before it is stored, or None.
        about: of a notice that is refused, what else is told of it.
        answered: is called with the answers to this and, at once, to others of the same batch that have the
            same one.
        noted: is called with the outcome, if there is one.
        kept: whether it is among what its batch stores as events.
        submission: the answer, None where the store has failed.
    """

    raw: bytes
    source: str
    validate: Validation
    peer: str
    where: str
    received: datetime
    event: Event | None = attrs.field(default=None, kw_only=True)
    found: Facts | EventError | None = attrs.field(default=None, init=False)
    notice: bytes | None = attrs.field(default=None, kw_only=True)
    refused: str = attrs.field(default="", kw_only=True)
    check: Check | None = attrs.field(default=None, kw_only=True)
    about: Mapping[str, str] = attrs.field(default=MappingProxyType({}), kw_only=True)
    answered: Callable[[Sequence[Answer]], None] = attrs.field(default=_ignore, kw_only=True)
    noted: Callable[[str], None] = attrs.field(default=_ignore, kw_only=True)
    kept: bool = attrs.field(default=False, init=False)
    submission: Submission | None = attrs.field(default=None, init=False)

    @property
    def answer(self) -> Answer:
        """What its source is told."""
        return self.submission or StoreError("the event store cannot write now; see the node's log")

    @property
    def size(self) -> int:
        """How many bytes it holds."""
        return len(self.raw) if self.event is None else self.event.size


def judge(event: Event) -> EventError | None:
    """Say what keeps an event from being taken under `validate = "schema"`, if anything does."""
    if not names_event(event.ivorn):
        return EventError(_problem_with(event.ivorn))
    if defects := event.defects:
        first = defects[0]
        more = f" (and {len(defects) - 1} more)" if len(defects) > 1 else ""
        return EventError(first.message + more, first.line, first.column)
    return None


def _problem_with(ivorn: str) -> str:
    """Why an IVORN names no event."""
    try:
        parse_ivoid(ivorn)
    except ValueError as error:
        return f"the ivorn is no IVOA Identifier: {error}"
    return (
        "the ivorn has no local part; it names a stream, not an event: "
        "expected ivo://authority/path#local-part"
    )


def objection(entry: Entry, event: Event) -> EventError | None:
    """Say what keeps an event that has been read from being stored, if anything does."""
    error = judge(event) if entry.validate == "schema" else None
    return ask_source(entry, event) if error is None else error


def ask_source(entry: Entry, event: Event) -> EventError | None:
    """Say what the source has against an event, if anything; in a worker thread."""
    if entry.check is None:
        return None
    try:
        reason: object = entry.check(event)
        return EventError(printable(str(reason), MAX_REASON)) if reason else None
    except BaseException as error:
        if (fault := Raised.of(error).fault) is None:
            raise
        # What cannot be judged is not let in.
        log.error("a source could not judge an event", source=entry.source, reason=describe(fault))
        return EventError("this node cannot judge it")


def refuse(entry: Entry, error: EventError, ivorn: str | None) -> Refusal:
    """Answer an entry with a refusal, and give that as the store keeps it."""
    entry.submission = Submission("refused", ivorn, str(error))
    return Refusal(
        raw=entry.raw,
        reason=str(error),
        source=entry.source,
        # What cannot be stored, such as the name of a file that is no UTF-8, would fail the whole batch.
        peer=printable(entry.peer, _MAX_WHERE),
        received=entry.received.timestamp(),
        ivorn=ivorn,
        where=printable(entry.where, _MAX_WHERE),
    )


def to_store(event: Event, notice: bytes | None) -> NewEvent:
    """Give an event as the store takes it, with the digest of the notice that it was made of, if any."""
    return NewEvent(
        event.digest,
        event.raw,
        event.ivorn,
        event.role,
        event.version,
        event.author,
        event._iso_date,
        event.received.timestamp(),
        event.source,
        event.valid,
        attachments=event.attachments,
        notice=notice,
    )
