"""What one sink has still to do, as positions in the store's log; no I/O, no clock.

A sink takes events in the order of the log. What it took is *open* until it is settled (delivered, or not
wanted) or becomes *waiting* (failed, to be tried again) or *dead* (given up). The *cursor* is the last
position up to which nothing is open: with the waiting rows, and with what was delivered or given up beyond it
while an older event was open, it is all that a restart needs. When a delivery was made is noted for that, and
for those who ask later.

What somebody asks to be handed over again is *taken up*: it waits too, but for a quiet moment and not for a
time.
"""

from __future__ import annotations

import heapq

import attrs

from voeflow._store_records import Delivered, Progress, SinkState, Waiting

#: How many deliveries of one sink may be open at once, and from how many bytes of events on it gets no more
#: new ones; so a transport that settles none holds a bounded part of the memory.
MAX_OPEN, MAX_OPEN_BYTES = 1024, 64 * 2**20

#: How many failed deliveries of one sink may wait to be tried again. When there are more the sink takes
#: nothing new: whatever it writes to is down, and the store keeps its place.
MAX_WAITING = 1000

#: How many deliveries that were asked for again one sink holds in memory; the rest waits in the store.
MAX_AGAIN = 256

#: How many deliveries of one sink may have been made and not be written down, since the store cannot write: a
#: crash would have them made again. When there are more the sink takes nothing new.
MAX_UNSAVED = 2**16


class Ledger:
    """The open, waiting and dead deliveries of one sink.

    Attributes:
        sink: the sink's name.
        taken: the position of the last event that the sink took from the log.
        open_bytes: how many bytes the events have that were taken from the log and are under way.
    """

    def __init__(self, sink: str, taken: int) -> None:
        self.sink = sink
        self.taken = taken
        self.open_bytes = 0
        self._open: dict[int, int] = {}
        self._waiting: dict[int, Waiting] = {}
        self._due: list[tuple[float, int]] = []
        self._owed: set[int] = set()  # of what waits, what was never settled
        self._again: dict[int, None] = {}  # of what waits, what was asked for
        self._retried: set[int] = set()  # of what waits, what is under way
        self._passed: set[int] = set()  # of what is to come in the log, what is done with or waits
        self._known_to = taken  # up to here all was taken from the log before
        self._open_again: set[int] = set()  # of that, what was open and is to be taken again
        self._taken_up: dict[int, None] = {}
        self._changed: dict[int, Waiting | None] = {}
        self._delivered: list[Delivered] = []
        self._being_written = 0  # how many of these `progress` gave the last time
        self._saved_cursor = self.taken

    @classmethod
    def resume(cls, sink: str, state: SinkState) -> Ledger:
        """Go on from what the store remembers of `sink`."""
        ledger = cls(sink, state.cursor)
        ledger._passed.update(state.passed)
        for row in state.waiting:
            if row.seq > state.cursor:  # an older event was still open when this one failed
                ledger._passed.add(row.seq)
            ledger._wait(row)
            ledger._owed.add(row.seq)  # or it was asked for again: the store does not tell these apart
        return ledger

    @property
    def cursor(self) -> int:
        """The last position up to which nothing is open."""
        return next(iter(self._open)) - 1 if self._open else self.taken

    @property
    def settled_up_to(self) -> int:
        """The last position up to which all is settled or dead; what is only asked for again is that too."""
        return min(self.cursor, min(self._owed) - 1) if self._owed else self.cursor

    @property
    def open_count(self) -> int:
        """How many deliveries are under way."""
        return len(self._open) + len(self._retried)

    @property
    def waiting_count(self) -> int:
        """How many deliveries failed or are tried again, and are not settled."""
        return len(self._waiting) - len(self._again)

    @property
    def again_count(self) -> int:
        """How many deliveries were taken up, and have not begun."""
        return len(self._again)

    @property
    def unsaved_count(self) -> int:
        """How many deliveries were made and are not written to the store, as far as is known.

        What `progress` gave counts until it is asked again: until then it may be given back.
        """
        return len(self._delivered) + self._being_written

    @property
    def has_room(self) -> bool:
        """Whether the sink may be given what is new in the log."""
        return (
            self.open_count < MAX_OPEN
            and self.open_bytes < MAX_OPEN_BYTES
            and self.waiting_count < MAX_WAITING
            and self.unsaved_count < MAX_UNSAVED
        )

    @property
    def room_again(self) -> int:
        """How many more deliveries that were asked for again may be taken up."""
        return max(0, min(MAX_AGAIN - self.again_count, MAX_WAITING - self.waiting_count))

    @property
    def next_due(self) -> float | None:
        """When the next waiting delivery is due, in seconds since 1970, or None."""
        self._drop_stale()
        return self._due[0][0] if self._due else None

    def take(self, seq: int, size: int = 0) -> bool:
        """Take the next event of the log, which has `size` bytes.

        Returns:
            Whether it is open now; else it was taken before, by this process or an earlier one, and is done
            with, or waits.
        """
        assert seq > self.taken, "events are taken in the order of the log"
        self.taken = seq
        if seq in self._passed:
            self._passed.remove(seq)
            return False
        if seq <= self._known_to:
            if seq not in self._open_again:
                return False
            self._open_again.remove(seq)
        self._open[seq] = size
        self.open_bytes += size
        return True

    def take_due(self, now: float) -> Waiting | None:
        """Take one waiting delivery whose time has come; it stays a waiting row until it is settled."""
        self._drop_stale()
        if self._due and self._due[0][0] <= now:
            return self._retry(heapq.heappop(self._due)[1])
        return None

    def take_up(self, row: Waiting) -> bool:
        """Let a delivery that was asked for again wait; False if it is under way, and is to stay asked for.

        Args:
            row: due at once, and of an event up to the cursor.
        """
        assert row.seq <= self.cursor, "what the log has still to give is no repeat"
        if row.seq in self._retried:
            return False
        if known := self._waiting.get(row.seq):
            row = attrs.evolve(row, attempts=known.attempts, replayed=known.attempts)
        self.postpone(row)
        self._taken_up[row.seq] = None
        return True

    def take_again(self) -> Waiting | None:
        """Take one delivery that was taken up; it stays a waiting row until it is settled."""
        for seq in self._again:
            return self._retry(seq)
        return None

    def hasten(self, seconds: float) -> None:
        """Have what waits for a time come so much earlier."""
        for seq, row in self._waiting.items():
            if row.due and seq not in self._retried:
                self._waiting[seq] = self._changed[seq] = attrs.evolve(row, due=row.due - seconds)
        self._due = [(self._waiting[seq].due, seq) for _, seq in self._due if seq in self._waiting]
        heapq.heapify(self._due)

    def settle(self, seq: int, delivered: Delivered | None = None) -> None:
        """Close a delivery for good: it was made, or is not wanted."""
        if delivered is not None:
            self._delivered.append(delivered)
        self._owed.discard(seq)
        if self._forget(seq):
            self._changed[seq] = None

    def postpone(self, row: Waiting) -> None:
        """Turn a delivery that failed into one that waits for `row.due`."""
        if row.replayed is None:
            self._owed.add(row.seq)
        self._forget(row.seq)
        self._wait(row)
        self._changed[row.seq] = row

    def bury(self, row: Waiting) -> None:
        """Turn a delivery that failed for the last time into a dead letter."""
        self._owed.discard(row.seq)
        self._forget(row.seq)
        self._changed[row.seq] = row

    def rewind(self) -> None:
        """Take again all that is open: whoever had it will never settle it."""
        cursor = self.cursor
        self._open_again.update(self._open)
        self._known_to = max(self._known_to, self.taken)
        self.taken = cursor
        self._open.clear()
        self.open_bytes = 0
        self._retried.clear()
        self._due.clear()
        for row in self._waiting.values():
            self._plan(row)

    def progress(self) -> Progress | None:
        """Give what is to be written to the store since the last call, or None.

        To be called once it is known what has become of what the last call gave.
        """
        cursor = self.cursor
        self._being_written = len(self._delivered)
        if not self._changed and not self._delivered and cursor == self._saved_cursor:
            return None
        changed, self._changed, self._saved_cursor = self._changed, {}, cursor
        taken_up, self._taken_up = self._taken_up, {}
        delivered, self._delivered = self._delivered, []
        return Progress(
            sink=self.sink,
            cursor=cursor,
            waiting=[row for row in changed.values() if row is not None],
            settled=[seq for seq, row in changed.items() if row is None],
            taken_up=tuple(taken_up),
            delivered=tuple(delivered),
        )

    def restore(self, progress: Progress) -> None:
        """Take back what `progress` gave: it could not be written, and is to be given again."""
        for row in progress.waiting:
            self._changed.setdefault(row.seq, row)
        for seq in progress.settled:
            self._changed.setdefault(seq, None)
        self._taken_up.update(dict.fromkeys(progress.taken_up))
        self._delivered[:0] = progress.delivered
        self._being_written = 0
        self._saved_cursor = -1

    def _wait(self, row: Waiting) -> None:
        self._waiting[row.seq] = row
        self._plan(row)

    def _plan(self, row: Waiting) -> None:
        if row.replayed is not None and not row.due:
            self._again[row.seq] = None
        else:
            heapq.heappush(self._due, (row.due, row.seq))

    def _retry(self, seq: int) -> Waiting:
        self._again.pop(seq, None)
        self._retried.add(seq)
        return self._waiting[seq]

    def _forget(self, seq: int) -> bool:
        """Drop a delivery; whether it was a waiting one."""
        self.open_bytes -= self._open.pop(seq, 0)
        self._again.pop(seq, None)
        self._retried.discard(seq)
        return self._waiting.pop(seq, None) is not None

    def _drop_stale(self) -> None:
        while self._due:
            due, seq = self._due[0]
            row = self._waiting.get(seq)
            # It may have come to wait for the same time again, and be under way, or wait for a quiet moment.
            elsewhere = seq in self._retried or seq in self._again
            if row is not None and row.due == due and not elsewhere:
                return
            heapq.heappop(self._due)
