"""Stores of every older format are brought up to date with all that they hold, or left as they were."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from support.stored import new_event, news
from voeflow._store import NewEvent, Store
from voeflow._store_deliveries import deliveries_of, verdicts_of
from voeflow._store_format import connect_to_write, migrate
from voeflow._store_records import Delivered, Progress
from voeflow._store_select import Selection, find, select
from voeflow._store_tables import STEPS

NUMBER = 300

#: Brings a store up to date, and dies before the statement that begins so.
DIES = """
import os, signal, sys
from pathlib import Path
from voeflow._store_format import connect_to_write, migrate
path = Path(sys.argv[1])
connection = connect_to_write(path)
def look(statement):
    if statement.startswith(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
connection.set_trace_callback(look)
migrate(connection, path)
"""

OLDER = range(1, len(STEPS))


def event(number: int) -> NewEvent:
    """Give an event of an older store, in which the clock was put back once and each IVORN comes twice."""
    received = 1000.0 + number - (100 if number > 200 else 0)
    return new_event(number, ivorn=f"ivo://a/b#{number // 2}", received=received, raw=b"<%d/>" % number)


def older_store(path: Path, version: int, numbers: Sequence[int] = range(1, NUMBER + 1)) -> None:
    """Make a store as an older voeflow left it, of which the last two events have been pruned."""
    path.touch()
    with closing(connect_to_write(path)) as connection:
        migrate(connection, path, STEPS[:version])
        connection.execute("BEGIN")
        for n in numbers:
            e = event(n)
            facts = (e.digest, e.ivorn, e.role, e.version, e.author, e.date, e.received, e.source, e.valid)
            marks = ",".join("?" * (11 if version > 1 else 10))
            connection.execute(f"INSERT INTO events VALUES ({marks})", (n, *facts, 0)[: marks.count("?")])
            connection.execute("INSERT INTO packets VALUES (?, ?)", (n, e.raw))
            if version >= 4:
                connection.execute("INSERT INTO marks VALUES (?, ?, ?)", (n, e.ivorn, e.received))
        connection.execute("INSERT INTO sinks(name, first, cursor, active) VALUES ('mail', 1, 2, 1)")
        connection.execute("INSERT INTO deliveries VALUES (1, 1, 2, 0, 'no route', 0, NULL, NULL)")
        connection.execute("INSERT INTO verdicts VALUES (1, 'far', 1, '94 deg')")
        if version >= 2:
            connection.execute("UPDATE events SET attached = 3 WHERE seq = 1")
            connection.execute(
                "INSERT INTO attachments VALUES (1, 0, 'a.fits', 'application/fits', x'010203')"
            )
            connection.execute("INSERT INTO notices VALUES (x'07', 1)")
        connection.execute("DELETE FROM events WHERE seq > ?", (numbers[-1] - 2,))
        connection.execute("DELETE FROM packets WHERE seq > ?", (numbers[-1] - 2,))
        if version >= 4:
            connection.execute("DELETE FROM marks WHERE seq > ?", (numbers[-1] - 2,))
            connection.execute("UPDATE pruned SET seq = ?", (numbers[-1],))
        connection.execute("COMMIT")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "voeflow.db"


@pytest.mark.parametrize("version", OLDER)
def test_an_older_store_keeps_all_that_it_holds(path: Path, version: int) -> None:
    older_store(path, version)
    with closing(Store.open(path)) as store:
        kept = store.read(0, 1000, 2**30)
        assert [(e.seq, e.digest, e.raw, e.ivorn, e.received) for e in kept] == [
            (n, event(n).digest, event(n).raw, event(n).ivorn, event(n).received)
            for n in range(1, NUMBER - 1)
        ]
        assert [(each.name, each.content) for each in kept[0].attachments] == (
            [("a.fits", b"\1\2\3")] if version >= 2 else []
        )
        notice = store.find_notice(b"\7")
        assert (notice is not None) == (version >= 2)
        assert [e.seq for e in select(store, Selection(since=1150.0, until=1160.0))] == [
            *range(259, 249, -1),
            *range(159, 149, -1),
        ]
        assert [state.reason for state in deliveries_of(store, 1)] == ["no route"]
        assert [verdict.reason for verdict in verdicts_of(store, 1)] == ["94 deg"]
        (waiting,) = store.open_sinks(["mail"])["mail"].waiting
        assert waiting.seq == 1
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("version", OLDER)
def test_what_was_delivered_is_known_from_when_the_store_was_brought_up_to_date(
    path: Path, version: int
) -> None:
    def states(store: Store) -> list[str]:
        return [deliveries_of(store, seq)[0].state for seq in (1, 2, 3, 4)]

    older_store(path, version)
    with closing(Store.open(path)) as store:
        assert states(store) == ["waiting", "done", "to come", "to come"]
        store.open_sinks(["mail"])
        made = [Delivered(1, 2000.0, 3), Delivered(3, 2001.0, 1)]
        store.save_progress([Progress("mail", 4, [], [1], delivered=made)])
        assert states(store) == ["delivered", "done", "delivered", "not wanted"]


@pytest.mark.parametrize("version", OLDER)
def test_in_an_older_store_events_are_found_as_in_a_new_one(path: Path, version: int) -> None:
    older_store(path, version)
    with closing(Store.open(path)) as store:
        assert [e.seq for e in find(store, "ivo://a/b#60")] == [121, 120]
        assert store.earlier("ivo://a/b#6") == [f"ivo://a/b#{n}" for n in (6, *range(60, 70))]
        assert store.find(event(120).digest) == 120
        assert (store.position_at(1050.0), store.position_at(1150.5)) == (49, 150)
        store.open_sinks([])
        assert store.prune(1105.0, 1000) == 104 + 4
        assert [e.seq for e in store.read(0, 3, 2**20)] == [105, 106, 107]


@pytest.mark.parametrize("version", OLDER)
def test_an_older_store_gives_no_position_again_and_knows_its_duplicates(path: Path, version: int) -> None:
    older_store(path, version)
    for _ in range(2):
        with closing(Store.open(path)) as store:
            assert store.last_seq() == NUMBER
    with closing(Store.open(path)) as store:
        assert news(store.append([event(7), event(NUMBER), event(NUMBER + 1)])) == [None, 301, 302]


@pytest.mark.parametrize("version", OLDER)
def test_an_older_store_without_an_event_is_brought_up_to_date(path: Path, version: int) -> None:
    older_store(path, version, range(1, 3))
    with closing(Store.open(path)) as store:
        assert (store.read(0, 10, 1000), store.last_seq(), store.position_at(0.0)) == ([], 2, 2)
        assert news(store.append([event(1)])) == [3]


def test_a_store_that_was_brought_up_to_date_begins_with_a_small_log(path: Path) -> None:
    older_store(path, len(STEPS) - 1)
    with closing(Store.open(path)):
        assert path.with_name("voeflow.db-wal").stat().st_size == 0


@pytest.mark.parametrize("begin", ["INSERT INTO log", "DROP TABLE events", "CREATE UNIQUE", "PRAGMA user_v"])
def test_a_kill_in_the_midst_leaves_the_older_store_to_be_brought_up_to_date_again(
    path: Path, begin: str
) -> None:
    version = 3
    older_store(path, version)
    words = [sys.executable, "-c", DIES, str(path), begin]
    killed = subprocess.run(words, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (NUMBER - 2,)
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'marks'").fetchone() is None
    with closing(Store.open(path)) as store:
        assert [e.seq for e in store.read(0, 1000, 2**30)] == list(range(1, NUMBER - 1))
        assert store.last_seq() == NUMBER
        assert [e.seq for e in find(store, "ivo://a/b#60")] == [121, 120]
