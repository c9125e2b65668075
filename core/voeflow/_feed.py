"""The store's log as one sink reads it: from memory while it keeps up, from the store when it does not.

New events are offered to every sink as they are stored. A sink whose queue is full misses the offer and
reads on from the store later, so that a slow sink costs disk and never memory, and delays nobody.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

import structlog
import trio

from voeflow._answers import Envelope
from voeflow._errors import EventError, StoreError
from voeflow._event import Event
from voeflow._store import Store
from voeflow._store_records import StoredEvent
from voeflow._text import printable
from voeflow._xml import PARSER_DEPTH

log = structlog.get_logger()

#: What a sink's queue holds at most; the rest waits in the store.
MAX_QUEUED, MAX_QUEUED_BYTES = 256, 8 * 2**20

#: How many events are read from the store at once by a sink that is behind.
READ_AT_ONCE = 64

#: How long to wait before a store that could not be read is read again, in seconds.
READ_AGAIN = 5.0


class Feed:
    """What is next in the log for one sink.

    Args:
        sink: the sink's name, for the log.
        position: the position of the last event that the sink has had.
        latest: the position of the newest event in the store.
        store: to read on from.

    Attributes:
        changed: unparked when there is more to take.
    """

    def __init__(self, sink: str, position: int, latest: int, store: Store) -> None:
        self.changed = trio.lowlevel.ParkingLot()
        self._sink = sink
        self._store = store
        self._queue: deque[Envelope] = deque()
        self._queued_bytes = 0
        self._position = position  # of the last event that was queued
        self._latest = max(position, latest)  # of the last event that there is

    @property
    def behind(self) -> bool:
        """Whether the next event to queue is to be read from the store."""
        return self._position < self._latest

    @property
    def has_next(self) -> bool:
        """Whether `pop` gives something."""
        return bool(self._queue)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to take, neither in memory nor in the store."""
        return not self._queue and not self.behind

    def offer(self, envelopes: Sequence[Envelope]) -> None:
        """Offer new events, in the order of the log. Never waits, never fails."""
        keeps_up = not self.behind
        self._latest = envelopes[-1].seq
        if keeps_up:
            for envelope in envelopes:
                if len(self._queue) >= MAX_QUEUED or self._queued_bytes >= MAX_QUEUED_BYTES:
                    break
                if envelope.seq > self._position:  # else it was read from the store before it was offered
                    self._enqueue(envelope)
        self.changed.unpark_all()

    def pop(self, limit: int) -> list[Envelope]:
        """Take up to `limit` events from the queue; none when it is empty."""
        popped = [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]
        self._queued_bytes -= sum(envelope.event.size for envelope in popped)
        return popped

    def rewind(self, position: int) -> None:
        """Go back to just after `position`."""
        self._queue.clear()
        self._queued_bytes = 0
        self._position = position
        self.changed.unpark_all()

    async def read_on(self) -> None:
        """Fill the empty queue from the store; where the store cannot be read, say so and wait a while."""
        position, latest = self._position, self._latest
        try:
            envelopes, read_up_to = await trio.to_thread.run_sync(self._read, position)
        except StoreError as error:
            log.error("the store cannot be read", sink=self._sink, reason=str(error))
            await trio.sleep(READ_AGAIN)
            return
        if self._position != position:  # rewound in between
            return
        for envelope in envelopes:
            self._enqueue(envelope)
        # Where there are none, what lay between has left the store, its retention over; not so what has been
        # offered meanwhile.
        self._position = latest if read_up_to is None else read_up_to

    def _read(self, position: int) -> tuple[list[Envelope], int | None]:
        """Give the next events, and the position of the last that there was to read."""
        stored = self._store.read(position, READ_AT_ONCE, MAX_QUEUED_BYTES)
        return reread_all(stored, self._sink), stored[-1].seq if stored else None

    def _enqueue(self, envelope: Envelope) -> None:
        self._queue.append(envelope)
        self._queued_bytes += envelope.event.size
        self._position = envelope.seq


def reread_all(stored: Iterable[StoredEvent], sink: str) -> list[Envelope]:
    """Parse events of the store again for a sink; what cannot be parsed is told in the log and left out."""
    envelopes = []
    for each in stored:
        try:
            envelopes.append(reread(each))
        except EventError as error:
            log.error(
                "an event of the store cannot be read",
                sink=sink,
                ivorn=printable(each.ivorn),
                position=each.seq,
                reason=str(error),
            )
    return envelopes


def reread(stored: StoredEvent) -> Envelope:
    """Parse an event of the store again.

    Its bytes were parsed once before, so they are bounded by what the parser can do and not by what is taken
    today: a limit may have been made lower since.

    Raises:
        EventError: it cannot be parsed; its bytes are damaged, say.
    """
    event = Event.parse(
        stored.raw,
        source=stored.source,
        received=stored.received_at,
        max_bytes=len(stored.raw),
        max_depth=PARSER_DEPTH,
        max_attributes=len(stored.raw),
        attachments=stored.attachments,
    )
    return Envelope(stored.seq, event)
