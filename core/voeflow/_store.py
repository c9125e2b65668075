"""The event store: a log of every event accepted, and what each sink has still to do. SQLite, in WAL mode.

A few modules alone talk to SQLite: `_store` (writing) with `_store_write` and `_store_sinks` (the rows),
`_store_reader` (reading), `_store_marks` (finding events), `_store_prune` (letting go), `_store_places` (what
filters remember), `_store_select`, `_store_deliveries` and `_store_backlog` (looking into it), `_store_asked`
(what is to be handed over again) and `_store_format` (its file, with `_store_tables`). All methods block; the
node calls them from worker threads.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal, Self

import attrs

from voeflow._store_format import (
    check,
    connect_to_read,
    connect_to_write,
    create_file,
    explained,
    migrate,
    roll_back,
    store_error,
    transaction,
)
from voeflow._store_lock import acquire, release
from voeflow._store_marks import mark
from voeflow._store_places import add_place
from voeflow._store_prune import look_up, release_pages, remove
from voeflow._store_reader import StoreReader
from voeflow._store_records import (
    NewEvent,
    Place,
    Progress,
    Refusal,
    SinkState,
    StoredEvent,
    StoredVerdict,
    Waiting,
)
from voeflow._store_sinks import forget_sinks, open_sinks
from voeflow._store_write import End, add_events, add_refusals, end_of_log, write_progress

__all__ = [
    "NewEvent",
    "Place",
    "Progress",
    "Refusal",
    "SinkState",
    "Store",
    "StoreReader",
    "StoredEvent",
    "StoredVerdict",
    "Waiting",
]


@attrs.define(eq=False, repr=False)
class Store(StoreReader):
    """An event store that is open for writing, by one node at a time.

    Every method may be called from any thread; writers take turns, and readers do not wait for them.
    """

    _writer: sqlite3.Connection
    _lock: int
    _writing: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _synchronous: str = attrs.field(default="", init=False)
    _end: End | None = attrs.field(default=None, init=False)  # None where it is to be looked up
    _sinks: dict[str, int] = attrs.field(factory=dict, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the store at `path`; make it where there is none, bring an older format up to date.

        Raises:
            StoreError: another node holds it, it cannot be made or written, or it is damaged, of a newer
                format, or no store at all.
        """
        path = path.resolve()  # so that one file has one lock, whatever links lead to it
        lock = acquire(path)
        connections: list[sqlite3.Connection] = []
        try:
            create_file(path)
            with explained(path, "open"):
                writer = connect_to_write(path)
                connections.append(writer)
                migrate(writer, path)
                check(writer, path)
                with transaction(writer):  # says now if the file cannot be written, not at the first event
                    pass
                reader = connect_to_read(path)
        except BaseException:
            for connection in connections:
                connection.close()
            release(lock)
            raise
        return cls(path=path, reader=reader, writer=writer, lock=lock)

    def close(self) -> None:
        """Close the store and let the next node have it."""
        with self._writing:
            if not self._closed:
                self._closed = True
                super().close()
                self._writer.close()
                release(self._lock)

    def append(
        self,
        events: Sequence[NewEvent],
        refusals: Sequence[Refusal] = (),
        progress: Sequence[Progress] = (),
        verdicts: Sequence[StoredVerdict] = (),
    ) -> list[Place]:
        """Store events and more, in one transaction and with one fsync; on return they are on disk.

        Args:
            events: new or already known, with what is to be kept beside them.
            refusals: packets to keep aside.
            progress: what sinks have done; see `save_progress`.
            verdicts: what filters have said; see `save_progress`.

        Returns:
            For each of `events` its place in the log; of a duplicate, that of the event in the store, or of
            the earlier one in `events`.

        Raises:
            StoreError: nothing at all was stored. It may be tried again.
        """
        with self._transaction("FULL") as writer:
            if self._end is None:
                self._end = end_of_log(writer)
            places = add_events(writer, self._end, events)
            if refusals:
                add_refusals(writer, refusals)
            if progress or verdicts:
                write_progress(writer, self.path, self._sinks, progress, verdicts)
            return places

    def save_progress(self, progress: Sequence[Progress], verdicts: Sequence[StoredVerdict] = ()) -> None:
        """Store what sinks have done, without an fsync.

        It survives the death of the process. What a power cut takes is delivered again: never lost. (In WAL
        mode `synchronous = NORMAL` writes a commit to the log and leaves the fsync to the next full commit or
        checkpoint; the order of commits is kept.)

        Args:
            progress: of sinks that `open_sinks` was given. A row for an event no longer kept is dropped.
            verdicts: what filters have said about events, replacing what they said before.

        Raises:
            StoreError: nothing of it was stored. It may be tried again.
        """
        with self._transaction("NORMAL") as writer:
            write_progress(writer, self.path, self._sinks, progress, verdicts)

    def save_bookmarks(self, bookmarks: Sequence[tuple[str, str, str]]) -> None:
        """Store what sources have noted, as source, name and value, without an fsync; see `save_progress`.

        Raises:
            StoreError: nothing of it was stored. It may be tried again.
        """
        with self._transaction("NORMAL") as writer:
            writer.executemany("INSERT OR REPLACE INTO bookmarks VALUES (?, ?, ?)", bookmarks)

    def take_place(self, filter_: str, key: bytes, event: bytes, limit: int) -> int | None:
        """Give an event a place under a key of a filter, if one is left; on return it is on disk.

        Args:
            filter_: the name of its table.
            key: 32 bytes that stand for the key.
            event: the event's digest.
            limit: how many places there are.

        Returns:
            The event's place, from 1; None where others have them all.

        Raises:
            StoreError: the store cannot be read or written; no place was given.
        """
        known = self.known_place(filter_, key, event)
        if known.own is not None or known.taken >= limit:  # most events: nothing is to be written
            return known.own
        with self._transaction("FULL") as writer:
            return add_place(writer, filter_, key, event, limit, time.time())

    def open_sinks(self, names: Sequence[str]) -> dict[str, SinkState]:
        """Say which sinks there are, and get what each has still to do.

        A new name begins at the present end of the log: it is given no history. A sink that is not named is
        retired: it holds nothing back from pruning. One that comes back goes on where it was, or from the
        oldest event that is still kept.

        Args:
            names: of all sinks.

        Returns:
            The state of each of `names`.

        Raises:
            StoreError: the store cannot be written.
        """
        # Without an fsync: the order of commits is kept, so no event is on disk before its sinks are.
        with self._transaction("NORMAL") as writer:
            rows, states = open_sinks(writer, names)
        self._sinks = rows
        return states

    def forget_sinks(self, names: Iterable[str]) -> None:
        """Forget sinks that are not open, as if they had never been.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._transaction("NORMAL") as writer:
            forget_sinks(writer, names)

    def prune(self, received_before: float, limit: int) -> int:
        """Remove the oldest events that nobody needs any more, with all that belongs to them.

        An event stays while a sink that is in use has still to take it or to try it again. Dead letters go
        with their event. Old refusals go too, and the oldest of what is more than 64 MiB of them.

        Args:
            received_before: remove what came in before this, in seconds since 1970, UTC.
            limit: how many events, and how many refusals, to remove at most. Intake waits meanwhile: a few
                hundred take some milliseconds.

        Returns:
            How many events and refusals were removed; call again until this is 0.

        Raises:
            StoreError: the store cannot be written; nothing was removed.
        """
        with self._transaction("NORMAL") as writer:
            mark(writer)
        with explained(self.path, "read"), closing(self.connect()) as reader:
            prunable = look_up(reader, received_before, limit)
        with self._transaction("NORMAL") as writer:
            removed = remove(writer, prunable)
        with self._writing, explained(self.path, "write to"):
            release_pages(self._writer)
        return removed

    @contextmanager
    def _transaction(self, synchronous: Literal["FULL", "NORMAL"]) -> Iterator[sqlite3.Connection]:
        """Write in one transaction of the one that writes.

        Each event may have one of its own, so it is `transaction` within `explained` without their price.
        """
        writer = self._writer
        with self._writing:
            try:
                if self._synchronous != synchronous:
                    # Not through `execute`: SQLite obeys this pragma when it is compiled, and `execute` may
                    # hand back what it compiled before.
                    writer.executescript(f"PRAGMA synchronous = {synchronous}")
                    self._synchronous = synchronous
                writer.execute("BEGIN IMMEDIATE")
                try:
                    yield writer
                    writer.execute("COMMIT")
                except BaseException:
                    self._end = None  # of what was not written
                    roll_back(writer)
                    raise
            except (sqlite3.Error, UnicodeError) as error:
                raise store_error(self.path, "write to", error) from error
