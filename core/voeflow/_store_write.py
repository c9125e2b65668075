"""The rows that the event store writes: events with what is kept beside them, refusals, and progress.

Everything here runs within a transaction of the caller's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from voeflow._errors import StoreError
from voeflow._store_reader import last_seq
from voeflow._store_records import NewEvent, Place, Progress, Refusal, StoredVerdict


def add_events(writer: sqlite3.Connection, events: Sequence[NewEvent]) -> list[Place]:
    """Add what is new of some events at the end of the log.

    Returns:
        The place of each of `events`.
    """
    places: list[Place] = []
    new: dict[bytes, tuple[int, NewEvent]] = {}
    last = last_seq(writer)
    for event in events:
        if event.digest in new:
            places.append(Place(new[event.digest][0], new=False))
        elif (known := _find(writer, event.digest)) is not None:
            places.append(Place(known, new=False))
        else:
            last += 1
            new[event.digest] = last, event
            places.append(Place(last, new=True))
    writer.executemany(
        "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                seq,
                e.digest,
                e.ivorn,
                e.role,
                e.version,
                e.author,
                e.date,
                e.received,
                e.source,
                e.valid,
                sum(len(each.content) for each in e.attachments) if e.attachments else 0,
            )
            for seq, e in new.values()
        ],
    )
    writer.executemany("INSERT INTO packets VALUES (?, ?)", [(seq, event.raw) for seq, event in new.values()])
    for place, event in zip(places, events, strict=True):
        if event.attachments and place.new:
            writer.executemany(
                "INSERT INTO attachments VALUES (?, ?, ?, ?, ?)",
                [
                    (place.seq, number, each.name, each.media_type, each.content)
                    for number, each in enumerate(event.attachments)
                ],
            )
        if event.notice is not None:  # two notices may make one event: the second is known from now on, too
            writer.execute("INSERT OR IGNORE INTO notices VALUES (?, ?)", (event.notice, place.seq))
    return places


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
            "DELETE FROM asked WHERE sink = ? AND seq = ?", [(sink, seq) for seq in each.taken_up]
        )
    writer.executemany(
        """INSERT OR REPLACE INTO verdicts SELECT ?, ?, ?, ?
        WHERE EXISTS (SELECT 1 FROM events WHERE seq = ?)""",
        [(v.seq, v.filter, v.holds, v.reason, v.seq) for v in verdicts],
    )


def _find(connection: sqlite3.Connection, digest: bytes) -> int | None:
    row = connection.execute("SELECT seq FROM events WHERE digest = ?", (digest,)).fetchone()
    return row[0] if row is not None else None
