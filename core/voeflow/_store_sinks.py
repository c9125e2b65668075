"""The sinks that the event store knows: where each stands when it is opened, and how one is forgotten.

Everything here runs within a transaction of the caller's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from voeflow._store_reader import last_seq
from voeflow._store_records import SinkState, Waiting


def open_sinks(
    writer: sqlite3.Connection, names: Sequence[str]
) -> tuple[dict[str, int], dict[str, SinkState]]:
    """Retire every sink that is not named, and take on those that are.

    Returns:
        By name, the rows of the sinks, and what each has still to do.
    """
    last = last_seq(writer)
    oldest = writer.execute("SELECT min(seq) FROM events").fetchone()[0]
    known = {name for (name,) in writer.execute("SELECT name FROM sinks")}
    writer.execute("UPDATE sinks SET active = 0 WHERE active")
    writer.executemany(
        """INSERT INTO sinks(name, first, cursor, active) VALUES (?, ?, ?, 1)
        ON CONFLICT(name) DO UPDATE SET active = 1, cursor = max(cursor, ?)""",
        [(name, last + 1, last, last if oldest is None else oldest - 1) for name in names],
    )
    rows = writer.execute("SELECT name, id, cursor FROM sinks WHERE active").fetchall()
    states = {
        name: SinkState(cursor, _waiting(writer, sink), _passed(writer, sink, cursor), new=name not in known)
        for name, sink, cursor in rows
    }
    return {name: sink for name, sink, _ in rows}, states


def _waiting(writer: sqlite3.Connection, sink: int) -> list[Waiting]:
    rows = writer.execute(
        """SELECT seq, attempts, due, reason, dead, since, replayed FROM deliveries
        WHERE sink = ? AND NOT dead ORDER BY seq""",
        (sink,),
    )
    return [Waiting(*row) for row in rows]


def _passed(writer: sqlite3.Connection, sink: int, cursor: int) -> tuple[int, ...]:
    rows = writer.execute(
        """SELECT seq FROM delivered WHERE sink = ?1 AND seq > ?2
        UNION SELECT seq FROM deliveries WHERE sink = ?1 AND seq > ?2 AND dead ORDER BY seq""",
        (sink, cursor),
    )
    return tuple(seq for (seq,) in rows)


def forget_sinks(writer: sqlite3.Connection, names: Iterable[str]) -> None:
    """Take out sinks that are retired, with all that is known of them."""
    for name in names:
        row = writer.execute("SELECT id FROM sinks WHERE name = ? AND NOT active", (name,)).fetchone()
        if row is not None:  # its number may be given to another
            writer.execute("DELETE FROM deliveries WHERE sink = ?", row)
            writer.execute("DELETE FROM delivered WHERE sink = ?", row)
            writer.execute("DELETE FROM asked WHERE sink = ?", row)
            writer.execute("DELETE FROM sinks WHERE id = ?", row)
