"""Packets that share a commit: what each is found to be, and what is to be stored of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import attrs
import structlog

from voeflow._entry import Entry, objection, refuse, to_store
from voeflow._errors import EventError, StoreError
from voeflow._event import Event
from voeflow._store_records import NewEvent, Place, Refusal

log = structlog.get_logger()


@attrs.define(eq=False, repr=False)
class Batch:
    """Packets that share a commit.

    Attributes:
        entries: the packets, in order.
        events: of these, what is to be stored, in order.
        refusals: and what is to be kept aside.
        places: where the events are in the log, once they are.
        failure: why nothing of it could be stored, or None.
        ready: whether all of it has been read.
    """

    entries: list[Entry] = attrs.field(factory=list)
    events: list[NewEvent] = attrs.field(factory=list)
    refusals: list[Refusal] = attrs.field(factory=list)
    places: list[Place] = attrs.field(factory=list)
    failure: StoreError | None = None
    ready: bool = False

    @property
    def size(self) -> int:
        """How many bytes its packets hold."""
        return sum([entry.size for entry in self.entries])

    def add(self, batch: Batch) -> None:
        """Add another, that was read, behind this."""
        self.entries += batch.entries
        self.events += batch.events
        self.refusals += batch.refusals

    def read(self, entries: Sequence[Entry], parse: Callable[[Entry], Event]) -> None:
        """Add packets: parse and judge them, unless that has been done; in a worker thread.

        One for which there is no memory is neither stored nor refused: that is not its fault.

        Args:
            entries: the packets.
            parse: reads one; raises `EventError`.
        """
        self.entries += entries
        made = [_attempt(entry, parse) for entry in entries]
        if len(made) > 1:
            # One step with all of them, then the next: so the processor has at hand what each step runs.
            # Packet by packet, libxml2's steps and Python's in turn, all take a fifth longer.
            for event in made:
                _check_ahead(event)
        for entry, event in zip(entries, made, strict=True):
            try:
                if isinstance(event, Exception):
                    raise event
                error = objection(entry, event) if entry.event is None else None
                new = to_store(event, entry.notice)  # which reads more of it
            except EventError as unreadable:
                self.refusals.append(refuse(entry, unreadable, ivorn=None))
            except MemoryError:
                log.error(
                    "no memory to read an event: no receipt is sent, its author will try again",
                    source=entry.source,
                    peer=entry.peer,
                )
            except (
                Exception
            ) as bug:  # told with its traceback; it costs this packet, not the batch and the node
                log.error("a packet tripped the parser; please report it", peer=entry.peer, exc_info=bug)
                self.refusals.append(refuse(entry, EventError("this node cannot read it"), ivorn=None))
            else:
                if error is None:
                    entry.event, entry.kept = event, True
                    self.events.append(new)
                else:
                    self.refusals.append(refuse(entry, error, event.ivorn))


def _attempt(entry: Entry, parse: Callable[[Entry], Event]) -> Event | Exception:
    """Give the event of a packet, or what was raised in its place."""
    if entry.refused:
        return EventError(entry.refused)
    if entry.event is not None:  # of a notice, and judged already
        return entry.event
    try:
        return parse(entry)
    except Exception as error:  # noqa: BLE001 - raised again by `read`, in the order of the packets
        return error


def _check_ahead(event: Event | Exception) -> None:
    """Have the event checked against its grammar, which it keeps."""
    if isinstance(event, Event):
        with suppress(Exception):  # it will be raised again
            _ = event.defects
