"""Packets that share a commit: what each is found to be, and what is to be stored of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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

    def add(self, batch: Batch) -> None:
        """Add another, that was read, behind this."""
        self.entries += batch.entries
        self.events += batch.events
        self.refusals += batch.refusals

    def read(self, entries: Sequence[Entry], parse: Callable[[Entry], Event]) -> None:
        """Add packets: parse and judge them, unless that has been done; in a worker thread.

        Args:
            entries: the packets.
            parse: reads one; raises `EventError`.
        """
        self.entries += entries
        for entry in entries:
            try:
                if entry.refused:
                    raise EventError(entry.refused)
                made = entry.event  # of a notice, and judged already
                event = parse(entry) if made is None else made
                error = objection(entry, event) if made is None else None
                new = to_store(event, entry.notice)  # which reads more of it
            except EventError as unreadable:
                self.refusals.append(refuse(entry, unreadable, ivorn=None))
            except Exception as bug:  # one packet that trips us must not stop all others
                log.error("a packet tripped the parser; please report it", peer=entry.peer, exc_info=bug)
                self.refusals.append(refuse(entry, EventError("this node cannot read it"), ivorn=None))
            else:
                if error is None:
                    entry.event = event
                    self.events.append(new)
                else:
                    self.refusals.append(refuse(entry, error, event.ivorn))
