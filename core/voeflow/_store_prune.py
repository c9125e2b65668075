"""Pruning the event store: what may go is looked up beside the writer, then removed in one short step."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import attrs

from voeflow._store_reader import last_seq

#: How many bytes of refused packets are kept; a peer that sends rubbish for a month must not fill the disk.
#: Each counts `_REFUSAL_OVERHEAD` bytes more than its packet, so that this bounds their number too.
REFUSALS_KEPT = 64 * 2**20
_REFUSAL_OVERHEAD = 1024

#: How many pages one step gives back to the file system, once a quarter of the file is free. Below that, free
#: pages are kept for the events to come.
_PAGES_RELEASED = 1024


@attrs.frozen(eq=False, repr=False)
class Prunable:
    """What may be removed.

    Attributes:
        events: positions in the log.
        refusals: their row numbers.
        places: what filters remember, by filter, key and place.
    """

    events: Sequence[int]
    refusals: Sequence[int]
    places: Sequence[tuple[str, bytes, int]]


def look_up(connection: sqlite3.Connection, received_before: float, limit: int) -> Prunable:
    """Find the oldest events that nobody needs any more, refusals that are old or too many, and old places.

    Of events, those that are marked.

    Args:
        connection: one for reading; this may take a while where much is old and still owed to a sink.
        received_before: what came in before this is old, in seconds since 1970, UTC.
        limit: how many of each to give at most.
    """
    events = connection.execute(
        """SELECT seq FROM marks WHERE received < ? AND seq <= ?
        AND NOT EXISTS (SELECT 1 FROM owed WHERE owed.seq = marks.seq)
        ORDER BY received LIMIT ?""",
        (received_before, _taken(connection), limit),
    )
    beyond = connection.execute(
        """SELECT max(id) FROM (SELECT id, sum(length(raw) + ?) OVER (ORDER BY id DESC) AS held FROM refusals)
        WHERE held > ?""",
        (_REFUSAL_OVERHEAD, REFUSALS_KEPT),
    ).fetchone()[0]
    refusals = connection.execute(
        "SELECT id FROM refusals WHERE id <= ? OR received < ? ORDER BY id LIMIT ?",
        (beyond or 0, received_before, limit),
    )
    # Of an event that is still there, the answer is still wanted.
    places = connection.execute(
        """SELECT filter, key, place FROM places WHERE taken < ?
        AND NOT EXISTS (SELECT 1 FROM events WHERE events.digest = places.event) ORDER BY taken LIMIT ?""",
        (received_before, limit),
    )
    return Prunable([seq for (seq,) in events], [row for (row,) in refusals], places.fetchall())


def _taken(connection: sqlite3.Connection) -> int:
    """Give the position up to which every sink that is in use has taken the log."""
    cursor: int | None = connection.execute("SELECT min(cursor) FROM sinks WHERE active").fetchone()[0]
    return last_seq(connection) if cursor is None else cursor


def remove(connection: sqlite3.Connection, prunable: Prunable) -> int:
    """Remove what `look_up` found, within a transaction of the caller's.

    An event for which a delivery has begun to wait in between stays, and so does one that a sink has still to
    take that has come back into use.

    Returns:
        How many events, refusals and places were removed.
    """
    removed = 0
    taken = _taken(connection)
    events = [seq for seq in prunable.events if seq <= taken]
    if events:
        connection.execute("UPDATE pruned SET seq = max(seq, ?)", (max(events),))
    for seq in events:
        found = connection.execute(
            """DELETE FROM events WHERE seq = ?
            AND NOT EXISTS (SELECT 1 FROM owed WHERE owed.seq = events.seq)""",
            (seq,),
        )
        if found.rowcount:
            removed += 1
            connection.execute("DELETE FROM marks WHERE seq = ?", (seq,))
            connection.execute("DELETE FROM packets WHERE seq = ?", (seq,))
            connection.execute("DELETE FROM deliveries WHERE seq = ?", (seq,))
            connection.execute("DELETE FROM delivered WHERE seq = ?", (seq,))
            connection.execute("DELETE FROM asked WHERE seq = ?", (seq,))
            connection.execute("DELETE FROM verdicts WHERE seq = ?", (seq,))
            connection.execute("DELETE FROM attachments WHERE seq = ?", (seq,))
            connection.execute("DELETE FROM notices WHERE seq = ?", (seq,))
    connection.executemany("DELETE FROM refusals WHERE id = ?", [(row,) for row in prunable.refusals])
    connection.executemany("DELETE FROM places WHERE filter = ? AND key = ? AND place = ?", prunable.places)
    return removed + len(prunable.refusals) + len(prunable.places)


def release_pages(connection: sqlite3.Connection) -> None:
    """Give some of the file back to the file system, if much of it is free; outside any transaction."""
    free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    if free > max(_PAGES_RELEASED, pages // 4):
        # `execute` would stop this pragma after its first page.
        connection.executescript(f"PRAGMA incremental_vacuum({_PAGES_RELEASED})")
