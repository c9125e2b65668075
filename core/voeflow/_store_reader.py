"""Reading the event store; many may, beside the one node that writes."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

import attrs

from voeflow._errors import StoreError
from voeflow._notice import Attachment
from voeflow._store_asked import anything_asked, asked_for
from voeflow._store_format import connect_to_read, explained, format_of, roll_back
from voeflow._store_marks import UNMARKED, Times
from voeflow._store_places import Known, find_place
from voeflow._store_records import StoredEvent, Waiting
from voeflow._store_tables import STEPS

#: The columns of a `StoredEvent`, in the order of its fields.
COLUMNS = "digest, raw, ivorn, role, version, author, date, received, source, valid, seq, attached"

#: How many IVORNs a mapping is given at once; a superevent has about ten notices.
MAX_EARLIER = 1000

_LOG = f"SELECT {COLUMNS} FROM events JOIN packets USING (seq)"  # noqa: S608 - our own words


def stored_event(row: Sequence[Any]) -> StoredEvent:
    """Make an event of a row of `COLUMNS`."""
    return StoredEvent(*row)


@attrs.define(eq=False, repr=False)
class StoreReader:
    """An event store that is open for reading; also the reading half of a `Store`.

    Methods may be called from any thread; they take turns.

    Attributes:
        path: the store's file.
    """

    path: Path
    _reader: sqlite3.Connection
    _reading: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _times: Times = attrs.field(factory=Times, init=False)
    _timing: threading.Lock = attrs.field(factory=threading.Lock, init=False)

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

    def known_place(self, filter_: str, key: bytes, event: bytes) -> Known:
        """Look up what the node has under a key of a filter.

        Args:
            filter_: the name of its table.
            key: 32 bytes that stand for the key.
            event: the event's digest.

        Raises:
            StoreError: the store cannot be read.
        """
        with self._reading, explained(self.path, "read"):
            return find_place(self._reader, filter_, key, event)

    def take_place(self, filter_: str, key: bytes, event: bytes, limit: int) -> int | None:
        """Say which place of `known_place` an event has, or would be given now; nothing is written.

        Raises:
            StoreError: the store cannot be read.
        """
        known = self.known_place(filter_, key, event)
        if known.own is not None or known.taken >= limit:
            return known.own
        return known.taken + 1

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
        with self._one_look() as reader:
            rows = reader.execute(f"{_LOG} WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
            events: list[StoredEvent] = []
            size = 0
            for row in rows:
                event = stored_event(row)
                size += len(event.raw) + event.attached
                if events and size > max_bytes:
                    break
                events.append(event)
            rows.close()  # else the transaction could not end, which would keep the log from being emptied
            return [_complete(reader, event) for event in events]

    def get(self, seqs: Iterable[int]) -> list[StoredEvent]:
        """Give the events at some positions, in the order asked for; those no longer kept are left out."""
        with self._one_look() as reader:
            rows = [reader.execute(f"{_LOG} WHERE seq = ?", (seq,)).fetchone() for seq in seqs]
            return [_complete(reader, stored_event(row)) for row in rows if row is not None]

    def complete(self, event: StoredEvent) -> StoredEvent | None:
        """Give an event of which the packet alone was read with what is kept beside it.

        Returns:
            The event, or None if it has left the store in between.

        Raises:
            StoreError: the store cannot be read.
        """
        if not event.attached:
            return event
        with self._one_look() as reader:
            whole = _complete(reader, event)
        return whole if sum(len(each.content) for each in whole.attachments) == event.attached else None

    @contextmanager
    def _one_look(self) -> Iterator[sqlite3.Connection]:
        """Read all in one transaction: what is removed meanwhile is there to its end, or not at all."""
        reader = self._reader
        with self._reading, explained(self.path, "read"):
            reader.execute("BEGIN")
            try:
                yield reader
            finally:
                roll_back(reader)

    def find_notice(self, digest: bytes) -> StoredEvent | None:
        """Give the event that a notice with this digest has made, or None."""
        with self._one_look() as reader:
            found = reader.execute("SELECT seq FROM notices WHERE digest = ?", (digest,)).fetchone()
            if found is None:
                return None
            row = reader.execute(f"{_LOG} WHERE seq = ?", found).fetchone()
            return _complete(reader, stored_event(row)) if row is not None else None

    def earlier(self, prefix: str, limit: int = MAX_EARLIER) -> list[str]:
        """Give the IVORNs that begin with a prefix, the newest ones, in the order of the log, each once.

        Args:
            prefix: not empty; case matters. A look takes time for every IVORN that begins with it.
            limit: how many to give at most.
        """
        with self._reading, explained(self.path, "read"):
            rows = self._reader.execute(
                f"""SELECT ivorn FROM (
                    SELECT ivorn, seq FROM marks INDEXED BY marks_by_ivorn WHERE ivorn >= ?1 AND ivorn < ?2
                    UNION ALL
                    SELECT ivorn, seq FROM events WHERE {UNMARKED} AND ivorn >= ?1 AND ivorn < ?2
                ) GROUP BY ivorn ORDER BY min(seq) DESC LIMIT ?3""",  # noqa: S608 - our own words
                (prefix, _after_all_with(prefix), limit),
            ).fetchall()
            return [ivorn for (ivorn,) in reversed(rows)]

    def find(self, digest: bytes) -> int | None:
        """Give the position of the event with this digest, or None."""
        with self._reading, explained(self.path, "read"):
            row = self._reader.execute("SELECT seq FROM events WHERE digest = ?", (digest,)).fetchone()
            return row[0] if row is not None else None

    def position_at(self, moment: float) -> int:
        """Give the position after which all lies that was received since a moment.

        Where the clock was put back meanwhile, some that was received before the moment may lie there, too.

        The first look goes through all marks. Whoever reads on meanwhile does not wait for it.

        Args:
            moment: in seconds since 1970, UTC.
        """
        with self._timing, explained(self.path, "read"), closing(self.connect()) as connection:
            first = self._times.first_since(connection, moment)
            return first - 1 if first is not None else last_seq(connection)

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


def _complete(reader: sqlite3.Connection, event: StoredEvent) -> StoredEvent:
    """Give an event with what is kept beside it."""
    if not event.attached:
        return event
    rows = reader.execute(
        "SELECT name, media_type, content FROM attachments WHERE seq = ? ORDER BY number", (event.seq,)
    ).fetchall()
    return attrs.evolve(event, attachments=tuple(Attachment(*row) for row in rows))


def _after_all_with(prefix: str) -> str | bytes:
    """Give what sorts after all text that begins with `prefix`, and before all other that sorts after it.

    SQLite compares text by the bytes of its UTF-8, which sorts it by its characters' numbers.
    """
    for end in range(len(prefix) - 1, -1, -1):
        next_one = ord(prefix[end]) + 1
        if 0xD800 <= next_one <= 0xDFFF:  # halves of characters are none
            next_one = 0xE000
        if next_one <= sys.maxunicode:
            return prefix[:end] + chr(next_one)
    return b""  # any blob sorts after all text


def last_seq(connection: sqlite3.Connection) -> int:
    """Give the position that was given last; 0 when none ever was."""
    newest: int = connection.execute(
        "SELECT max(seq, coalesce((SELECT max(seq) FROM events), 0)) FROM pruned"
    ).fetchone()[0]
    return newest
