"""What is known of each burst, on disk: so that neither a crash nor a restart makes a telescope slew twice.

An SQLite file, every change of it one transaction. Everything may be said twice, in any order: an event that
is handed over again changes nothing, and a retraction that comes before what it retracts is remembered.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import attrs

_TABLES = """
CREATE TABLE IF NOT EXISTS positions(
    ivorn TEXT PRIMARY KEY, burst TEXT NOT NULL, ra REAL NOT NULL, dec REAL NOT NULL, error REAL NOT NULL,
    written REAL NOT NULL, received REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS positions_by_burst ON positions(burst);
CREATE TABLE IF NOT EXISTS taken_back(ivorn TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS bursts(
    burst TEXT PRIMARY KEY, retracted REAL, tries INTEGER NOT NULL DEFAULT 0, pointed TEXT, cancelled INTEGER
);
"""


@attrs.frozen
class Position:
    """Where a burst is, by one packet.

    Attributes:
        ivorn: the packet's IVORN.
        ra: right ascension in degrees.
        dec: declination in degrees.
        error: the radius of the error circle in degrees, above zero.
        received: when the node received the packet, in seconds of Unix time.
    """

    ivorn: str
    ra: float
    dec: float
    error: float
    received: float


@attrs.frozen
class Burst:
    """What is known of a burst.

    Attributes:
        best: the position with the smallest error of those that stand; None where there is none.
        first: when the first of them was received, in seconds of Unix time, or None.
        tries: how often pointing to it was begun.
        pointed: the IVORN of the packet whose position was pointed to, or None.
        cancelled: whether the pointing was called off.
    """

    best: Position | None
    first: float | None
    tries: int
    pointed: str | None
    cancelled: bool


class State:
    """The file; every method blocks, and may be called from any thread.

    Args:
        path: where it is; it is made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def note_position(self, burst: str, position: Position, written: datetime) -> None:
        """Note a position of a burst, by the packet's IVORN."""
        with self._writing() as file:
            file.execute(
                "INSERT OR IGNORE INTO positions VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    position.ivorn, burst, position.ra, position.dec, position.error,
                    written.timestamp(), position.received,
                ),
            )  # fmt: skip

    def take_back(self, ivorns: Sequence[str]) -> None:
        """Note that packets no longer stand: they were superseded or retracted."""
        with self._writing() as file:
            file.executemany("INSERT OR IGNORE INTO taken_back VALUES (?)", [(ivorn,) for ivorn in ivorns])

    def retract(self, burst: str, written: datetime) -> None:
        """Note that all of a burst is retracted that was written up to then."""
        with self._writing() as file:
            file.execute(
                """INSERT INTO bursts(burst, retracted) VALUES (?, ?)
                ON CONFLICT(burst) DO UPDATE SET retracted = max(ifnull(retracted, 0), excluded.retracted)""",
                (burst, written.timestamp()),
            )

    def burst_of(self, ivorns: Sequence[str]) -> str | None:
        """Give the burst that one of some packets is of, or None where none of them is known."""
        with self._open() as file:
            for ivorn in ivorns:
                row = file.execute("SELECT burst FROM positions WHERE ivorn = ?", (ivorn,)).fetchone()
                if row is not None:
                    return str(row[0])
        return None

    def burst(self, name: str) -> Burst:
        """Give what is known of a burst."""
        with self._open() as file:
            row = file.execute(
                "SELECT retracted, tries, pointed, cancelled FROM bursts WHERE burst = ?", (name,)
            ).fetchone()
            retracted, tries, pointed, cancelled = row or (None, 0, None, None)
            standing = file.execute(
                """SELECT ivorn, ra, dec, error, received FROM positions
                WHERE burst = ? AND written > ? AND ivorn NOT IN (SELECT ivorn FROM taken_back)
                ORDER BY error, written DESC""",
                (name, retracted or 0.0),
            ).fetchall()
        return Burst(
            best=Position(*standing[0]) if standing else None,
            first=min(each[4] for each in standing) if standing else None,
            tries=tries,
            pointed=pointed,
            cancelled=bool(cancelled),
        )

    def begin(self, burst: str) -> int:
        """Note that pointing begins; give which try it is, from 1."""
        with self._writing() as file:
            row = file.execute(
                """INSERT INTO bursts(burst, tries) VALUES (?, 1)
                ON CONFLICT(burst) DO UPDATE SET tries = tries + 1 RETURNING tries""",
                (burst,),
            ).fetchone()
            return int(row[0])

    def pointed(self, burst: str, ivorn: str) -> None:
        """Note that it was pointed to."""
        with self._writing() as file:
            file.execute("UPDATE bursts SET pointed = ? WHERE burst = ?", (ivorn, burst))

    def cancelled(self, burst: str) -> None:
        """Note that the pointing was called off."""
        with self._writing() as file:
            file.execute("UPDATE bursts SET cancelled = 1 WHERE burst = ?", (burst,))

    def prepare(self) -> None:
        """Make the file and its tables.

        Raises:
            ValueError: it cannot be made, or is another program's.
        """
        try:
            with self._open() as file:
                file.execute("PRAGMA journal_mode = WAL")
                file.executescript(_TABLES)
        except sqlite3.Error as error:
            raise ValueError(f"cannot keep what is known of bursts in {self._path}: {error}") from None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        file = sqlite3.connect(self._path, timeout=5, isolation_level=None)
        try:
            file.execute("PRAGMA synchronous = FULL")  # what was noted outlives a power cut
            yield file
        finally:
            file.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._open() as file:
            file.execute("BEGIN IMMEDIATE")
            yield file
            file.execute("COMMIT")
