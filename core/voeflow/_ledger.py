"""What one sink has still to do, as positions in the store's log; no I/O, no clock.

A sink takes events in the order of the log. What it took is *open* until it is settled (delivered, or not
wanted) or becomes *waiting* (failed, to be tried again) or *dead* (given up). The *cursor* is the last
position up to which nothing is open: together with the waiting rows it is all that a restart needs, so
marking a delivery done writes nothing of its own.
"""

from __future__ import annotations

import heapq

import attrs

from voeflow._store_records import Progress, SinkState, Waiting


@attrs.define
class Ledger:
    """The open, waiting and dead deliveries of one sink.

    Attributes:
        sink: the sink's name.
        taken: the position of the last event that the sink took from the log.
    """

    sink: str
    taken: int
    _open: dict[int, None] = attrs.field(factory=dict, init=False)
    _waiting: dict[int, Waiting] = attrs.field(factory=dict, init=False)
    _due: list[tuple[float, int]] = attrs.field(factory=list, init=False)
    _changed: dict[int, Waiting | None] = attrs.field(factory=dict, init=False)
    _saved_cursor: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._saved_cursor = self.taken

    @classmethod
    def resume(cls, sink: str, state: SinkState) -> Ledger:
        """Go on from what the store remembers of `sink`."""
        ledger = cls(sink, state.cursor)
        for row in state.waiting:
            ledger._waiting[row.seq] = row
            heapq.heappush(ledger._due, (row.due, row.seq))
        return ledger

    @property
    def cursor(self) -> int:
        """The last position up to which nothing is open."""
        return next(iter(self._open)) - 1 if self._open else self.taken

    @property
    def open_count(self) -> int:
        """How many deliveries are under way."""
        return len(self._open)

    @property
    def waiting_count(self) -> int:
        """How many failed deliveries wait to be tried again."""
        return len(self._waiting)

    @property
    def next_due(self) -> float | None:
        """When the next waiting delivery is due, in seconds since 1970, or None."""
        self._drop_stale()
        return self._due[0][0] if self._due else None

    def take(self, seq: int) -> None:
        """Take the next event of the log."""
        assert seq > self.taken, "events are taken in the order of the log"
        self.taken = seq
        self._open[seq] = None

    def take_due(self, now: float) -> Waiting | None:
        """Take one waiting delivery whose time has come; it stays a waiting row until it is settled."""
        self._drop_stale()
        if self._due and self._due[0][0] <= now:
            return self._waiting[heapq.heappop(self._due)[1]]
        return None

    def settle(self, seq: int) -> None:
        """Close a delivery for good: it was made, or is not wanted."""
        self._open.pop(seq, None)
        if self._waiting.pop(seq, None) is not None:
            self._changed[seq] = None

    def postpone(self, row: Waiting) -> None:
        """Turn a delivery that failed into one that waits for `row.due`."""
        self._open.pop(row.seq, None)
        self._waiting[row.seq] = row
        self._changed[row.seq] = row
        heapq.heappush(self._due, (row.due, row.seq))

    def bury(self, row: Waiting) -> None:
        """Turn a delivery that failed for the last time into a dead letter."""
        self._open.pop(row.seq, None)
        self._waiting.pop(row.seq, None)
        self._changed[row.seq] = row

    def rewind(self) -> None:
        """Take again all that is open: whoever had it will never settle it."""
        self.taken = self.cursor
        self._open.clear()
        self._due = [(row.due, row.seq) for row in self._waiting.values()]
        heapq.heapify(self._due)

    def progress(self) -> Progress | None:
        """Give what is to be written to the store since the last call, or None."""
        cursor = self.cursor
        if not self._changed and cursor == self._saved_cursor:
            return None
        changed, self._changed, self._saved_cursor = self._changed, {}, cursor
        return Progress(
            sink=self.sink,
            cursor=cursor,
            waiting=[row for row in changed.values() if row is not None],
            settled=[seq for seq, row in changed.items() if row is None],
        )

    def restore(self, progress: Progress) -> None:
        """Take back what `progress` gave: it could not be written, and is to be given again."""
        for row in progress.waiting:
            self._changed.setdefault(row.seq, row)
        for seq in progress.settled:
            self._changed.setdefault(seq, None)
        self._saved_cursor = -1

    def _drop_stale(self) -> None:
        while self._due:
            due, seq = self._due[0]
            row = self._waiting.get(seq)
            if row is not None and row.due == due:
                return
            heapq.heappop(self._due)
