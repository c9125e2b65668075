"""Intake: what sources submit is parsed, judged, hashed and stored in batches, then handed on.

Whatever waits when the worker thread is free goes with one hop and one commit; alone, a packet does not wait.
Nothing is answered before the commit that holds it has returned.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import attrs
import structlog
import trio

from voeflow._answers import Envelope
from voeflow._errors import EventError, StoreError
from voeflow._event import Event
from voeflow._ivoid import parse_ivoid
from voeflow._node_api import Submission, Validation
from voeflow._observers import Observers
from voeflow._quota import Quota
from voeflow._store import Store
from voeflow._store_records import NewEvent, Refusal

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

#: The least time between two complaints about the store, in seconds.
COMPLAINT_INTERVAL = 60.0


@attrs.define(eq=False)
class _Entry:
    """A packet on its way through intake, and what came of it."""

    raw: bytes
    source: str
    validate: Validation
    peer: str
    received: datetime
    answered: trio.Event = attrs.field(factory=trio.Event)
    event: Event | None = None
    submission: Submission | None = None


class Intake:
    """Takes packets from every source and answers each when it is on disk.

    Args:
        store: where events are kept.
        accepted: called on the event loop with each batch of new events, in the order of the log.
        observers: the plugins that watch.
        max_event: the greatest size of a packet, in bytes.

    Attributes:
        max_event: as given; it may change while the intake runs.
        counts: how many packets were `accepted`, of these `invalid` (they break their grammar), how many were
            a `duplicate`, and how many `refused`, since the start.
    """

    def __init__(
        self,
        store: Store,
        accepted: Callable[[Sequence[Envelope]], None],
        observers: Observers,
        max_event: int,
    ) -> None:
        self._store = store
        self._accepted = accepted
        self._observers = observers
        self.max_event = max_event
        self.counts = Counter({"accepted": 0, "invalid": 0, "duplicate": 0, "refused": 0})
        self._waiting: deque[_Entry] = deque()
        self._waiting_bytes = 0
        self._room = trio.lowlevel.ParkingLot()
        self._work = trio.lowlevel.ParkingLot()
        self._thread = trio.CapacityLimiter(1)
        self._complained = -COMPLAINT_INTERVAL
        self._failing = False
        self._refusals = Quota(REFUSALS_A_PEER, REFUSAL_INTERVAL)

    async def submit(self, raw: bytes, *, source: str, validate: Validation, peer: str = "") -> Submission:
        """Submit one packet; see `Node.submit`.

        Raises:
            StoreError: the store cannot write now.
        """
        while self._waiting_bytes > MAX_WAITING_BYTES:
            await self._room.park()
        entry = _Entry(raw, source, validate, peer, datetime.now(UTC))
        self._waiting.append(entry)
        self._waiting_bytes += len(raw)
        self._work.unpark()
        await entry.answered.wait()
        if entry.submission is None:
            raise StoreError("the event store cannot write now; see the node's log")
        return entry.submission

    async def run(self) -> None:
        """Work through what is submitted, until cancelled; one batch at a time, in order."""
        while True:
            while not self._waiting:
                await self._work.park()
            batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
            self._waiting_bytes -= sum(len(entry.raw) for entry in batch)
            self._room.unpark_all()
            try:
                seqs = await trio.to_thread.run_sync(self._keep, batch, limiter=self._thread)
            except StoreError as error:
                for entry in batch:
                    entry.submission = None  # nor is one refused that cannot be kept aside
                self._complain(error, len(batch))
            else:
                self._recovered()
                self._hand_on(batch, seqs)
            for entry in batch:
                entry.answered.set()

    def _keep(self, batch: Sequence[_Entry]) -> list[int | None]:
        """Parse, judge and store a batch, in the worker thread; give the position of each event in it."""
        events, refusals = [], []
        for entry in batch:
            try:
                event = self._read(entry)
                error = judge(event) if entry.validate == "schema" else None
                new = _new(event)  # which reads more of it
            except EventError as unreadable:
                refusals.append(_refuse(entry, unreadable, ivorn=None))
            except Exception as bug:  # one packet that trips us must not stop all others
                log.error("a packet tripped the parser; please report it", peer=entry.peer, exc_info=bug)
                refusals.append(_refuse(entry, EventError("this node cannot read it"), ivorn=None))
            else:
                if error is None:
                    entry.event = event
                    events.append(new)
                else:
                    refusals.append(_refuse(entry, error, event.ivorn))
        return self._store.append(events, refusals)

    def _read(self, entry: _Entry) -> Event:
        return Event.parse(entry.raw, source=entry.source, received=entry.received, max_bytes=self.max_event)

    def _hand_on(self, batch: Sequence[_Entry], seqs: Sequence[int | None]) -> None:
        positions = iter(seqs)
        accepted = []
        for entry in batch:
            if entry.event is None:
                assert entry.submission is not None
                self._tell_refused(entry, entry.submission)
                continue
            seq = next(positions)
            entry.submission = Submission(
                "duplicate" if seq is None else "accepted", entry.event.ivorn, digest=entry.event.digest
            )
            if seq is None:
                self._observers.tell("event_duplicate", event=entry.event)
            else:
                accepted.append(Envelope(seq, entry.event))
                self._observers.tell("event_accepted", event=entry.event)
        duplicates = sum(seq is None for seq in seqs)
        self.counts.update(
            accepted=len(accepted),
            invalid=sum(not envelope.event.valid for envelope in accepted),
            duplicate=duplicates,
            refused=len(batch) - len(seqs),
        )
        self._tell_accepted(accepted, duplicates)
        if accepted:
            self._accepted(accepted)

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

    def _tell_refused(self, entry: _Entry, submission: Submission) -> None:
        host = entry.peer.rpartition(":")[0]  # each of its connections has another port
        if (unsaid := self._refusals.ask(f"{entry.source} {host}", time.monotonic())) is not None:
            log.warning(
                "event refused",
                source=entry.source,
                peer=entry.peer,
                ivorn=submission.ivorn,
                reason=submission.reason,
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


def judge(event: Event) -> EventError | None:
    """Say what keeps an event from being taken under `validate = "schema"`, if anything does."""
    try:
        ivoid = parse_ivoid(event.ivorn)
    except ValueError as error:
        return EventError(f"the ivorn is no IVOA Identifier: {error}")
    if not ivoid.local:
        return EventError(
            "the ivorn has no local part; it names a stream, not an event: "
            "expected ivo://authority/path#local-part"
        )
    if defects := event.defects:
        first = defects[0]
        more = f" (and {len(defects) - 1} more)" if len(defects) > 1 else ""
        return EventError(first.message + more, first.line, first.column)
    return None


def _refuse(entry: _Entry, error: EventError, ivorn: str | None) -> Refusal:
    entry.submission = Submission("refused", ivorn, str(error))
    return Refusal(
        raw=entry.raw,
        reason=str(error),
        source=entry.source,
        peer=entry.peer,
        received=entry.received.timestamp(),
        ivorn=ivorn,
    )


def _new(event: Event) -> NewEvent:
    return NewEvent(
        digest=event.digest,
        raw=event.raw,
        ivorn=event.ivorn,
        role=event.role,
        version=event.version,
        author=event.author,
        date=event.date.isoformat() if event.date is not None else None,
        received=event.received.timestamp(),
        source=event.source,
        valid=event.valid,
    )
