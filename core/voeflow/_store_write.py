"""The rows that the event store writes: events with what is kept beside them, refusals, and progress.

Everything here runs within a transaction of the caller's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from voeflow._errors import StoreError
from voeflow._notice import Attachment
from voeflow._store_marks import MARKED_AT_ONCE, mark
from voeflow._store_reader import last_seq
from voeflow._store_records import NewEvent, Place, Progress, Refusal, StoredVerdict


@attrs.define
class End:
    """Where the log ends, as the one that writes remembers it.

    Attributes:
        last: the position that was given last.
        marked: the newest of an event with a mark.
    """

    last: int
    marked: int


def end_of_log(writer: sqlite3.Connection) -> End:
    """Look up where the log ends."""
    marked: int = writer.execute("SELECT coalesce(max(seq), 0) FROM marks").fetchone()[0]
    return End(last_seq(writer), marked)


def add_events(writer: sqlite3.Connection, end: End, events: Sequence[NewEvent]) -> list[Place]:
    """Add what is new of some events at the end of the log, and mark those there once they are many.

    Args:
        writer: the connection.
        end: where the log ends; it is moved on.
        events: new or already known.

    Returns:
        The place of each of `events`.
    """
    cursor = writer.cursor()
    last = end.last
    places: list[Place] = []
    packets: list[tuple[int, bytes]] = []
    for event in events:
        # The index of digests is gone through once: it says whether the event is known, and takes it if not.
        cursor.execute(
            """INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT(digest) DO NOTHING""",
            (
                last + 1,
                event.digest,
                event.ivorn,
                event.role,
                event.version,
                event.author,
                event.date,
                event.received,
                event.source,
                event.valid,
                sum(len(each.content) for each in event.attachments) if event.attachments else 0,
            ),
        )
        if cursor.rowcount:
            last += 1
            place = Place(last, new=True)
            packets.append((last, event.raw))
            if event.attachments:
                _attach(cursor, last, event.attachments)
        else:
            known = cursor.execute("SELECT seq FROM events WHERE digest = ?", (event.digest,)).fetchone()
            place = Place(known[0], new=False)
        places.append(place)
        if event.notice is not None:  # two notices may make one event: the second is known from now on, too
            cursor.execute("INSERT OR IGNORE INTO notices VALUES (?, ?)", (event.notice, place.seq))
    cursor.executemany("INSERT INTO packets VALUES (?, ?)", packets)
    end.last = last
    if last - end.marked >= MARKED_AT_ONCE:
        mark(writer)
        end.marked = last
    return places


def _attach(cursor: sqlite3.Cursor, seq: int, attachments: Sequence[Attachment]) -> None:
    cursor.executemany(
        "INSERT INTO attachments VALUES (?, ?, ?, ?, ?)",
        [(seq, number, each.name, each.media_type, each.content) for number, each in enumerate(attachments)],
    )


def add_refusals(writer: sqlite3.Connection, refusals: Sequence[Refusal]) -> None:
    """Add what was refused."""
    writer.executemany(
        """INSERT INTO refusals(raw, reason, source, peer, received, ivorn, place)
        VALUES (?, ?, ?, ?, ?, ?, ?)""",
        [(r.raw, r.reason, r.source, r.peer, r.received, r.ivorn, r.where) for r in refusals],
    )


def write_progress(
    writer: sqlite3.Connection,
    path: Path,
    sinks: Mapping[str, int],
    progress: Sequence[Progress],
    verdicts: Sequence[StoredVerdict],
) -> None:
    """Write what sinks have done and filters have said.

    Args:
        writer: the connection.
        path: the store, for messages.
        sinks: the row of each sink that is open, by its name.
        progress: of some of them.
        verdicts: of filters.

    Raises:
        StoreError: a sink is not open.
    """
    for each in progress:
        sink = sinks.get(each.sink)
        if sink is None:
            raise StoreError(f"store {path} knows no sink {each.sink!r}: it was not opened")
        writer.execute(
            "UPDATE sinks SET cursor = ? WHERE id = ? AND cursor < ?", (each.cursor, sink, each.cursor)
        )
        writer.executemany(
            """INSERT OR REPLACE INTO deliveries SELECT ?, ?, ?, ?, ?, ?, ?, ?
            WHERE EXISTS (SELECT 1 FROM events WHERE seq = ?)""",
            [
                (sink, w.seq, w.attempts, w.due, w.reason, w.dead, w.since, w.replayed, w.seq)
                for w in each.waiting
            ],
        )
        writer.executemany(
            "DELETE FROM deliveries WHERE sink = ? AND seq = ?", [(sink, seq) for seq in each.settled]
        )
        writer.executemany(
            """INSERT OR REPLACE INTO delivered SELECT ?, ?, ?, ?
            WHERE EXISTS (SELECT 1 FROM events WHERE seq = ?)""",
            [(d.seq, sink, d.at, d.attempts, d.seq) for d in each.delivered],
        )
        writer.executemany(
            "DELETE FROM asked WHERE sink = ? AND seq = ?", [(sink, seq) for seq in each.taken_up]
        )
    writer.executemany(
        """INSERT OR REPLACE INTO verdicts SELECT ?, ?, ?, ?
        WHERE EXISTS (SELECT 1 FROM events WHERE seq = ?)""",
        [(v.seq, v.filter, v.holds, v.reason, v.seq) for v in verdicts],
    )
