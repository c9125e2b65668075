"""How events are found by IVORN and by time: by marks, which follow the log a few hundred events behind.

A commit writes whole pages of the file, and each index of the events would be one more of them, also where
the commit is of one event. So events are marked many at a time, and who looks for some by IVORN or by time
looks through those at the end of the log that have no mark yet, too.
"""

from __future__ import annotations

import sqlite3
from array import array
from bisect import bisect_left
from math import inf, nextafter

import attrs

#: So many events are marked at once, at least: what a reader has to look through costs it some 0.1 ms.
MARKED_AT_ONCE = 256

#: Which events have no mark yet: those behind the newest mark. (Where the newest marks have been pruned, so
#: have the events between.)
UNMARKED = "seq > (SELECT coalesce(max(seq), 0) FROM marks)"

#: How many positions are looked at together by `Times`.
_BLOCK = 1024


def mark(writer: sqlite3.Connection) -> None:
    """Mark the events that have no mark yet, within a transaction of the caller's."""
    writer.execute(
        f"INSERT INTO marks SELECT seq, ivorn, received FROM events WHERE {UNMARKED} ORDER BY seq"  # noqa: S608 - our own words
    )


@attrs.define(eq=False, repr=False)
class Times:
    """When what lies in the log was received, so far as it has been looked at.

    Positions are in the order of time, but for where the clock was put back: so what was received since a
    moment is not found by the time alone. To look through all of a million marks takes some 0.3 s; so of each
    block of them that has been looked at, it is remembered up to when events were received there or before.
    """

    _up_to: array[float] = attrs.field(factory=lambda: array("d"), init=False)

    def first_since(self, connection: sqlite3.Connection, moment: float) -> int | None:
        """Give the lowest position of an event received at or after a moment, or None."""
        marked = connection.execute(
            "SELECT seq FROM marks WHERE received >= ? ORDER BY received LIMIT 1", (moment,)
        ).fetchone()
        if marked is not None:
            self._look_on(connection, marked[0])
            block = bisect_left(self._up_to, moment)
            # Not by the index of times, which would have to be gone through from the moment on.
            first = connection.execute(
                "SELECT seq FROM marks NOT INDEXED WHERE seq >= ? AND received >= ? ORDER BY seq LIMIT 1",
                (block * _BLOCK, moment),
            ).fetchone()
            if first is not None:  # else it has been pruned in between
                self._correct(block, int(first[0]) // _BLOCK, moment)
                return int(first[0])
        # The marks are asked again in the same look as the rest, which may have been marked in between.
        last: int | None = connection.execute(
            f"""SELECT min(seq) FROM (
                SELECT seq FROM marks INDEXED BY marks_by_time WHERE received >= ?1
                UNION ALL SELECT seq FROM events WHERE {UNMARKED} AND received >= ?1
            )""",  # noqa: S608 - our own words
            (moment,),
        ).fetchone()[0]
        return last

    def _correct(self, block: int, first: int, moment: float) -> None:
        """Note that from a block up to the `first` that has one, no event since a moment is left.

        One with a time to come has been pruned, say: all that follows would be looked through each time.
        """
        for each in range(block, min(first, len(self._up_to))):
            self._up_to[each] = nextafter(moment, -inf)

    def _look_on(self, connection: sqlite3.Connection, before: int) -> None:
        """Look at the blocks that end before a position of a mark: nothing is ever added to those."""
        if not self._up_to:
            oldest = connection.execute("SELECT min(seq) FROM marks").fetchone()[0] or 0
            self._up_to.extend([-inf] * (oldest // _BLOCK))
        for block in range(len(self._up_to), before // _BLOCK):
            (latest,) = connection.execute(
                "SELECT max(received) FROM marks NOT INDEXED WHERE seq >= ? AND seq < ?",
                (block * _BLOCK, (block + 1) * _BLOCK),
            ).fetchone()
            earlier = self._up_to[-1] if self._up_to else -inf
            self._up_to.append(earlier if latest is None else max(earlier, latest))
