"""Intake: what sources submit is parsed, judged, hashed and stored in batches, then handed on.

Notices come here once a mapping has made events of them; see `_notices`.

Reading and storing is done in threads, see `_intake_threads`: whatever waits shares a commit; alone, a packet
does not wait. All is stored, and handed on, in the order in which it came. Nothing is answered before the
commit that holds it has returned.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter

import structlog
import trio

from voeflow import _wall
from voeflow._answers import Envelope
from voeflow._batch import Batch
from voeflow._entry import Entry
from voeflow._errors import EventError, StoreError
from voeflow._event import Event
from voeflow._intake_log import IntakeLog
from voeflow._intake_threads import IntakeThreads
from voeflow._node_api import Answer, Check, Submission, Validation
from voeflow._observers import Observers
from voeflow._reader import Limits, Reader
from voeflow._store import Store
from voeflow._xml import MAX_ATTRIBUTES, MAX_DEPTH

log = structlog.get_logger()

#: The longest packet that is read on the event loop, in bytes; how long that may take of a processor, in
#: seconds; and for how long threads read after one that took longer, since one can be made to take 20 ms.
SHORT, SLOW, PAUSE = 2**14, 0.005, 2.0

#: How many bytes may be on their way to disk; who submits more waits for room.
MAX_WAITING_BYTES = 32 * 2**20

_ANSWERED = attrgetter("answered")


class Intake:
    """Takes packets from every source and answers each when it is on disk.

    Args:
        store: where events are kept.
        accepted: called on the event loop with each batch of new events, in the order of the log.
        observers: the plugins that watch.
        max_event: the greatest size of a packet, in bytes.
        max_depth: the greatest depth of its elements.
        max_attributes: the greatest number of attributes of one element.

    Attributes:
        max_event: as given; it may change while the intake runs, as the two others.
        max_depth: as given.
        max_attributes: as given.
        counts: how many packets were `accepted`, of these `invalid` (they break their grammar), how many were
            a `duplicate`, and how many `refused`, since the start.
    """

    def __init__(
        self,
        store: Store,
        accepted: Callable[[Sequence[Envelope]], None],
        observers: Observers,
        max_event: int,
        max_depth: int = MAX_DEPTH,
        max_attributes: int = MAX_ATTRIBUTES,
    ) -> None:
        self._accepted = accepted
        self._observers = observers
        self.max_event = max_event
        self.max_depth = max_depth
        self.max_attributes = max_attributes
        self.counts = Counter({"accepted": 0, "invalid": 0, "duplicate": 0, "refused": 0})
        self._log = IntakeLog()
        self._reader = Reader()
        self._threads = IntakeThreads(store, self._read, self._hand_on)
        self._room = trio.lowlevel.ParkingLot()
        self._not_here_before = 0.0

    async def submit(
        self,
        raw: bytes,
        *,
        source: str,
        validate: Validation,
        peer: str = "",
        where: str = "",
        check: Check | None = None,
    ) -> Submission:
        """Submit one packet; see `Node.submit`.

        Raises:
            StoreError: the store cannot write now.
        """
        return await self.take(Entry(raw, source, validate, peer, where, _wall.utcnow(), check=check))

    async def refuse(
        self, raw: bytes, reason: str, *, source: str, peer: str = "", where: str = ""
    ) -> Submission:
        """Keep aside what a source cannot take; see `Node.refuse`.

        Raises:
            StoreError: the store cannot write now.
        """
        entry = Entry(raw, source, "schema", peer, where, _wall.utcnow(), refused=reason)
        return await self.take(entry)

    async def take(self, entry: Entry) -> Submission:
        """Take a packet, or what was made of a notice, or what is to be kept aside.

        Returns:
            What became of it, once that is on disk.

        Raises:
            StoreError: the store cannot write now.
        """
        while self._threads.bytes_waiting > MAX_WAITING_BYTES:
            await self._room.park()
        told = trio.Event()
        answers: list[Answer] = []

        def answered(given: Sequence[Answer]) -> None:
            answers.extend(given)
            told.set()

        entry.answered = answered
        self.take_nowait(entry)
        await told.wait()
        (answer,) = answers
        if isinstance(answer, StoreError):
            raise answer
        return answer

    def take_nowait(self, entry: Entry) -> None:
        """Take a packet, whatever waits already; its `answered` is called when it is on disk."""
        if self._is_read_here(entry):
            began = time.thread_time()
            batch = Batch()
            batch.read([entry], self._parse)
            self._threads.put_read(batch)
            if time.thread_time() - began > SLOW:
                self._not_here_before = time.monotonic() + PAUSE
        else:
            self._threads.put(entry)

    def _is_read_here(self, entry: Entry) -> bool:
        """Whether a packet is best read at once, on the event loop.

        One that comes alone and is short would take as long to be given to a thread as to be read. Who sends
        what takes longer keeps the event loop busy for a thousandth of the time or so.
        """
        return (
            not self._threads.unfinished
            and len(entry.raw) <= SHORT
            and entry.check is None
            and time.monotonic() >= self._not_here_before
        )

    async def run(self) -> None:
        """Work through what is submitted, until cancelled, in order."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._log.run)
                nursery.start_soon(self._threads.run)
        finally:
            with trio.CancelScope(shield=True):  # bounded by the reader
                await trio.to_thread.run_sync(self._reader.close)

    def _read(self, batch: Batch, entries: Sequence[Entry]) -> None:
        """Read packets into a batch; in a thread."""
        unread = [entry for entry in entries if entry.event is None and not entry.refused]
        limits = Limits(self.max_event, self.max_depth, self.max_attributes)
        found = self._reader.read([entry.raw for entry in unread], limits)
        if found is not None:
            for entry, what in zip(unread, found, strict=True):
                entry.found = what
        batch.read(entries, self._parse)

    def _parse(self, entry: Entry) -> Event:
        if len(entry.raw) > self.max_event:  # first, so that it is in these words whoever has read it
            raise EventError(
                f"{len(entry.raw)} bytes are too long: the pipeline's max_event is {self.max_event}"
            )
        if isinstance(entry.found, EventError):
            raise entry.found
        if entry.found is not None:
            return Event.of_facts(entry.found, entry.raw, source=entry.source, received=entry.received)
        return Event.parse(
            entry.raw,
            source=entry.source,
            received=entry.received,
            max_bytes=self.max_event,
            max_depth=self.max_depth,
            max_attributes=self.max_attributes,
        )

    def _hand_on(self, batch: Batch) -> None:
        """Offer what is new to the sinks, answer for every packet, and say so."""
        self._room.unpark_all()
        accepted: list[Envelope] = []
        if batch.failure is not None:
            for entry in batch.entries:
                entry.submission = None  # nor is one refused that cannot be kept aside
        else:
            self._settle(batch, accepted)
            if accepted:
                self._accepted(accepted)
        for answered, group in groupby(batch.entries, _ANSWERED):
            entries = list(group)
            try:
                answered([entry.answer for entry in entries])
            except Exception:  # told with its traceback; the other authors have still to get their receipts
                log.exception("a source could not take an answer", source=entries[0].source)
        if batch.failure is not None:
            self._log.complain(batch.failure, len(batch.entries))
        else:
            self._log.recovered()
            self._log.accepted(accepted, len(batch.places) - len(accepted))

    def _settle(self, batch: Batch, accepted: list[Envelope]) -> None:
        """Put down what has become of each packet; add what is new to `accepted`."""
        ahead = iter(batch.places)
        for entry in batch.entries:
            event = entry.event
            if event is None or not entry.kept:  # what was made of a notice may fail later
                if entry.submission is not None:  # else it is not answered, as where the store has failed
                    self._refused(entry, entry.submission)
                continue
            place = next(ahead)
            entry.submission = Submission(
                "accepted" if place.new else "duplicate",
                event.ivorn,
                digest=event.digest,
                position=place.seq,
            )
            entry.noted(entry.submission.outcome)
            if place.new:
                accepted.append(Envelope(place.seq, event))
                self._observers.tell("event_accepted", event=event)
            else:
                self._observers.tell("event_duplicate", event=event)
        counts = self.counts
        counts["accepted"] += len(accepted)
        counts["invalid"] += sum([not envelope.event.valid for envelope in accepted])
        counts["duplicate"] += len(batch.places) - len(accepted)

    def _refused(self, entry: Entry, submission: Submission) -> None:
        self.counts["refused"] += 1
        entry.noted("refused")
        self._log.refused(entry, submission)
        self._observers.tell(
            "event_refused",
            raw=entry.raw,
            reason=submission.reason,
            source=entry.source,
            ivorn=submission.ivorn,
        )

    def recognise(self, event: Event, seq: int) -> Submission:
        """Answer for a notice that made an event before, as for any duplicate.

        Args:
            event: what it made, as it came in this time.
            seq: its position in the log.
        """
        self.counts.update(duplicate=1)
        self._observers.tell("event_duplicate", event=event)
        log.debug("duplicates acknowledged", number=1)
        return Submission("duplicate", event.ivorn, digest=event.digest, position=seq)
