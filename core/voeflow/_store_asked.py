"""What is to be handed over again: any process asks for it, and the node that runs, or the next one, does it.

Those who ask add rows to a table of the store, in short transactions beside the node's own. The node takes
them up a page at a time, in one transaction with what its sinks have done: a row is in that table, or among
the deliveries that wait, or has been delivered.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from itertools import islice
from pathlib import Path

from voeflow._errors import StoreError
from voeflow._store_format import connect_to_add, explained, format_of, transaction
from voeflow._store_records import Waiting
from voeflow._store_tables import STEPS

#: How many rows are added in one transaction, and the pause between two, in seconds, in which a node that
#: runs has the store to itself.
_PAGE, _PAUSE = 500, 0.01


def ask_again(
    path: Path, sink: str, seqs: Iterable[int], tell: Callable[[int], None] = lambda _: None
) -> int:
    """Ask for events to be handed to a sink again; on return that is on disk.

    Asking for what is asked for already changes nothing. Events that are no longer kept are left out.

    Args:
        path: the store, which a node may have open.
        sink: the sink's name.
        seqs: the events' positions in the log, in any order.
        tell: called now and then with how many of them have been seen to since.

    Returns:
        For how many events it was asked.

    Raises:
        StoreError: no node has run with this sink yet, or the store cannot be written; what was asked for
            before that stays so.
    """
    path, waiting, number = path.resolve(), iter(seqs), 0
    with explained(path, "write to"), closing(connect_to_add(path)) as connection:
        if format_of(connection, path, len(STEPS)) != len(STEPS):
            raise StoreError(f"store {path} has an older format: run the node once to bring it up to date")
        row = connection.execute("SELECT id FROM sinks WHERE name = ?", (sink,)).fetchone()
        if row is None:
            raise StoreError(f"store {path} knows no sink {sink!r} yet: run the node with it first")
        while page := list(islice(waiting, _PAGE)):
            if number:
                time.sleep(_PAUSE)
            with transaction(connection):
                number += sum(_ask(connection, row[0], seq) for seq in page)
            tell(len(page))
    return number


def _ask(connection: sqlite3.Connection, sink: int, seq: int) -> int:
    """Ask for one event; 0 if it is no longer kept."""
    kept = connection.execute("SELECT 1 FROM events WHERE seq = ?", (seq,)).fetchone()
    if kept is None:
        return 0
    connection.execute("INSERT OR IGNORE INTO asked VALUES (?, ?)", (sink, seq))
    return 1


def anything_asked(connection: sqlite3.Connection) -> bool:
    """Whether anything is asked for, of whatever sink."""
    return connection.execute("SELECT 1 FROM asked LIMIT 1").fetchone() is not None


def asked_for(connection: sqlite3.Connection, sink: str, up_to: int, limit: int) -> list[Waiting]:
    """Give what was asked for, oldest first.

    Args:
        connection: one for reading.
        sink: the sink's name.
        up_to: leave out what is beyond this position in the log.
        limit: how many to give at most.

    Returns:
        For each a row that waits, with the attempts that the store remembers.
    """
    rows = connection.execute(
        """SELECT asked.seq, coalesce(attempts, 0), coalesce(reason, '') FROM asked
        LEFT JOIN deliveries ON deliveries.sink = asked.sink AND deliveries.seq = asked.seq
        WHERE asked.sink = (SELECT id FROM sinks WHERE name = ?) AND asked.seq <= ?
        ORDER BY asked.seq LIMIT ?""",
        (sink, up_to, limit),
    ).fetchall()
    return [
        Waiting(seq, attempts, due=0.0, reason=reason, replayed=attempts) for seq, attempts, reason in rows
    ]
