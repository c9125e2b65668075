"""Intake: what sources submit is parsed, judged, hashed and stored in batches, then handed on.

Notices come here once a mapping has made events of them; see `_notices`.

Whatever waits when the worker thread is free goes with one hop and one commit; alone, a packet does not wait.
Nothing is answered before the commit that holds it has returned.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter

import structlog
import trio

from voeflow import _wall
from voeflow._answers import Envelope
from voeflow._entry import Entry, objection, refuse, to_store
from voeflow._errors import EventError, StoreError
from voeflow._event import Event
from voeflow._node_api import Answer, Check, Submission, Validation
from voeflow._observers import Observers
from voeflow._quota import Quota
from voeflow._store import Store
from voeflow._store_records import Place
from voeflow._xml import MAX_ATTRIBUTES, MAX_DEPTH

log = structlog.get_logger()

#: How many packets share one commit at most. Beyond this the share of the fsync is small against the parsing,
#: and the first of the batch would wait for the last.
MAX_BATCH = 128

#: How many bytes may wait for the worker thread; who submits more waits for room.
MAX_WAITING_BYTES = 32 * 2**20

#: Up to this many events of a batch have a line each in the log; of more there is one line for all.
LINES_A_BATCH = 8

#: Up to this many refusals of what one peer sends have a line each in the log in a time, in seconds; the rest
#: is counted. A frame of four bytes is enough for a refusal, and a peer can send thousands of them a second.
REFUSALS_A_PEER, REFUSAL_INTERVAL = 20, 60.0

#: Notices of one topic that are refused by one mapping, or that none knows, have one line in the log in this
#: time, in seconds, and so has what else of a topic is refused; the rest is counted.
NOTICE_INTERVAL = 3600.0

#: The least time between two complaints about the store, in seconds.
COMPLAINT_INTERVAL = 60.0


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
        self._store = store
        self._accepted = accepted
        self._observers = observers
        self.max_event = max_event
        self.max_depth = max_depth
        self.max_attributes = max_attributes
        self.counts = Counter({"accepted": 0, "invalid": 0, "duplicate": 0, "refused": 0})
        self._waiting: deque[tuple[Entry, int]] = deque()
        self._waiting_bytes = 0
        self._room = trio.lowlevel.ParkingLot()
        self._work = trio.lowlevel.ParkingLot()
        self._thread = trio.CapacityLimiter(1)
        self._complained = -COMPLAINT_INTERVAL
        self._failing = False
        self._refusals = Quota(REFUSALS_A_PEER, REFUSAL_INTERVAL)
        self._notices = Quota(1, NOTICE_INTERVAL)

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
        while self._waiting_bytes > MAX_WAITING_BYTES:
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
        size = entry.size
        self._waiting.append((entry, size))
        self._waiting_bytes += size
        self._work.unpark()

    async def run(self) -> None:
        """Work through what is submitted, until cancelled; one batch at a time, in order."""
        while True:
            while not self._waiting:
                await self._work.park()
            taken = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
            self._waiting_bytes -= sum(size for _, size in taken)
            batch = [entry for entry, _ in taken]
            self._room.unpark_all()
            try:
                places = await trio.to_thread.run_sync(self._keep, batch, limiter=self._thread)
            except StoreError as error:
                for entry in batch:
                    entry.submission = None  # nor is one refused that cannot be kept aside
                self._complain(error, len(batch))
            else:
                self._recovered()
                self._hand_on(batch, places)
            for answered, entries in groupby(batch, _ANSWERED):
                answers = [entry.answer for entry in entries]
                try:
                    answered(answers)
                except Exception:  # one source that trips must not stop all others
                    log.exception("a source could not take an answer", source=batch[0].source)

    def _keep(self, batch: Sequence[Entry]) -> list[Place]:
        """Parse, judge and store a batch, in the worker thread; give the place of each event in it."""
        events, refusals = [], []
        for entry in batch:
            try:
                if entry.refused:
                    raise EventError(entry.refused)
                made = entry.event  # of a notice, and judged already
                event = self._read(entry) if made is None else made
                error = objection(entry, event) if made is None else None
                new = to_store(event, entry.notice)  # which reads more of it
            except EventError as unreadable:
                refusals.append(refuse(entry, unreadable, ivorn=None))
            except Exception as bug:  # one packet that trips us must not stop all others
                log.error("a packet tripped the parser; please report it", peer=entry.peer, exc_info=bug)
                refusals.append(refuse(entry, EventError("this node cannot read it"), ivorn=None))
            else:
                if error is None:
                    entry.event = event
                    events.append(new)
                else:
                    refusals.append(refuse(entry, error, event.ivorn))
        return self._store.append(events, refusals)

    def _read(self, entry: Entry) -> Event:
        return Event.parse(
            entry.raw,
            source=entry.source,
            received=entry.received,
            max_bytes=self.max_event,
            max_depth=self.max_depth,
            max_attributes=self.max_attributes,
        )

    def _hand_on(self, batch: Sequence[Entry], places: Sequence[Place]) -> None:
        ahead = iter(places)
        accepted = []
        for entry in batch:
            event = entry.event
            if event is None:
                assert entry.submission is not None
                self._tell_refused(entry, entry.submission)
                entry.noted("refused")
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
        duplicates = len(places) - len(accepted)
        self.counts.update(
            accepted=len(accepted),
            invalid=sum(not envelope.event.valid for envelope in accepted),
            duplicate=duplicates,
            refused=len(batch) - len(places),
        )
        self._tell_accepted(accepted, duplicates)
        if accepted:
            self._accepted(accepted)

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

    def _tell_accepted(self, accepted: Sequence[Envelope], duplicates: int) -> None:
        if len(accepted) <= LINES_A_BATCH:
            for envelope in accepted:
                event = envelope.event
                facts = {"role": event.role, "source": event.source}
                if not event.valid:
                    facts["defect"] = str(event.defects[0])
                log.info("event accepted", ivorn=event.ivorn, **facts)
        else:
            last = accepted[-1].event
            log.info("events accepted", number=len(accepted), last=last.ivorn, source=last.source)
        if duplicates:
            log.debug("duplicates acknowledged", number=duplicates)

    def _tell_refused(self, entry: Entry, submission: Submission) -> None:
        host = entry.peer.rpartition(":")[0]  # each of its connections has another port
        if entry.about or entry.where:  # a topic with what nobody knows has it by the thousand
            topic = sorted(entry.about.items()) or entry.peer
            unsaid = self._notices.ask(f"{entry.source} {topic}", time.monotonic())
        else:
            unsaid = self._refusals.ask(f"{entry.source} {host}", time.monotonic())
        if unsaid is not None:
            log.warning(
                "notice refused" if entry.about else "event refused",
                source=entry.source,
                peer=entry.peer,
                ivorn=submission.ivorn,
                reason=submission.reason,
                **entry.about,
                **({"where": entry.where} if entry.where else {}),
                **({"refused_meanwhile": unsaid} if unsaid else {}),
            )
        self._observers.tell(
            "event_refused",
            raw=entry.raw,
            reason=submission.reason,
            source=entry.source,
            ivorn=submission.ivorn,
        )

    def _recovered(self) -> None:
        if self._failing:
            self._failing = False
            log.info("the store can write again: events are taken")

    def _complain(self, error: StoreError, number: int) -> None:
        self._failing = True
        now = time.monotonic()
        if now - self._complained >= COMPLAINT_INTERVAL:
            self._complained = now
            log.error(
                "the store cannot write: no receipts are sent, authors will try again",
                reason=str(error),
                events=number,
            )
