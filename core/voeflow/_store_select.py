"""Looking into the event store: events by their facts, dead letters, refusals.

A look may last long and its reader may dawdle, so it goes a page at a time over a connection of its own: it
holds a few packets in memory, and neither keeps the node waiting nor its write-ahead log from being emptied.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import attrs

from voeflow._store_format import explained
from voeflow._store_marks import UNMARKED
from voeflow._store_reader import COLUMNS, StoreReader, stored_event
from voeflow._store_records import Refusal, StoredEvent

#: How much one page holds: it ends with the row that reaches either.
_PAGE_ROWS, _PAGE_BYTES = 256, 2**20

_REFUSAL_COLUMNS = "raw, reason, source, peer, received, ivorn, place"


@attrs.frozen
class Selection:
    """Which events to look at; what is None does not matter.

    Attributes:
        role: the role, exactly.
        author: the AuthorIVORN, where `*` stands for any number of any characters.
        ivorn: the IVORN, where `*` stands for any number of any characters. Nothing else is special: `?`,
            `#` and `[` are what an IVORN itself may contain.
        since: received at or after this, in seconds since 1970, UTC.
        until: received before this, in seconds since 1970, UTC.
        sink: of dead letters, those of this sink.
        limit: how many to give at most.
    """

    role: str | None = None
    author: str | None = None
    ivorn: str | None = None
    since: float | None = None
    until: float | None = None
    sink: str | None = None
    limit: int | None = None


@attrs.frozen
class DeadLetter:
    """An event that could not be delivered to a sink, which has given it up.

    Attributes:
        event: the event.
        sink: the sink's name.
        attempts: how many failed.
        given_up: when, in seconds since 1970, UTC.
        reason: why the last attempt failed.
    """

    event: StoredEvent
    sink: str
    attempts: int
    given_up: float
    reason: str


def select(store: StoreReader, selection: Selection) -> Iterator[StoredEvent]:
    """Give the selected events, newest first, without what is kept beside them (`StoreReader.complete`).

    Raises:
        StoreError: on iteration: the store cannot be read.
    """
    condition, values = _facts(selection, "events")
    statement = f"""SELECT {COLUMNS} FROM events JOIN packets USING (seq)
        WHERE seq < ? AND {condition} ORDER BY seq DESC LIMIT {_PAGE_ROWS}"""  # noqa: S608 - our own words
    for row in _pages(store, statement, values, key=(10,), limit=selection.limit):
        yield stored_event(row)


def select_seqs(store: StoreReader, selection: Selection) -> Iterator[int]:
    """Give the positions in the log of the selected events, newest first, without reading their packets.

    Raises:
        StoreError: on iteration: the store cannot be read.
    """
    condition, values = _facts(selection, "events")
    statement = f"""SELECT seq FROM events
        WHERE seq < ? AND {condition} ORDER BY seq DESC LIMIT {_PAGE_ROWS}"""  # noqa: S608 - our own words
    for row in _pages(store, statement, values, key=(0,), limit=selection.limit):
        yield row[0]


def select_dead(store: StoreReader, selection: Selection) -> Iterator[DeadLetter]:
    """Give the dead letters of the selected events, newest event first.

    One that somebody has asked to be handed over again is none any more.

    Raises:
        StoreError: on iteration: the store cannot be read.
    """
    condition, values = _facts(selection, "events")
    if selection.sink is not None:
        condition += " AND name = ?"
        values.append(selection.sink)
    statement = f"""SELECT {COLUMNS}, sink, name, attempts, due, reason
        FROM deliveries JOIN events USING (seq) JOIN packets USING (seq) JOIN sinks ON sinks.id = sink
        WHERE dead AND (deliveries.seq, sink) < (?, ?) AND {condition} AND NOT EXISTS (
            SELECT 1 FROM asked WHERE asked.sink = deliveries.sink AND asked.seq = deliveries.seq)
        ORDER BY deliveries.seq DESC, sink DESC LIMIT {_PAGE_ROWS}"""  # noqa: S608 - our own words
    for row in _pages(store, statement, values, key=(10, 12), limit=selection.limit):
        yield DeadLetter(stored_event(row[:12]), *row[13:])


def select_refused(store: StoreReader, selection: Selection) -> Iterator[Refusal]:
    """Give the packets and notices refused, newest first.

    A refusal has a time and perhaps an IVORN; who asks for a role or an author finds none.

    Raises:
        StoreError: on iteration: the store cannot be read.
    """
    terms, values = _common(selection, "refusals")
    if selection.role is not None or selection.author is not None:
        terms.append("false")
    statement = f"""SELECT {_REFUSAL_COLUMNS}, id FROM refusals
        WHERE id < ? AND {" AND ".join(terms)} ORDER BY id DESC LIMIT {_PAGE_ROWS}"""  # noqa: S608 - our own words
    for row in _pages(store, statement, values, key=(7,), limit=selection.limit):
        yield Refusal(*row[:7], number=row[7])


def find_refused(store: StoreReader, number: int) -> Refusal | None:
    """Give what was refused under a number, as `select_refused` gives them, or None.

    Raises:
        StoreError: the store cannot be read.
    """
    with explained(store.path, "read"), closing(store.connect()) as connection:
        row = connection.execute(
            f"SELECT {_REFUSAL_COLUMNS} FROM refusals WHERE id = ?",  # noqa: S608 - our own words
            (number,),
        ).fetchone()
    return Refusal(*row, number=number) if row is not None else None


def find(store: StoreReader, ivorn: str, limit: int = 100) -> list[StoredEvent]:
    """Give the events of one IVORN, newest first: it may come in several forms, as 1.1 and 2.0.

    What is kept beside them is left out (`StoreReader.complete`).

    Args:
        store: where to look.
        ivorn: exactly; `*` is not special here.
        limit: how many to give at most.

    Raises:
        StoreError: the store cannot be read.
    """
    statement = f"""SELECT {COLUMNS} FROM events JOIN packets USING (seq)
        WHERE seq < ?1 AND seq IN (
            SELECT seq FROM marks WHERE ivorn = ?2
            UNION ALL SELECT seq FROM events WHERE {UNMARKED} AND ivorn = ?2
        ) ORDER BY seq DESC LIMIT {_PAGE_ROWS}"""  # noqa: S608 - our own words
    return [stored_event(row) for row in _pages(store, statement, [ivorn], key=(10,), limit=limit)]


def _facts(selection: Selection, table: str) -> tuple[str, list[Any]]:
    """Give the condition, in SQL, that the facts of an event in `table` meet, and its values."""
    terms, values = _common(selection, table)
    if selection.role is not None:
        terms.append("role = ?")
        values.append(selection.role)
    if selection.author is not None:
        terms.append("author GLOB ?")
        values.append(_glob(selection.author))
    return " AND ".join(terms), values


def _common(selection: Selection, table: str) -> tuple[list[str], list[Any]]:
    # Not through the marks: all that is found there would have to be sorted, for every page again, where
    # walking back through the log stops when the page is full.
    terms: list[str] = ["true"]
    values: list[Any] = []
    if selection.since is not None:
        terms.append(f"{table}.received >= ?")
        values.append(selection.since)
    if selection.until is not None:
        terms.append(f"{table}.received < ?")
        values.append(selection.until)
    if selection.ivorn is not None:
        terms.append(f"{table}.ivorn GLOB ?")
        values.append(_glob(selection.ivorn))
    return terms, values


def _glob(pattern: str) -> str:
    """Give a pattern in which `*` alone is special as a GLOB pattern of SQLite."""
    return pattern.replace("[", "[[]").replace("?", "[?]")


def _pages(
    store: StoreReader, statement: str, values: list[Any], *, key: tuple[int, ...], limit: int | None
) -> Iterator[sqlite3.Row | tuple[Any, ...]]:
    """Give the rows of `statement`, whose first parameters are the key to go on from, downwards.

    Args:
        store: where to look.
        statement: one page; its rows are ordered by the key, falling.
        values: its other parameters.
        key: which columns of a row make the key.
        limit: how many rows to give at most, or None.
    """
    after: tuple[int, ...] = (2**63 - 1,) * len(key)
    given = 0
    with closing(store.connect()) as connection:
        while True:
            with explained(store.path, "read"):
                page, ended = _page(connection, statement, (*after, *values))
            for row in page:
                if given == limit:
                    return
                yield row
                given += 1
            if ended:
                return
            after = tuple(page[-1][column] for column in key)


def _page(
    connection: sqlite3.Connection, statement: str, values: tuple[Any, ...]
) -> tuple[list[tuple[Any, ...]], bool]:
    """Give one page and whether it is the last."""
    page: list[tuple[Any, ...]] = []
    size = 0
    rows = connection.execute(statement, values)
    for row in rows:
        page.append(row)
        size += sum(len(value) for value in row if isinstance(value, bytes))
        if size >= _PAGE_BYTES:
            break
    rows.close()
    return page, size < _PAGE_BYTES and len(page) < _PAGE_ROWS
