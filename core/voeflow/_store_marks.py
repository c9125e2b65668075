"""How events are found by IVORN and by time: by marks, which follow the log a few hundred events behind.

A commit writes whole pages of the file, and each index of the events would be one more of them, also where
the commit is of one event. So events are marked many at a time, and who looks for some by IVORN or by time
looks through those at the end of the log that have no mark yet, too.
"""

from __future__ import annotations

import sqlite3

#: So many events are marked at once, at least: what a reader has to look through costs it some 0.1 ms.
MARKED_AT_ONCE = 256

#: Which events have no mark yet: those behind the newest mark. (Where the newest marks have been pruned, so
#: have the events between.)
UNMARKED = "seq > (SELECT coalesce(max(seq), 0) FROM marks)"


def mark(writer: sqlite3.Connection) -> None:
    """Mark the events that have no mark yet, within a transaction of the caller's."""
    writer.execute(
        f"INSERT INTO marks SELECT seq, ivorn, received FROM events WHERE {UNMARKED} ORDER BY seq"  # noqa: S608 - our own words
    )
