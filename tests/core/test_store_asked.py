"""Asking for events to be handed over again, beside a node that writes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.stored import new_event, news
from voeflow import _store_asked
from voeflow._errors import StoreError
from voeflow._store import Progress, Store, Waiting
from voeflow._store_asked import ask_again
from voeflow._store_deliveries import DeliveryState, deliveries_of
from voeflow._store_select import Selection, select_dead


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "voeflow.db")
    store.open_sinks(["mail", "save"])
    store.append([new_event(number) for number in range(6)])
    yield store
    store.close()


def test_what_is_asked_for_is_given_to_its_sink_oldest_first_until_it_is_taken_up(store: Store) -> None:
    assert ask_again(store.path, "mail", [5, 2, 4, 2]) == 4
    assert store.anything_asked()
    assert store.asked("save", 6, 10) == []
    assert store.asked("mail", 4, 10) == [Waiting(2, replayed=0), Waiting(4, replayed=0)]
    assert [row.seq for row in store.asked("mail", 6, 2)] == [2, 4]
    store.save_progress([Progress("mail", 6, [Waiting(2, replayed=0)], taken_up=[2, 4, 5])])
    assert not store.anything_asked()
    assert store.open_sinks(["mail"])["mail"].waiting == [Waiting(2, replayed=0)]


def test_asking_twice_changes_nothing(store: Store) -> None:
    assert ask_again(store.path, "mail", [1]) == ask_again(store.path, "mail", [1]) == 1
    assert len(store.asked("mail", 6, 10)) == 1


def test_a_dead_letter_that_is_asked_for_is_none_any_more_and_its_attempts_are_known(store: Store) -> None:
    letters = [Waiting(seq, 6, 2000.0, "no route", dead=True, since=1000.0) for seq in (1, 2)]
    store.save_progress([Progress("mail", 6, letters)])
    ask_again(store.path, "mail", [1])
    assert [letter.event.seq for letter in select_dead(store, Selection())] == [2]
    assert store.asked("mail", 6, 10) == [Waiting(1, 6, reason="no route", replayed=6)]
    assert deliveries_of(store, 1)[0] == DeliveryState("mail", "waiting", 6, None, "no route")


def test_what_is_asked_for_is_kept_until_it_is_taken_up_and_then_goes_with_its_event(store: Store) -> None:
    store.save_progress([Progress("mail", 6), Progress("save", 6)])
    ask_again(store.path, "mail", [3])
    assert store.prune(2000.0, 100) == 5
    store.open_sinks(["save"])
    assert store.prune(2000.0, 100) == 1, "a sink that is not in use holds nothing back"
    assert not store.anything_asked()


def test_events_no_longer_kept_are_not_asked_for(store: Store) -> None:
    assert ask_again(store.path, "mail", [99]) == 0
    assert not store.anything_asked()


def test_a_sink_that_no_node_has_had_is_told(store: Store) -> None:
    with pytest.raises(StoreError, match="knows no sink 'post' yet: run the node with it first"):
        ask_again(store.path, "post", [1])


def test_a_store_of_an_older_format_is_left_to_the_node(tmp_path: Path) -> None:
    (tmp_path / "voeflow.db").touch()
    with pytest.raises(StoreError, match="older format"):
        ask_again(tmp_path / "voeflow.db", "mail", [1])


def test_nobody_makes_a_store_by_asking(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot write to store"):
        ask_again(tmp_path / "voeflow.db", "mail", [1])
    assert list(tmp_path.iterdir()) == []


def test_much_is_asked_for_in_pages_between_which_the_node_writes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_store_asked, "_PAGE", 2)
    pages: list[int] = []
    stored: list[int | None] = []

    def meanwhile(done: int) -> None:
        pages.append(done)
        stored.extend(news(store.append([new_event(100 + len(pages))])))

    assert ask_again(store.path, "mail", range(1, 6), meanwhile) == 5
    assert pages == [2, 2, 1]
    assert stored == [7, 8, 9]


def test_the_node_waits_for_one_who_asks_and_fails_nothing(store: Store) -> None:
    failed: list[BaseException] = []

    def ask() -> None:
        try:
            for _ in range(40):
                ask_again(store.path, "mail", range(1, 7))
        except BaseException as error:
            failed.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    for number in range(40):
        store.append([new_event(1000 + number)])
        store.save_progress([Progress("mail", 6, taken_up=[1, 2, 3])])
    asking.join(timeout=60)
    assert not asking.is_alive()
    assert failed == []
    assert {4, 5, 6} <= {row.seq for row in store.asked("mail", 6, 10)}
