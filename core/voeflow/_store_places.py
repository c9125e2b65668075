"""The places that filters have given to events, as rows of the event store."""

from __future__ import annotations

import sqlite3

import attrs


@attrs.frozen(eq=False, repr=False)
class Known:
    """What the store has under one key of a filter.

    Attributes:
        own: the place of the event that was asked about, or None.
        taken: how many places are taken.
    """

    own: int | None
    taken: int


def find_place(connection: sqlite3.Connection, filter_: str, key: bytes, event: bytes) -> Known:
    """Look up a key of a filter."""
    own = connection.execute(
        "SELECT place FROM places WHERE filter = ? AND key = ? AND event = ?", (filter_, key, event)
    ).fetchone()
    taken = connection.execute(
        "SELECT max(place) FROM places WHERE filter = ? AND key = ?", (filter_, key)
    ).fetchone()[0]
    return Known(own[0] if own is not None else None, taken or 0)


def add_place(
    writer: sqlite3.Connection, filter_: str, key: bytes, event: bytes, limit: int, now: float
) -> int | None:
    """Give an event the next place, within a transaction of the caller's.

    Returns:
        The event's place, from 1; None where others have them all.
    """
    known = find_place(writer, filter_, key, event)  # another thread may have been quicker
    if known.own is not None or known.taken >= limit:
        return known.own
    place = known.taken + 1
    writer.execute("INSERT INTO places VALUES (?, ?, ?, ?, ?)", (filter_, key, place, event, now))
    return place
