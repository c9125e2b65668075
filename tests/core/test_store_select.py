from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.stored import new_event
from voeflow import _store_select
from voeflow._store import Progress, Refusal, Store, StoreReader, Waiting
from voeflow._store_deliveries import DeliveryState, deliveries_of
from voeflow._store_records import Delivered
from voeflow._store_select import (
    Selection,
    find,
    select,
    select_dead,
    select_refused,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "voeflow.db")
    store.open_sinks(["mail", "save"])
    yield store
    store.close()


def selected(store: StoreReader, selection: Selection) -> list[int]:
    return [event.seq for event in select(store, selection)]


def test_events_are_given_newest_first(store: Store) -> None:
    store.append([new_event(number) for number in range(5)])
    assert selected(store, Selection()) == [5, 4, 3, 2, 1]
    assert selected(store, Selection(limit=2)) == [5, 4]
    assert selected(store, Selection(limit=0)) == []


def test_events_are_selected_by_role_and_time(store: Store) -> None:
    store.append(
        [new_event(n, role="test" if n % 2 else "observation", received=1000.0 + n) for n in range(6)]
    )
    assert selected(store, Selection(role="test")) == [6, 4, 2]
    assert selected(store, Selection(since=1002.0)) == [6, 5, 4, 3]
    assert selected(store, Selection(until=1002.0)) == [2, 1]
    assert selected(store, Selection(role="test", since=1001.0, until=1004.0)) == [4, 2]


def test_events_are_selected_by_author_or_the_beginning_of_one(store: Store) -> None:
    authors = ["ivo://obspm.gepi/svom", "ivo://obspm.gepi/other", "ivo://nasa.gsfc/gcn", None]
    store.append([new_event(n, author=author) for n, author in enumerate(authors)])
    assert selected(store, Selection(author="ivo://obspm.gepi/svom")) == [1]
    assert selected(store, Selection(author="ivo://obspm.gepi/*")) == [2, 1]
    assert selected(store, Selection(author="ivo://obspm.gepi/")) == []


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("ivo://a/b#*", {"ivo://a/b#1", "ivo://a/b#[x]"}),
        ("ivo://a/b?c#1", {"ivo://a/b?c#1"}),
        ("*#[x]", {"ivo://a/b#[x]"}),
        ("*[*", {"ivo://a/b#[x]"}),
        ("ivo://a/*1", {"ivo://a/b#1", "ivo://a/b?c#1", "ivo://a/bXc#1"}),
        ("ivo://a/b", set()),
    ],
)
def test_in_an_ivorn_a_star_alone_is_special(store: Store, pattern: str, found: set[str]) -> None:
    ivorns = ["ivo://a/b#1", "ivo://a/b?c#1", "ivo://a/bXc#1", "ivo://a/b#[x]"]
    store.append([new_event(n, ivorn=ivorn) for n, ivorn in enumerate(ivorns)])
    assert {event.ivorn for event in select(store, Selection(ivorn=pattern))} == found


def test_all_events_of_one_ivorn_are_found(store: Store) -> None:
    store.append([new_event(n, ivorn="ivo://a/b#*" if n < 3 else "ivo://a/b#c") for n in range(5)])
    assert [event.seq for event in find(store, "ivo://a/b#*")] == [3, 2, 1]
    assert [event.seq for event in find(store, "ivo://a/b#*", limit=1)] == [3]
    assert find(store, "ivo://a/b#none") == []


@pytest.mark.parametrize(("rows", "size"), [(1, 10**6), (3, 10**6), (256, 25), (7, 7)])
def test_pages_leave_nothing_out_and_repeat_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, rows: int, size: int
) -> None:
    monkeypatch.setattr(_store_select, "_PAGE_ROWS", rows)
    monkeypatch.setattr(_store_select, "_PAGE_BYTES", size)
    store.append(
        [new_event(number, raw=bytes(number)) for number in range(7)],
        [Refusal(bytes(number), "no XML", "authors", "", 1000.0, None) for number in range(7)],
    )
    rows_of = [Waiting(seq, 1, 2000.0, "gave up", dead=True) for seq in range(1, 8)]
    store.save_progress([Progress("mail", 7, rows_of), Progress("save", 7, rows_of)])
    assert selected(store, Selection()) == [7, 6, 5, 4, 3, 2, 1]
    assert [len(refusal.raw) for refusal in select_refused(store, Selection())] == [6, 5, 4, 3, 2, 1, 0]
    dead = [(letter.event.seq, letter.sink) for letter in select_dead(store, Selection())]
    assert sorted(dead) == [(seq, sink) for seq in range(1, 8) for sink in ("mail", "save")]
    assert [seq for seq, _ in dead] == sorted((seq for seq, _ in dead), reverse=True)


def test_looking_at_much_takes_little_memory(store: Store) -> None:
    for batch in range(8):
        store.append([new_event(batch * 10 + n, raw=bytes(500_000)) for n in range(10)])
    tracemalloc.start()
    try:
        assert sum(len(event.raw) for event in select(store, Selection())) == 40_000_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000


def test_a_look_that_stands_still_does_not_keep_the_store_from_moving_on(store: Store) -> None:
    store.append([new_event(number) for number in range(600)])
    looking = select(store, Selection())
    assert next(looking).seq == 600
    store.save_progress([Progress("mail", 600), Progress("save", 600)])
    assert store.prune(2000.0, 300) == 300
    store.append([new_event(1000)])
    busy = store._writer.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()[0]
    assert busy == 0, "an open read transaction would keep the write-ahead log"
    assert [event.seq for event in looking][-1] == 301


def test_dead_letters_are_selected_by_their_events_and_sinks(store: Store) -> None:
    store.append([new_event(1), new_event(2, role="test"), new_event(3)])
    store.save_progress(
        [
            Progress("mail", 3, [Waiting(n, 5, 2000.0 + n, f"no. {n}", dead=n != 3) for n in (1, 2, 3)]),
            Progress("save", 3, [Waiting(1, 2, 2500.0, "no room", dead=True)]),
        ]
    )
    found = list(select_dead(store, Selection(sink="mail")))
    assert [(letter.event.seq, letter.attempts, letter.given_up, letter.reason) for letter in found] == [
        (2, 5, 2002.0, "no. 2"),
        (1, 5, 2001.0, "no. 1"),
    ]
    assert {
        (letter.sink, letter.event.seq) for letter in select_dead(store, Selection(role="observation"))
    } == {
        ("mail", 1),
        ("save", 1),
    }
    assert len(list(select_dead(store, Selection(limit=2)))) == 2


def test_refusals_are_selected_by_time_and_ivorn(store: Store) -> None:
    refusals = [
        Refusal(b"<a/>", "no VOEvent", "authors", "192.0.2.1:5000", 1000.0, None),
        Refusal(b"<b/>", "no local part", "upstream", "", 1001.0, "ivo://a/b"),
    ]
    store.append([], refusals)
    assert list(select_refused(store, Selection())) == refusals[::-1]
    assert list(select_refused(store, Selection(ivorn="ivo://*"))) == refusals[1:]
    assert list(select_refused(store, Selection(until=1001.0))) == refusals[:1]
    assert list(select_refused(store, Selection(role="test"))) == []


def test_the_deliveries_of_an_event_are_told_for_each_sink(store: Store) -> None:
    store.append([new_event(1), new_event(2)])
    store.open_sinks(
        ["dead", "mail", "save", "slow"]
    )  # `dead` and `slow` are new: event 1 and 2 are not theirs
    store.append([new_event(3)])
    store.save_progress(
        [
            Progress("dead", 3, [Waiting(3, 9, 2000.0, "gave up", dead=True)]),
            Progress("mail", 3, [Waiting(3, 1, 2100.0, "refused")]),
            Progress("save", 3),
        ]
    )
    assert deliveries_of(store, 3) == [
        DeliveryState("dead", "dead", 9, 2000.0, "gave up"),
        DeliveryState("mail", "waiting", 1, 2100.0, "refused"),
        DeliveryState("save", "not wanted"),
        DeliveryState("slow", "to come"),
    ]
    assert deliveries_of(store, 1) == [
        DeliveryState("mail", "not wanted"),
        DeliveryState("save", "not wanted"),
    ]
    store.save_progress([Progress("mail", 3, [], [3], delivered=[Delivered(3, 2200.0, 2)])])
    assert deliveries_of(store, 3)[1] == DeliveryState("mail", "delivered", 2, 2200.0)
    store.open_sinks(["save"])
    assert deliveries_of(store, 3) == [DeliveryState("save", "not wanted")]


def test_a_store_may_be_looked_into_beside_a_node(store: Store) -> None:
    store.append([new_event(1)])
    reader = StoreReader.open(store.path)
    assert selected(reader, Selection()) == [1]
    reader.close()
