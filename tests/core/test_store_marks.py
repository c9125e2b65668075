"""Events are found by IVORN and by time, whether they are marked yet or not, and a commit writes little."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.stored import new_event, news
from voeflow import _store_marks, _store_write
from voeflow._errors import StoreError
from voeflow._store import Store, StoreReader
from voeflow._store_format import connect_to_add
from voeflow._store_marks import MARKED_AT_ONCE
from voeflow._store_select import find

#: A frame of the write-ahead log is a page with a header (SQLite file format, section 4.1).
PAGE, FRAME_HEADER, LOG_HEADER = 4096, 24, 32


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "voeflow.db")
    yield store
    store.close()


@pytest.fixture(params=[1, 3, 1000])
def marking(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mark each event, some, or none."""
    monkeypatch.setattr(_store_write, "MARKED_AT_ONCE", request.param)


def marked(store: Store) -> list[int]:
    with closing(store.connect()) as connection:
        return [seq for (seq,) in connection.execute("SELECT seq FROM marks ORDER BY seq")]


def test_events_are_marked_many_at_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_store_write, "MARKED_AT_ONCE", 3)
    found = []
    for number in range(7):
        store.append([new_event(number)])
        found.append(marked(store))
    assert found == [[], [], [1, 2, 3], [1, 2, 3], [1, 2, 3], [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]]


def test_a_store_that_is_opened_again_goes_on_marking_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_store_write, "MARKED_AT_ONCE", 3)
    for number in range(4):
        with closing(Store.open(tmp_path / "voeflow.db")) as store:
            store.append([new_event(number)])
            found = marked(store)
    assert found == [1, 2, 3]


@pytest.mark.usefixtures("marking")
def test_events_are_found_by_ivorn(store: Store) -> None:
    for number in range(7):
        store.append([new_event(number, ivorn=f"ivo://a/b#{number % 2}")])
    assert [event.seq for event in find(store, "ivo://a/b#0")] == [7, 5, 3, 1]
    assert [event.seq for event in find(store, "ivo://a/b#0", limit=2)] == [7, 5]
    assert store.earlier("ivo://a/b#") == ["ivo://a/b#0", "ivo://a/b#1"]
    assert store.earlier("ivo://a/b#1") == ["ivo://a/b#1"]


@pytest.mark.usefixtures("marking")
def test_positions_are_found_by_time(store: Store) -> None:
    for number in range(7):
        store.append([new_event(number, received=1000.0 + number)])
    found = [store.position_at(moment) for moment in (0.0, 1000.0, 1002.5, 1003.0, 1006.0, 1006.5)]
    assert found == [0, 0, 3, 3, 6, 7]


@pytest.mark.usefixtures("marking")
def test_all_that_was_received_since_lies_after_a_position_though_the_clock_was_put_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_store_marks, "_BLOCK", 3)
    for number, received in enumerate([1000.0, 1001.0, 1004.0, 1005.0, 1002.0, 1003.0, 1006.0, 1007.0]):
        store.append([new_event(number, received=received)])
    moments = (1001.0, 1001.5, 1004.5, 1005.5, 1006.5, 1007.5)
    for _ in range(2):  # once looked at, and once remembered
        assert [store.position_at(moment) for moment in moments] == [1, 2, 3, 6, 7, 8]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts how much of SQLite's work other connections than the store's own two have done."""
    steps = [0]
    connect = StoreReader.connect

    def count() -> int:
        steps[0] += 1
        return 0

    def counted(store: StoreReader) -> sqlite3.Connection:
        connection = connect(store)
        connection.set_progress_handler(count, 1000)  # called after so many of SQLite's steps
        return connection

    monkeypatch.setattr(StoreReader, "connect", counted)
    return steps


def test_a_position_is_found_by_time_without_looking_through_the_log_again(
    store: Store, steps: list[int]
) -> None:
    store.append([new_event(number, received=1000.0 + number) for number in range(10_000)])
    store.position_at(11_000.0 - 1)
    assert steps[0] > 20
    steps[0] = 0
    assert store.position_at(10_500.0) == 9500
    assert steps[0] < 10


def test_nor_because_of_an_event_with_a_time_to_come_that_has_been_pruned(
    store: Store, steps: list[int]
) -> None:
    store.append([new_event(0, received=1e9)])
    store.append([new_event(number, received=1000.0 + number) for number in range(1, 10_000)])
    assert store.position_at(10_500.0) == 0
    with closing(connect_to_add(store.path)) as writer:
        for table in ("events", "marks", "packets"):
            writer.execute(f"DELETE FROM {table} WHERE seq = 1")
    assert store.position_at(10_500.0) == 9500
    for moment, position in ((10_500.0, 9500), (10_900.0, 9900), (2000.0, 1000), (10_500.0, 9500)):
        steps[0] = 0
        assert store.position_at(moment) == position
        assert steps[0] < 20


def test_who_reads_does_not_wait_for_who_looks_through_the_log(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append([new_event(1)])

    def read_meanwhile(times: object, connection: sqlite3.Connection, moment: float) -> int | None:
        assert store._reading.acquire(blocking=False)
        store._reading.release()
        return 1

    monkeypatch.setattr(_store_marks.Times, "first_since", read_meanwhile)
    assert store.position_at(1000.0) == 0


@pytest.mark.usefixtures("marking")
def test_what_is_pruned_is_found_no_more(store: Store) -> None:
    for number in range(7):
        store.append([new_event(number, ivorn="ivo://a/b#c", received=1000.0 - number)])
    assert store.prune(998.0, 2) == 2, "the oldest, which are the newest in the log"
    assert [event.seq for event in find(store, "ivo://a/b#c")] == [5, 4, 3, 2, 1]
    assert store.position_at(995.0) == 0
    assert news(store.append([new_event(7, ivorn="ivo://a/b#d")])) == [8]
    assert store.earlier("ivo://a/b#") == ["ivo://a/b#c", "ivo://a/b#d"]
    assert [event.seq for event in find(store, "ivo://a/b#d")] == [8]
    assert store.prune(999.5, 10) == 4
    assert store.position_at(995.0) == 0
    assert store.prune(2000.0, 10) == 2
    assert store.position_at(995.0) == 8


def test_a_batch_that_comes_to_nothing_leaves_no_mark(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_store_write, "MARKED_AT_ONCE", 2)

    def fail(writer: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(_store_write, "mark", fail)
        with pytest.raises(StoreError, match="full"):
            store.append([new_event(1), new_event(2)])
    assert (marked(store), store.last_seq()) == ([], 0)
    store.append([new_event(1)])
    assert marked(store) == []
    store.append([new_event(2)])
    assert marked(store) == [1, 2]


def test_no_look_walks_through_all_events(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    connect = StoreReader.connect

    def traced(store: StoreReader) -> sqlite3.Connection:
        connection = connect(store)
        connection.set_trace_callback(said.append)
        return connection

    monkeypatch.setattr(StoreReader, "connect", traced)
    for connection in (store._reader, store._writer):
        connection.set_trace_callback(said.append)
    find(store, "ivo://a/b#c")
    store.position_at(1000.0)
    store.earlier("ivo://a/b#")
    store.find(bytes(32))
    store.last_seq()
    store.append([new_event(1)])
    store.append([new_event(1)])
    store.prune(2000.0, 10)
    store.open_sinks(["mail"])
    steps = set()
    with closing(connect(store)) as connection:
        for statement in said:
            if statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")):
                steps |= {row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")}
    assert any("marks_by_ivorn" in step for step in steps)
    assert any("marks_by_time" in step for step in steps)
    assert [step for step in steps if step.startswith(("SCAN events", "SCAN marks", "SCAN packets"))] == []


def test_a_commit_of_one_event_writes_few_pages(store: Store) -> None:
    log = store.path.with_name("voeflow.db-wal")

    def pages() -> float:
        return (log.stat().st_size - LOG_HEADER) / (PAGE + FRAME_HEADER)

    store.append([new_event(0, raw=bytes(5000))])
    before = pages()
    for number in range(1, 101):
        store.append([new_event(number, raw=bytes(5000))])
    each = (pages() - before) / 100
    assert MARKED_AT_ONCE > 100
    assert each < 6.5, "two of the packet, one of facts, one of digests, two of where pages are"
