"""Reading the event store; many may, beside the one node that writes."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import attrs

from voeflow._errors import StoreError
from voeflow._store_asked import anything_asked, asked_for
from voeflow._store_format import STEPS, connect_to_read, explained, format_of
from voeflow._store_records import StoredEvent, Waiting

#: The columns of a `StoredEvent`, in the order of its fields.
COLUMNS = "digest, raw, ivorn, role, version, author, date, received, source, valid, seq"
_LOG = f"SELECT {COLUMNS} FROM events JOIN packets USING (seq)"  # noqa: S608 - our own words


def stored_event(row: Sequence[Any]) -> StoredEvent:
    """Make an event of a row of `COLUMNS`."""
    return StoredEvent(*row)


@attrs.define(eq=False)
class StoreReader:
    """An event store that is open for reading; also the reading half of a `Store`.

    Methods may be called from any thread; they take turns.

    Attributes:
        path: the store's file.
    """

    path: Path
    _reader: sqlite3.Connection = attrs.field(repr=False)
    _reading: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the store at `path` for reading, which a running node does not notice.

        Raises:
            StoreError: there is none, it cannot be read, or is no store that this version knows.
        """
        path = path.resolve()
        if not path.is_file():
            raise StoreError(f"there is no store {path}: has a node been run with this pipeline?")
        with explained(path, "read"):
            reader = connect_to_read(path)
            try:
                found = format_of(reader, path, len(STEPS))
            except BaseException:
                reader.close()
                raise
        if found < len(STEPS):
            reader.close()
            raise StoreError(
                f"store {path} has the older format {found}: run the node once to bring it up to date"
            )
        return cls(path, reader)

    def close(self) -> None:
        """Close the store; it is not used again."""
        with self._reading:
            self._reader.close()

    def connect(self) -> sqlite3.Connection:
        """Open another connection for a long look, which the caller closes."""
        return connect_to_read(self.path)

    def last_seq(self) -> int:
        """Give the position that was given last; 0 when none ever was."""
        with self._reading, explained(self.path, "read"):
            return last_seq(self._reader)

    def read(self, after: int, limit: int, max_bytes: int) -> list[StoredEvent]:
        """Read on in the log.

        Args:
            after: the position after which to begin.
            limit: how many events to read at most, above zero.
            max_bytes: how many bytes of packets to read at most; one event is read even when it is larger.

        Returns:
            The next events in the order of the log; none when there are no more.

        Raises:
            StoreError: the store cannot be read.
        """
        with self._reading, explained(self.path, "read"):
            rows = self._reader.execute(f"{_LOG} WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
            events: list[StoredEvent] = []
            size = 0
            for row in rows:
                event = stored_event(row)
                size += len(event.raw)
                if events and size > max_bytes:
                    break
                events.append(event)
            rows.close()  # ends the read transaction, which would keep the log from being emptied
            return events

    def get(self, seqs: Iterable[int]) -> list[StoredEvent]:
        """Give the events at some positions, in the order asked for; those no longer kept are left out."""
        with self._reading, explained(self.path, "read"):
            rows = (self._reader.execute(f"{_LOG} WHERE seq = ?", (seq,)).fetchone() for seq in seqs)
            return [stored_event(row) for row in rows if row is not None]

    def find(self, digest: bytes) -> int | None:
        """Give the position of the event with this digest, or None."""
        with self._reading, explained(self.path, "read"):
            row = self._reader.execute("SELECT seq FROM events WHERE digest = ?", (digest,)).fetchone()
            return row[0] if row is not None else None

    def position_at(self, moment: float) -> int:
        """Give the position of the last event received before a moment, in seconds since 1970, UTC.

        Where the clock was put back meanwhile, it is before one of the moments that this could mean.
        """
        with self._reading, explained(self.path, "read"):
            row = self._reader.execute(
                "SELECT seq FROM events WHERE received >= ? ORDER BY received LIMIT 1", (moment,)
            ).fetchone()
            return row[0] - 1 if row is not None else last_seq(self._reader)

    def bookmarks(self, source: str) -> dict[str, str]:
        """Give what a source has noted, by the names it gave."""
        with self._reading, explained(self.path, "read"):
            return dict(self._reader.execute("SELECT name, value FROM bookmarks WHERE source = ?", (source,)))

    def anything_asked(self) -> bool:
        """Whether anything waits to be handed over again, to whatever sink.

        Raises:
            StoreError: the store cannot be read.
        """
        with self._reading, explained(self.path, "read"):
            return anything_asked(self._reader)

    def asked(self, sink: str, up_to: int, limit: int) -> list[Waiting]:
        """Give what somebody asked to be handed to a sink again, oldest first.

        Args:
            sink: its name.
            up_to: leave out what is beyond this position in the log.
            limit: how many to give at most.

        Returns:
            The rows that are to wait; they stay asked for until progress says that they are `taken_up`.

        Raises:
            StoreError: the store cannot be read.
        """
        with self._reading, explained(self.path, "read"):
            return asked_for(self._reader, sink, up_to, limit)


def last_seq(connection: sqlite3.Connection) -> int:
    """Give the position that was given last; 0 when none ever was."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return row[0] if row is not None else 0
