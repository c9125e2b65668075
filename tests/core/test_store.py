from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from support.stored import new_event, news
from voeflow import _store, _store_prune
from voeflow._errors import StoreError
from voeflow._store import NewEvent, Progress, Refusal, SinkState, Store, StoredEvent, StoredVerdict, Waiting
from voeflow._store_deliveries import deliveries_of, verdicts_of
from voeflow._store_prune import Prunable, look_up
from voeflow._store_records import Delivered
from voeflow._store_select import Selection, select_refused


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "voeflow.db")
    yield store
    store.close()


def everything(store: Store) -> list[StoredEvent]:
    return store.read(0, 1_000_000, 2**40)


def refusal(raw: bytes = b"rubbish", received: float = 1000.0) -> Refusal:
    return Refusal(raw, "no XML", "authors", "192.0.2.1:5000", received, None)


# Appending and reading


def test_an_event_comes_back_as_it_was_stored(store: Store) -> None:
    events = [
        new_event(1),
        new_event(2, raw=bytes(range(256)) * 5000, author=None),
        attrs.evolve(new_event(3), date=None, valid=False, source="é\x00\u202e"),
    ]
    assert news(store.append(events)) == [1, 2, 3]
    found = everything(store)
    assert [event.seq for event in found] == [1, 2, 3]
    assert [
        NewEvent(**attrs.asdict(event, filter=lambda a, _: a.name not in ("seq", "attached")))
        for event in found
    ] == events
    assert found[2].valid is False
    assert found[0].received_at.timestamp() == 1000.0


def test_an_event_already_in_the_store_has_no_new_position(store: Store) -> None:
    assert news(store.append([new_event(1), new_event(2)])) == [1, 2]
    assert news(store.append([new_event(2), new_event(3), new_event(1)])) == [None, 3, None]
    assert store.last_seq() == 3


def test_the_first_of_two_alike_in_one_batch_is_stored(store: Store) -> None:
    first, second = new_event(1, raw=b"first"), new_event(1, raw=b"second")
    assert news(store.append([first, second])) == [1, None]
    assert [event.raw for event in everything(store)] == [b"first"]


def test_one_ivorn_may_have_several_events(store: Store) -> None:
    assert news(store.append([new_event(1, ivorn="ivo://a/b#c"), new_event(2, ivorn="ivo://a/b#c")])) == [
        1,
        2,
    ]


def test_reading_stops_at_the_number_and_the_size_asked_for(store: Store) -> None:
    store.append([new_event(number, raw=bytes(100)) for number in range(10)])
    assert [event.seq for event in store.read(3, 2, 10_000)] == [4, 5]
    assert [event.seq for event in store.read(3, 10, 300)] == [4, 5, 6]
    assert [event.seq for event in store.read(3, 10, 1)] == [4], "one is read, however large"
    assert store.read(10, 10, 10_000) == []


def test_events_are_given_by_position_in_the_order_asked_for(store: Store) -> None:
    store.append([new_event(1), new_event(2), new_event(3)])
    assert [event.seq for event in store.get([3, 99, 1])] == [3, 1]


def test_nothing_of_a_batch_is_stored_when_part_of_it_cannot_be(store: Store) -> None:
    store.open_sinks(["mail"])
    unreadable = attrs.evolve(new_event(2), source="\ud800")
    with pytest.raises(StoreError, match="cannot write to store"):
        store.append([new_event(1), unreadable], [refusal()], [Progress("mail", 1)])
    assert everything(store) == []
    assert list(select_refused(store, Selection())) == []
    assert news(store.append([new_event(1)])) == [1]


def test_a_full_disk_is_told_loses_nothing_and_is_got_over(store: Store) -> None:
    store.append([new_event(1)])
    pages = store._writer.execute("PRAGMA page_count").fetchone()[0]
    store._writer.execute(f"PRAGMA max_page_count = {pages + 20}").fetchone()
    for _ in range(3):
        with pytest.raises(StoreError, match=r"is full: make room on its disk"):
            store.append([new_event(2), new_event(3, raw=bytes(200_000))])
    assert [event.seq for event in everything(store)] == [1]
    store._writer.execute("PRAGMA max_page_count = 100000").fetchone()
    assert news(store.append([new_event(2), new_event(3, raw=bytes(200_000))])) == [2, 3]


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "voeflow.db")
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.append([new_event(1)])


def test_readers_see_whole_batches_in_order_while_events_are_stored(store: Store) -> None:
    batches, size = 40, 5
    failed: list[BaseException] = []

    def read_all() -> None:
        try:
            seen: list[int] = []
            while len(seen) < batches * size:
                found = [event.seq for event in store.read(seen[-1] if seen else 0, 1000, 2**20)]
                assert len(found) % size == 0
                seen += found
            assert seen == list(range(1, batches * size + 1))
        except BaseException as error:
            failed.append(error)

    readers = [threading.Thread(target=read_all, daemon=True) for _ in range(2)]
    for reader in readers:
        reader.start()
    for batch in range(batches):
        store.append([new_event(batch * size + number) for number in range(size)])
    for reader in readers:
        reader.join(timeout=60)
        assert not reader.is_alive()
    assert failed == []


# Sinks


def test_a_new_sink_is_given_no_history(store: Store) -> None:
    store.append([new_event(1), new_event(2)])
    assert store.open_sinks(["mail"]) == {"mail": SinkState(2, [])}


def test_a_sink_that_was_forgotten_is_new_and_one_that_is_open_is_not_forgotten(store: Store) -> None:
    store.open_sinks(["mail", "save"])
    store.append([new_event(1), new_event(2)])
    dead = Waiting(2, 9, 3000.0, "gave up", dead=True)
    store.save_progress(
        [Progress(name, 1, [dead], delivered=[Delivered(1, 2000.0, 1)]) for name in ("mail", "save")]
    )
    store.open_sinks(["save"])
    store.forget_sinks(["mail", "save", "none"])
    states = store.open_sinks(["mail", "save"])
    assert states == {"mail": SinkState(2, []), "save": SinkState(1, [], (2,))}
    assert {name: state.new for name, state in states.items()} == {"mail": True, "save": False}
    assert [each.sink for each in deliveries_of(store, 1)] == ["save"]


def test_what_was_delivered_or_given_up_beyond_the_cursor_is_passed(store: Store) -> None:
    store.open_sinks(["mail"])
    store.append([new_event(number) for number in range(1, 6)])
    rows = [Waiting(3, 1, 2000.0, "refused"), Waiting(4, 9, 3000.0, "gave up", dead=True)]
    store.save_progress(
        [Progress("mail", 1, rows, delivered=[Delivered(1, 2000.0, 1), Delivered(5, 2001.0, 1)])]
    )
    assert store.open_sinks(["mail"]) == {"mail": SinkState(1, rows[:1], (4, 5))}


def test_a_sink_goes_on_where_it_was(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "voeflow.db")
    store.open_sinks(["mail", "save"])
    store.append([new_event(number) for number in range(4)])
    first, second = Waiting(1, 1, 2000.0, "refused"), Waiting(2, 3, 2500.0, "no route")
    store.save_progress([Progress("mail", 3, [first, second]), Progress("save", 4)])
    store.save_progress([Progress("mail", 3, [attrs.evolve(first, attempts=2, due=2100.0)], [2])])
    store.close()
    store = Store.open(tmp_path / "voeflow.db")
    assert store.open_sinks(["mail", "save"]) == {
        "mail": SinkState(3, [Waiting(1, 2, 2100.0, "refused")]),
        "save": SinkState(4, []),
    }
    store.close()


def test_a_dead_letter_is_not_to_be_tried_again(store: Store) -> None:
    store.open_sinks(["mail"])
    store.append([new_event(1)], progress=[Progress("mail", 0, [Waiting(1, 1, 2000.0, "refused")])])
    store.save_progress([Progress("mail", 1, [Waiting(1, 9, 3000.0, "gave up", dead=True)])])
    assert store.open_sinks(["mail"]) == {"mail": SinkState(1, [])}


def test_a_cursor_never_goes_back(store: Store) -> None:
    store.open_sinks(["mail"])
    store.append([new_event(number) for number in range(4)])
    store.save_progress([Progress("mail", 4)])
    store.save_progress([Progress("mail", 2)])
    assert store.open_sinks(["mail"]) == {"mail": SinkState(4, [])}


def test_a_sink_that_comes_back_goes_on_where_it_was_or_from_the_oldest_event_kept(store: Store) -> None:
    store.open_sinks(["mail"])
    store.append([new_event(number, received=1000.0 + number) for number in range(6)])
    store.save_progress([Progress("mail", 2)])
    assert store.open_sinks([]) == {}
    assert store.open_sinks(["mail"]) == {"mail": SinkState(2, [])}
    store.open_sinks([])
    assert store.prune(1004.0, 100) == 4
    assert store.open_sinks(["mail"]) == {"mail": SinkState(4, [])}
    store.open_sinks([])
    assert store.prune(2000.0, 100) == 2
    assert store.open_sinks(["mail"]) == {"mail": SinkState(6, [])}


def test_progress_of_a_sink_that_is_not_open_is_refused_whole(store: Store) -> None:
    store.open_sinks(["mail"])
    with pytest.raises(StoreError, match="knows no sink 'post'"):
        store.append([new_event(1)], progress=[Progress("mail", 1), Progress("post", 1)])
    assert store.open_sinks(["mail"]) == {"mail": SinkState(0, [])}
    assert everything(store) == []
    assert news(store.append([new_event(1)])) == [1]


def test_what_filters_said_is_kept_and_replaced(store: Store) -> None:
    store.append(
        [new_event(1)], verdicts=[StoredVerdict(1, "far", True, "94 deg"), StoredVerdict(1, "a", True, "x")]
    )
    store.save_progress(
        [], [StoredVerdict(1, "far", False, "12 deg"), StoredVerdict(7, "far", True, "no such event")]
    )
    assert verdicts_of(store, 1) == [
        StoredVerdict(1, "a", True, "x"),
        StoredVerdict(1, "far", False, "12 deg"),
    ]
    assert verdicts_of(store, 7) == []


# Pruning


def test_pruning_removes_the_oldest_in_steps_and_spares_what_is_younger(store: Store) -> None:
    store.append([new_event(number, received=1000.0 + number) for number in range(10)])
    assert store.prune(1005.0, 3) == 3
    assert store.prune(1005.0, 3) == 2
    assert store.prune(1005.0, 3) == 0
    assert [event.seq for event in everything(store)] == [6, 7, 8, 9, 10]


def test_a_position_is_never_given_again(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "voeflow.db")
    store.append([new_event(1), new_event(2)])
    assert store.prune(2000.0, 10) == 2
    store.close()
    store = Store.open(tmp_path / "voeflow.db")
    assert store.last_seq() == 2
    assert news(store.append([new_event(1)])) == [3], "a pruned event is a new one again"
    store.close()


def test_what_a_sink_has_still_to_take_is_not_pruned(store: Store) -> None:
    store.open_sinks(["mail", "save"])
    store.append([new_event(number) for number in range(4)])
    store.save_progress([Progress("mail", 4), Progress("save", 1)])
    assert store.prune(2000.0, 10) == 1
    assert [event.seq for event in everything(store)] == [2, 3, 4]
    store.open_sinks(["mail"])
    assert store.prune(2000.0, 10) == 3, "a retired sink holds nothing back"


def test_what_a_sink_has_still_to_try_again_is_not_pruned(store: Store) -> None:
    store.open_sinks(["mail"])
    store.append([new_event(number) for number in range(3)])
    letters = [Waiting(1, 1, 2000.0, "refused"), Waiting(2, 9, 2000.0, "gave up", dead=True)]
    store.save_progress([Progress("mail", 3, letters)])
    assert store.prune(2000.0, 10) == 2
    assert [event.seq for event in everything(store)] == [1]
    store.save_progress([Progress("mail", 3, [], [1])])
    assert store.prune(2000.0, 10) == 1
    assert deliveries_of(store, 2)[0].state != "dead", "the dead letter went with its event"


def test_a_delivery_that_fails_after_its_event_was_pruned_leaves_no_row(store: Store) -> None:
    store.append([new_event(1)])
    store.open_sinks(["mail"])
    assert store.prune(2000.0, 10) == 1
    store.save_progress([Progress("mail", 1, [Waiting(1, 1, 2000.0, "refused")])])
    assert store.open_sinks(["mail"]) == {"mail": SinkState(1, [])}


def test_old_refusals_are_pruned(store: Store) -> None:
    store.append([], [refusal(b"old", 1000.0), refusal(b"older", 500.0), refusal(b"new", 3000.0)])
    assert store.prune(2000.0, 10) == 2
    assert store.prune(2000.0, 10) == 0
    assert [found.raw for found in select_refused(store, Selection())] == [b"new"]


def test_refusals_take_a_bounded_share_of_the_disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_store_prune, "REFUSALS_KEPT", 10 * 2048)
    store.append([], [refusal(b"%4d" % number * 256, 3000.0) for number in range(30)])
    store.prune(2000.0, 100)
    kept = [found.raw[:4] for found in select_refused(store, Selection())]
    assert kept == [b"%4d" % number for number in range(29, 19, -1)]


def test_a_store_that_was_large_gives_its_disk_back(store: Store) -> None:
    store.append([new_event(number, raw=bytes(50_000)) for number in range(400)])
    full = store._writer.execute("PRAGMA page_count").fetchone()[0]
    while store.prune(2000.0, 50):
        pass
    for _ in range(3):
        store.prune(2000.0, 50)
    assert store._writer.execute("PRAGMA page_count").fetchone()[0] < full / 2


def test_pruning_keeps_an_event_for_which_a_delivery_began_to_wait_meanwhile(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.open_sinks(["mail"])
    store.append([new_event(1), new_event(2)], progress=[Progress("mail", 2)])

    def then_fail(connection: sqlite3.Connection, received_before: float, limit: int) -> Prunable:
        found = look_up(connection, received_before, limit)
        store.save_progress([Progress("mail", 2, [Waiting(1, 1, 2000.0, "handed over again")])])
        return found

    monkeypatch.setattr(_store, "look_up", then_fail)
    assert store.prune(2000.0, 10) == 1
    assert [event.seq for event in everything(store)] == [1]


def test_pruning_keeps_what_a_sink_has_still_to_take_that_comes_back_meanwhile(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.open_sinks(["mail", "archive"])
    store.append([new_event(n) for n in (1, 2)])
    store.open_sinks(["mail"])
    store.save_progress([Progress("mail", 2)])

    def then_come_back(connection: sqlite3.Connection, received_before: float, limit: int) -> Prunable:
        found = look_up(connection, received_before, limit)
        assert store.open_sinks(["mail", "archive"])["archive"].cursor == 0
        return found

    monkeypatch.setattr(_store, "look_up", then_come_back)
    assert store.prune(5000.0, 100) == 0
    assert [event.seq for event in store.read(0, 10, 10**6)] == [1, 2]
