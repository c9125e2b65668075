"""The store's file: how it is opened, what format it has, and how an older one is brought up to date."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from voeflow._errors import StoreError
from voeflow._store_lock import PRIVATE, cannot_make
from voeflow._store_tables import STEPS

#: `VOEF`: says in the file's header that it is ours (SQLite file format, section 1.3.16).
APPLICATION_ID = 0x564F4546

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

    It is made without a write-ahead log: if a close cannot copy that into the file, the disk being full,
    SQLite tells nobody.

    Raises:
        StoreError: it cannot be made, or a part of another one is left in its place.
    """
    if os.path.lexists(path):
        return
    log = path.with_name(f"{path.name}-wal")
    if log.is_file() and log.stat().st_size:  # SQLite would copy it into the new file, whatever it is of
        raise StoreError(
            f"{log} belongs to a store that is not there: put {path} back, "
            "or remove what is left of it to begin a new store"
        )
    new = path.with_name(f"{path.name}.new")
    try:
        for ending in ("", "-wal", "-shm", "-journal"):  # what an earlier try has left
            new.with_name(new.name + ending).unlink(missing_ok=True)
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
        try:
            with explained(path, "make"), closing(_connect(new, "rw")) as connection:
                _set(connection, "synchronous = OFF", "journal_mode = MEMORY", *_FILE)
                migrate(connection, new)
                _set(connection, *_WRITER)  # all of it is in the file; later it would take an fsync more
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
    found = format_of(connection, path, len(steps))
    for number in range(found + 1, len(steps) + 1):
        with transaction(connection):
            for statement in steps[number - 1]:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")
    if 0 < found < len(steps):  # now, and not at the first event, the write-ahead log is made small again
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


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
