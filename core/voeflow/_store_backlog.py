"""Looking into the event store: when each sink had something last, and what it has still to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from contextlib import closing

import attrs

from voeflow._store_format import explained, roll_back
from voeflow._store_reader import StoreReader

#: Among how many deliveries, those of the newest events, the last one is looked for by its time. A sink that
#: has none there is told when the newest event that it had was delivered.
RECENT = 50_000


@attrs.frozen(kw_only=True)
class Backlog:
    """When a sink had something last, and what it has still to do. Times are in seconds since 1970, UTC.

    Attributes:
        in_use: whether it was in the pipeline when a node last read that.
        delivered: when something was last delivered to it, as `RECENT` limits it; None where no event that is
            kept was.
        to_come: how many events of the log it has still to take, whether it wants them or not.
        waiting: how many deliveries are to be tried again, were put off, or are to be made again.
        failed: how many of these have failed.
        next_try: when the first of those that failed is tried again; where none failed, the first of those
            that were put off; None where none waits for a time.
        reason: why that one waits; or empty.
        dead: how many were given up.
        given_up: when the last of these was.
        dead_reason: why; or empty.
    """

    in_use: bool = attrs.field(default=True, converter=bool)  # SQLite has it as 0 or 1
    delivered: float | None = None
    to_come: int = 0
    waiting: int = 0
    failed: int = 0
    next_try: float | None = None
    reason: str = ""
    dead: int = 0
    given_up: float | None = None
    dead_reason: str = ""


def backlogs(store: StoreReader, names: Collection[str]) -> dict[str, Backlog]:
    """Say of some sinks what each had last and has still to do.

    Args:
        store: where to look.
        names: of the sinks.

    Returns:
        It by the sinks' names; those that the store does not know are left out.

    Raises:
        StoreError: the store cannot be read.
    """
    with explained(store.path, "read"), closing(store.connect()) as connection:
        connection.execute("BEGIN")  # all of one moment
        try:
            rows = connection.execute("SELECT id, name, cursor, active FROM sinks").fetchall()
            sinks = [row for row in rows if row[1] in names]
            delivered = _last_deliveries(connection, [sink for sink, *_ in sinks])
            return {
                name: _backlog(connection, sink, cursor, in_use=active, delivered=delivered.get(sink))
                for sink, name, cursor, active in sinks
            }
        finally:
            roll_back(connection)


def _backlog(
    connection: sqlite3.Connection, sink: int, cursor: int, *, in_use: bool, delivered: float | None
) -> Backlog:
    after = connection.execute("SELECT count(*) FROM events WHERE seq > ?", (cursor,)).fetchone()[0]
    passed = connection.execute(
        """SELECT count(*) FROM (SELECT seq FROM delivered WHERE sink = ?1 AND seq > ?2
        UNION SELECT seq FROM deliveries WHERE sink = ?1 AND seq > ?2)""",
        (sink, cursor),
    ).fetchone()[0]
    asked = connection.execute("SELECT count(*) FROM asked WHERE sink = ?", (sink,)).fetchone()[0]
    # What was asked for is counted there, and is no dead letter any more.
    waiting, failed, dead = connection.execute(
        """SELECT count(*) FILTER (WHERE NOT dead AND asked.seq IS NULL),
        count(*) FILTER (WHERE NOT dead AND since IS NOT NULL),
        count(*) FILTER (WHERE dead AND asked.seq IS NULL)
        FROM deliveries LEFT JOIN asked USING (sink, seq) WHERE sink = ?""",
        (sink,),
    ).fetchone()
    next_try, reason = connection.execute(
        """SELECT due, reason FROM deliveries WHERE sink = ? AND NOT dead AND due > 0
        ORDER BY since IS NULL, due, seq LIMIT 1""",
        (sink,),
    ).fetchone() or (None, "")
    given_up, dead_reason = connection.execute(
        """SELECT due, reason FROM deliveries LEFT JOIN asked USING (sink, seq)
        WHERE sink = ? AND dead AND asked.seq IS NULL ORDER BY due DESC, seq DESC LIMIT 1""",
        (sink,),
    ).fetchone() or (None, "")
    return Backlog(
        in_use=in_use,
        delivered=delivered,
        to_come=after - passed,
        waiting=waiting + asked,
        failed=failed,
        next_try=next_try,
        reason=reason,
        dead=dead,
        given_up=given_up,
        dead_reason=dead_reason,
    )


def _last_deliveries(connection: sqlite3.Connection, sinks: Collection[int]) -> dict[int, float]:
    """Give when something was last delivered to each sink that had something, by the sinks' rows.

    By time alone all deliveries that are kept would have to be read, once for each sink: there is no index of
    it, which each delivery would have to pay for.
    """
    found: dict[int, float] = dict(
        connection.execute(
            """SELECT sink, max(at) FROM (SELECT sink, at FROM delivered ORDER BY seq DESC, sink DESC LIMIT ?)
            GROUP BY sink""",
            (RECENT,),
        )
    )
    missing, seq = set(sinks) - found.keys(), 2**63 - 1
    while missing:  # one walk down for all of them
        marks = ", ".join("?" * len(missing))
        row = connection.execute(
            f"""SELECT seq, sink, at FROM delivered WHERE seq <= ? AND sink IN ({marks})
            ORDER BY seq DESC, sink DESC LIMIT 1""",  # noqa: S608 - our own words
            (seq, *missing),
        ).fetchone()
        if row is None:
            break
        seq, sink, at = row
        found[sink] = at
        missing.remove(sink)
    return found
