"""The store's format: its tables, its version, and how an older one is brought up to date.

An append-only log of events, and for each sink a cursor into it: every event up to the cursor has been
delivered to the sink, is not wanted by it, or has a row in `deliveries`, which holds only what failed or is
handed over again. So a delivery that succeeds, as nearly all do, writes no row of its own. What somebody asks
to be handed over again waits in `asked`, which any process may add to, until the node takes it up.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from voeflow._errors import StoreError
from voeflow._store_lock import PRIVATE, cannot_make

#: `VOEF`: says in the file's header that it is ours (SQLite file format, section 1.3.16).
APPLICATION_ID = 0x564F4546

#: Packets have a table of their own, so that a walk over the facts of a million events does not read their
#: bytes. AUTOINCREMENT keeps a position from being given again after the newest events have been pruned.
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

#: The way from an empty file to today's format: step N, counted from 1, brings a store of format N - 1 to N.
#: What stands here is never changed once released; a new format is a new step.
STEPS: tuple[tuple[str, ...], ...] = (_FORMAT_1, _FORMAT_2, _FORMAT_3)

#: A store up to this size is checked whole when it is opened, in bytes: about 0.1 s. Of a larger one, what a
#: start needs is checked: the tables of sinks and deliveries and the newest event.
CHECKED_WHOLE = 32 * 2**20

#: How long a statement waits for another process that writes, in seconds.
BUSY_TIMEOUT = 5.0

#: How a file without tables is set, once: to set it again would write a page, and wait until it is on disk.
_FILE = ("auto_vacuum = INCREMENTAL",)

#: How the one connection that writes is set.
_WRITER = (
    "journal_mode = WAL",
    "cache_size = -8000",  # 8 MB: filled only as it is used
    "secure_delete = OFF",  # some distributions overwrite deleted rows: twice the writing
    # SQLite's own interval, about 4 MB: larger ones cost less in all, but stall the commit that meets them
    # for longer (measured: 20 ms at 1000 pages, 50 ms at 4000, with 300,000 events in the store).
    "wal_autocheckpoint = 1000",
    "journal_size_limit = 16777216",  # what the WAL keeps of the disk after a burst: 16 MiB
)

_REMEDIES = {
    sqlite3.SQLITE_FULL: "make room on its disk; it is tried again with the next event",
    sqlite3.SQLITE_BUSY: "another program is writing to it; end that one",
    sqlite3.SQLITE_READONLY: "let the user that runs voeflow write to it and to its directory",
    sqlite3.SQLITE_PERM: "let the user that runs voeflow read and write it",
    sqlite3.SQLITE_CANTOPEN: "let the user that runs voeflow read and write it and its directory",
    sqlite3.SQLITE_IOERR: "see to the disk; the system's log may say more",
    sqlite3.SQLITE_NOTADB: "this is no event store: move it away, or name another file as the store",
    sqlite3.SQLITE_CORRUPT: (
        "the file is damaged: stop voeflow and restore it from a copy, or save what can be saved with "
        "`sqlite3 STORE .recover`, or move it and its -wal and -shm files away to begin a new store"
    ),
}


def store_error(path: Path, doing: str, error: Exception) -> StoreError:
    """Say what SQLite could not do and what to do about it.

    Args:
        path: the store.
        doing: what was tried, as `write to`.
        error: what SQLite raised.
    """
    code = getattr(error, "sqlite_errorcode", None)
    remedy = _REMEDIES.get(code & 0xFF) if code is not None else None
    return StoreError(f"cannot {doing} store {path}: {error}" + (f": {remedy}" if remedy else ""))


@contextmanager
def explained(path: Path, doing: str) -> Iterator[None]:
    """Turn what SQLite raises into a `StoreError`; also text that is no Unicode, which it cannot take."""
    try:
        yield
    except (sqlite3.Error, UnicodeError) as error:
        raise store_error(path, doing, error) from error


def create_file(path: Path) -> None:
    """Make the store's file, private and in the newest format, unless it exists. The caller holds its lock.

    One that exists is not even opened: closing it would drop the locks that this process has on it (POSIX).
    A new one has another name until it is whole and on disk: so it takes one fsync, where all the steps to a
    store that is in use take a dozen, and what a crash leaves is in nobody's way. SQLite gives its own files
    the same mode.

    Raises:
        StoreError: it cannot be made.
    """
    if os.path.lexists(path):
        return
    new = path.with_name(f"{path.name}.new")
    try:
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
        try:
            with explained(path, "make"), closing(_connect(new, "rw")) as connection:
                _set(connection, "synchronous = OFF", *_FILE, *_WRITER)
                migrate(connection, new)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        new.rename(path)
    except OSError as error:
        raise cannot_make(path, error) from error
    _sync(path.parent)


def _sync(directory: Path) -> None:
    """Have a directory's names on disk; where the system cannot, SQLite does without it too."""
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def connect_to_write(path: Path) -> sqlite3.Connection:
    """Open the one connection that writes."""
    connection = _connect(path, "rw")
    try:
        is_empty = connection.execute("PRAGMA page_count").fetchone()[0] == 0
        _set(connection, *(_FILE if is_empty else ()), *_WRITER)
    except BaseException:
        connection.close()
        raise
    return connection


def _set(connection: sqlite3.Connection, *pragmas: str) -> None:
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}").fetchall()


def connect_to_add(path: Path) -> sqlite3.Connection:
    """Open a connection of a process that is not the node, for a few short writes beside it."""
    return _connect(path, "rw")


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a connection that cannot write; it sees what is committed and holds up nobody."""
    return _connect(path, "ro")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT,
        isolation_level=None,  # transactions begin and end where the code says so
        check_same_thread=False,  # worker threads take turns, under a lock
    )


def format_of(connection: sqlite3.Connection, path: Path, newest: int) -> int:
    """Give the format of an open store; 0 for a file in which nothing has been stored yet.

    Raises:
        StoreError: it is a database of something else, or a store of a format above `newest`.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    owner: int = connection.execute("PRAGMA application_id").fetchone()[0]
    empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if empty and version == 0 and owner in (0, APPLICATION_ID):
        return 0
    if owner != APPLICATION_ID:
        raise StoreError(
            f"{path} is a database of another program, no event store: name another file as the store"
        )
    if version > newest:
        raise StoreError(
            f"store {path} has format {version}; this voeflow knows formats up to {newest}: "
            "run the newer voeflow that wrote it, or name another store"
        )
    return version


def migrate(connection: sqlite3.Connection, path: Path, steps: Sequence[Sequence[str]] = STEPS) -> None:
    """Bring an open store to the newest format, each step in a transaction of its own.

    Args:
        connection: the one that writes.
        path: the store, for messages.
        steps: the way to the newest format.

    Raises:
        StoreError: it is no store, or of a newer format.
        sqlite3.Error: a step failed and left no trace.
    """
    for number in range(format_of(connection, path, len(steps)) + 1, len(steps) + 1):
        with transaction(connection):
            for statement in steps[number - 1]:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write in one transaction: all of it, or nothing when anything raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def roll_back(connection: sqlite3.Connection) -> None:
    """End a transaction that comes to nothing."""
    if connection.in_transaction:  # a full disk, say, has ended it already
        connection.execute("ROLLBACK")


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Look for damage, in bounded time.

    Raises:
        StoreError: there is some.
        sqlite3.DatabaseError: there is so much that it cannot be looked for.
    """
    whole = path.stat().st_size <= CHECKED_WHOLE
    for target in ("1",) if whole else ("sinks", "deliveries"):
        found = connection.execute(f"PRAGMA quick_check({target})").fetchone()[0]
        if found != "ok":
            damage = sqlite3.DatabaseError(str(found).splitlines()[-1])
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise store_error(path, "use", damage)
    connection.execute(
        "SELECT length(raw) FROM events JOIN packets USING (seq) ORDER BY seq DESC LIMIT 1"
    ).fetchone()
