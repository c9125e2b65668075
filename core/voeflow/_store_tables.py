"""The store's tables, as each format has them.

An append-only log of events, and for each sink a cursor into it: every event up to the cursor has been
delivered to the sink, is not wanted by it, or has a row in `deliveries`, which holds only what failed or is
handed over again. When what was delivered was, `delivered` says, for those who ask; of a node that starts, it
says what a sink had beyond its cursor. What somebody asks to be handed over again waits in `asked`, which any
process may add to, until the node takes it up.
"""

from __future__ import annotations

#: Packets have a table of their own, so that a walk over the facts of a million events does not read their
#: bytes. AUTOINCREMENT keeps a position from being given again after the newest have been pruned.
_FORMAT_1 = (
    """CREATE TABLE events(
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        digest BLOB NOT NULL UNIQUE,
        ivorn TEXT NOT NULL,
        role TEXT NOT NULL,
        version TEXT NOT NULL,
        author TEXT,
        date TEXT,
        received REAL NOT NULL,
        source TEXT NOT NULL,
        valid INTEGER NOT NULL
    )""",
    "CREATE INDEX events_by_ivorn ON events(ivorn)",
    "CREATE INDEX events_by_time ON events(received)",
    "CREATE TABLE packets(seq INTEGER PRIMARY KEY, raw BLOB NOT NULL)",
    """CREATE TABLE refusals(
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        raw BLOB NOT NULL,
        reason TEXT NOT NULL,
        source TEXT NOT NULL,
        peer TEXT NOT NULL,
        received REAL NOT NULL,
        ivorn TEXT
    )""",
    # `first` is the first event that is the sink's business: those before it came before the sink did.
    """CREATE TABLE sinks(
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        first INTEGER NOT NULL,
        cursor INTEGER NOT NULL,
        active INTEGER NOT NULL
    )""",
    """CREATE TABLE deliveries(
        sink INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        due REAL NOT NULL,
        reason TEXT NOT NULL,
        dead INTEGER NOT NULL,
        since REAL,
        replayed INTEGER,
        PRIMARY KEY(sink, seq)
    ) WITHOUT ROWID""",
    "CREATE INDEX deliveries_by_event ON deliveries(seq)",
    "CREATE TABLE asked(sink INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(sink, seq)) WITHOUT ROWID",
    "CREATE INDEX asked_by_event ON asked(seq)",
    # Events that a sink in use has still to try again, or to be handed again.
    """CREATE VIEW owed AS SELECT seq FROM deliveries JOIN sinks ON sinks.id = deliveries.sink
    WHERE NOT dead AND active
    UNION ALL SELECT seq FROM asked JOIN sinks ON sinks.id = asked.sink WHERE active""",
    """CREATE TABLE verdicts(
        seq INTEGER NOT NULL,
        filter TEXT NOT NULL,
        holds INTEGER NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY(seq, filter)
    ) WITHOUT ROWID""",
    # How far each source has come in what it follows; see `Node.bookmark`.
    """CREATE TABLE bookmarks(
        source TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY(source, name)
    ) WITHOUT ROWID""",
)

#: What is kept beside events, in a table of its own: events without it, nearly all, cost nothing. `attached`
#: is how many bytes that is, so that who reads on in the log knows it before reading them. A notice is known
#: by its bytes' digest to have made an event.
_FORMAT_2 = (
    "ALTER TABLE events ADD COLUMN attached INTEGER NOT NULL DEFAULT 0",
    """CREATE TABLE attachments(
        seq INTEGER NOT NULL,
        number INTEGER NOT NULL,
        name TEXT NOT NULL,
        media_type TEXT NOT NULL,
        content BLOB NOT NULL,
        PRIMARY KEY(seq, number)
    )""",
    "CREATE TABLE notices(digest BLOB PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX notices_by_event ON notices(seq)",
    # Where a source found what was refused: its `where`, which is a word of SQL.
    "ALTER TABLE refusals ADD COLUMN place TEXT NOT NULL DEFAULT ''",
)

#: The places that filters have given to events; see `voeflow.Places`. A key and an event are known by their
#: digests.
_FORMAT_3 = (
    """CREATE TABLE places(
        filter TEXT NOT NULL,
        key BLOB NOT NULL,
        place INTEGER NOT NULL,
        event BLOB NOT NULL,
        taken REAL NOT NULL,
        PRIMARY KEY(filter, key, place),
        UNIQUE(filter, key, event)
    ) WITHOUT ROWID""",
    "CREATE INDEX places_by_time ON places(taken)",
)

#: A commit of one event is to write few pages. So AUTOINCREMENT is gone, which writes the last position a
#: second time, and of the indexes of events all but the one for duplicates; see `_store_marks`. The facts are
#: written anew, and indexed after that, in order.
_FORMAT_4 = (
    # No position up to this one is given again, whatever has been pruned.
    "CREATE TABLE pruned(seq INTEGER NOT NULL)",
    "INSERT INTO pruned SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)",
    """CREATE TABLE log(
        seq INTEGER PRIMARY KEY,
        digest BLOB NOT NULL,
        ivorn TEXT NOT NULL,
        role TEXT NOT NULL,
        version TEXT NOT NULL,
        author TEXT,
        date TEXT,
        received REAL NOT NULL,
        source TEXT NOT NULL,
        valid INTEGER NOT NULL,
        attached INTEGER NOT NULL
    )""",
    """INSERT INTO log
    SELECT seq, digest, ivorn, role, version, author, date, received, source, valid, attached
    FROM events ORDER BY seq""",
    "DROP TABLE events",
    "ALTER TABLE log RENAME TO events",
    "CREATE UNIQUE INDEX events_by_digest ON events(digest)",
    "CREATE TABLE marks(seq INTEGER PRIMARY KEY, ivorn TEXT NOT NULL, received REAL NOT NULL)",
    "INSERT INTO marks SELECT seq, ivorn, received FROM events ORDER BY seq",
    "CREATE INDEX marks_by_ivorn ON marks(ivorn)",
    "CREATE INDEX marks_by_time ON marks(received)",
)

#: When each event was delivered to each sink, some 25 bytes each: whether a telescope was told is asked the
#: next morning. `told` is the position from which on a sink's deliveries are there.
_FORMAT_5 = (
    """CREATE TABLE delivered(
        seq INTEGER NOT NULL,
        sink INTEGER NOT NULL,
        at REAL NOT NULL,
        attempts INTEGER NOT NULL,
        PRIMARY KEY(seq, sink)
    ) WITHOUT ROWID""",
    "ALTER TABLE sinks ADD COLUMN told INTEGER NOT NULL DEFAULT 1",
    "UPDATE sinks SET told = cursor + 1",
)

#: The way from an empty file to today's format: step N, counted from 1, brings a store of format N - 1 to N.
#: What stands here is never changed once released; a new format is a new step.
STEPS: tuple[tuple[str, ...], ...] = (_FORMAT_1, _FORMAT_2, _FORMAT_3, _FORMAT_4, _FORMAT_5)
