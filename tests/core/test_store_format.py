from __future__ import annotations

import errno
import os
import random
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from support.stored import new_event, news
from voeflow import _store_format
from voeflow._errors import StoreError
from voeflow._store import Store, StoreReader
from voeflow._store_format import APPLICATION_ID, connect_to_write, migrate
from voeflow._store_tables import STEPS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "voeflow.db"


def filled(path: Path, number: int = 200) -> None:
    store = Store.open(path)
    store.append([new_event(n, raw=bytes(1000)) for n in range(number)])
    store.close()


# Opening


def test_the_files_of_a_store_are_private(path: Path) -> None:
    before = os.umask(0)
    try:
        store = Store.open(path)
        store.append([new_event(1)])
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(
        ["voeflow.db", "voeflow.db.lock", "voeflow.db-wal", "voeflow.db-shm"], 0o640
    )


def test_a_store_has_its_name_once_it_is_whole_and_on_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        with closing(sqlite3.connect(path.with_name("voeflow.db.new"))) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr("voeflow._store_format.os.fsync", fail)
        with pytest.raises(StoreError, match="Input/output error"):
            Store.open(path)
    assert not path.exists()

    path.with_name("voeflow.db.new").write_bytes(b"half a database")
    Store.open(path).close()
    assert {file.name for file in path.parent.iterdir()} == {"voeflow.db", "voeflow.db.lock"}


def test_a_new_store_is_whole_before_it_is_closed_where_a_full_disk_is_not_told(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[int] = []

    def watch(connection: sqlite3.Connection, new: Path) -> None:
        migrate(connection, new)
        copy = shutil.copy(new, tmp_path / "copy.db")
        with closing(sqlite3.connect(copy)) as alone:
            found.extend(alone.execute("PRAGMA user_version").fetchone())

    monkeypatch.setattr("voeflow._store_format.migrate", watch)
    Store.open(path).close()
    assert found == [len(STEPS)]


def test_what_an_earlier_try_to_make_a_store_has_left_is_removed(path: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        path.with_name(f"voeflow.db.new{ending}").write_bytes(b"half a database")
    Store.open(path).close()
    assert {file.name for file in path.parent.iterdir()} == {"voeflow.db", "voeflow.db.lock"}


def test_the_log_of_a_store_that_was_taken_away_is_not_taken_for_that_of_a_new_one(path: Path) -> None:
    log = path.with_name("voeflow.db-wal")
    store = Store.open(path)
    store.append([new_event(1)])
    left = log.read_bytes()
    store.close()
    path.unlink()
    log.write_bytes(left)
    with pytest.raises(StoreError, match=r"voeflow\.db-wal belongs to a store that is not there: put"):
        Store.open(path)
    assert log.read_bytes() == left
    log.unlink()
    Store.open(path).close()


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch()
    Store.open(path).close()
    assert StoreReader.open(path).last_seq() == 0


def test_a_store_that_is_open_is_held(path: Path, tmp_path: Path) -> None:
    store = Store.open(path)
    link = tmp_path / "link.db"
    link.symlink_to(path)
    for name in (path, link):
        with pytest.raises(
            StoreError, match=rf"is held by another node \(process {os.getpid()}\): stop that"
        ):
            Store.open(name)
    assert news(store.append([new_event(1)])) == [1]
    store.close()
    Store.open(link).close()


def test_a_missing_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        StoreError, match=r"No such file or directory: make the directory .*/missing, or name"
    ):
        Store.open(tmp_path / "missing" / "voeflow.db")


def test_a_directory_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="Not a directory"):
        Store.open(tmp_path / "file" / "voeflow.db")


def test_a_directory_that_cannot_be_written_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(
        "voeflow._store_lock.os.open", refuse
    )  # root may write anywhere, so chmod shows nothing
    with pytest.raises(StoreError, match=r"Permission denied: let the user that runs voeflow write in"):
        Store.open(path)


def test_a_store_that_is_a_directory_is_told(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreError, match=r"cannot open store .*let the user that runs voeflow"):
        Store.open(path)


def test_a_store_that_could_not_be_opened_is_not_held(path: Path) -> None:
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(StoreError):
        Store.open(path)
    path.unlink()
    Store.open(path).close()


# Damage


def test_a_file_that_is_no_database_is_told_and_left_alone(path: Path) -> None:
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(StoreError, match="file is not a database: this is no event store: move it away"):
        Store.open(path)
    with pytest.raises(StoreError, match="this is no event store"):
        StoreReader.open(path)
    assert path.read_bytes() == b"no database " * 1000


def test_a_database_of_another_program_is_told_and_left_alone(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs(x)")
    connection.close()
    for opener in (Store.open, StoreReader.open):
        with pytest.raises(StoreError, match="is a database of another program"):
            opener(path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
    connection.close()


def damage(path: Path, first_page: int) -> None:
    noise = random.Random(1)
    with path.open("r+b") as file:
        for page in range(first_page, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(noise.randbytes(4096))


@pytest.mark.parametrize("first_page", [1, 3, 20])
def test_a_damaged_store_is_told_with_what_to_do(path: Path, first_page: int) -> None:
    filled(path)
    damage(path, first_page)
    before = path.stat().st_size
    with pytest.raises(StoreError, match=r"voeflow\.db: .*the file is damaged: .*\.recover"):
        Store.open(path)
    assert path.stat().st_size == before


def test_a_store_cut_short_is_told(path: Path) -> None:
    filled(path)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(StoreError, match="the file is damaged"):
        Store.open(path)


def test_of_a_large_store_what_a_start_needs_is_checked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_store_format, "CHECKED_WHOLE", 0)
    filled(path)
    Store.open(path).close()
    damage(path, 3)
    with pytest.raises(StoreError, match="the file is damaged"):
        Store.open(path)


# Versions


def test_a_newer_format_is_told_with_both_numbers(path: Path) -> None:
    Store.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {len(STEPS) + 4}")
    connection.close()
    for opener in (Store.open, StoreReader.open):
        with pytest.raises(
            StoreError, match=rf"has format {len(STEPS) + 4}; this voeflow knows formats up to {len(STEPS)}"
        ):
            opener(path)


def test_an_older_format_is_brought_up_to_date_step_by_step(path: Path) -> None:
    filled(path)
    second = ("ALTER TABLE events ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue'",)
    third = ("UPDATE events SET colour = 'red' WHERE seq = 2", "CREATE INDEX by_colour ON events(colour)")
    connection = connect_to_write(path)
    migrate(connection, path, (*STEPS, second, third))
    assert connection.execute("PRAGMA user_version").fetchone() == (len(STEPS) + 2,)
    found = connection.execute("SELECT colour, count(*) FROM events GROUP BY 1 ORDER BY 1").fetchall()
    assert found == [("blue", 199), ("red", 1)]
    migrate(connection, path, (*STEPS, second, third))
    connection.close()


def test_a_step_that_fails_leaves_the_format_before_it(path: Path) -> None:
    filled(path)
    good = ("ALTER TABLE events ADD COLUMN colour TEXT",)
    bad = ("ALTER TABLE events ADD COLUMN taste TEXT", "INSERT INTO nowhere VALUES (1)")
    connection = connect_to_write(path)
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        migrate(connection, path, (*STEPS, good, bad))
    assert connection.execute("PRAGMA user_version").fetchone() == (len(STEPS) + 1,)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(events)")]
    assert "colour" in columns
    assert "taste" not in columns
    connection.close()


def test_a_store_says_in_its_header_whose_it_is(path: Path) -> None:
    Store.open(path).close()
    assert path.read_bytes()[68:72] == APPLICATION_ID.to_bytes(4, "big") == b"VOEF"


# Reading beside a node


def test_a_reader_sees_what_a_running_node_stores(path: Path) -> None:
    store = Store.open(path)
    reader = StoreReader.open(path)
    store.append([new_event(1)])
    assert [event.seq for event in reader.read(0, 10, 1000)] == [1]
    store.append([new_event(2)])
    assert reader.last_seq() == 2
    reader.close()
    store.close()


def test_a_reader_cannot_write(path: Path) -> None:
    Store.open(path).close()
    reader = StoreReader.open(path)
    with closing(reader.connect()) as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM events")
    reader.close()


def test_a_reader_makes_no_store(path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no store .*has a node been run"):
        StoreReader.open(path)
    assert not path.exists()


def test_a_reader_leaves_an_older_format_to_the_node(path: Path) -> None:
    path.touch()
    with pytest.raises(StoreError, match="has the older format 0: run the node once"):
        StoreReader.open(path)
