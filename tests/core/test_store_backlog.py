"""A look into the store tells of each sink its last delivery, what is to come, what waits, what is dead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.stored import new_event
from voeflow import _store_backlog
from voeflow._store import Progress, Store, Waiting
from voeflow._store_asked import ask_again
from voeflow._store_backlog import Backlog, backlogs
from voeflow._store_records import Delivered


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with the sinks `mail` and `save`, and ten events since."""
    store = Store.open(tmp_path / "voeflow.db")
    store.append([new_event(0)])
    store.open_sinks(["mail", "save"])
    store.append([new_event(number) for number in range(1, 11)])
    yield store
    store.close()


def test_all_after_the_cursor_of_a_sink_is_to_come_and_a_sink_that_is_not_known_is_left_out(
    store: Store,
) -> None:
    store.save_progress([Progress("save", 4, delivered=[Delivered(4, 2000.0, 1)])])

    assert backlogs(store, ["mail", "none", "save"]) == {
        "mail": Backlog(to_come=10),
        "save": Backlog(to_come=7, delivered=2000.0),
    }


def test_what_is_delivered_dead_or_waits_beyond_the_cursor_is_not_to_come(store: Store) -> None:
    rows = [Waiting(7, 1, 3000.0, "refused", since=2000.0), Waiting(8, 9, 2500.0, "gave up", dead=True)]
    delivered = [Delivered(6, 2100.0, 1), Delivered(9, 2000.0, 1)]
    store.save_progress([Progress("save", 5, rows, delivered=delivered)])

    assert backlogs(store, ["save"])["save"] == Backlog(
        delivered=2100.0,
        to_come=11 - 5 - 4,
        waiting=1,
        failed=1,
        next_try=3000.0,
        reason="refused",
        dead=1,
        given_up=2500.0,
        dead_reason="gave up",
    )


def test_what_was_delivered_and_waits_since_it_was_asked_for_again_is_counted_once(store: Store) -> None:
    store.save_progress([Progress("save", 5, delivered=[Delivered(7, 2000.0, 1)])])
    store.save_progress([Progress("save", 5, [Waiting(7, 1, 3000.0, "refused", since=2100.0)])])

    assert backlogs(store, ["save"])["save"].to_come == 11 - 5 - 1


def test_the_next_try_is_the_earliest_of_what_failed_with_its_reason(store: Store) -> None:
    rows = [
        Waiting(2, 1, 3000.0, "held back for a digest"),  # put off: it never failed
        Waiting(3, 5, 5000.0, "timed out", since=2000.0),
        Waiting(4, 2, 4000.0, "refused", since=2400.0),
        Waiting(5, 9, 2600.0, "no such user", dead=True),
        Waiting(6, 9, 2500.0, "too large", dead=True),
    ]
    store.save_progress([Progress("mail", 11, rows)])

    found = backlogs(store, ["mail"])["mail"]
    assert (found.waiting, found.failed, found.next_try, found.reason) == (3, 2, 4000.0, "refused")
    assert (found.dead, found.given_up, found.dead_reason) == (2, 2600.0, "no such user")


def test_what_is_only_put_off_has_not_failed_and_tells_why(store: Store) -> None:
    store.save_progress([Progress("mail", 11, [Waiting(2, 1, 3000.0, "held back for a digest")])])

    assert backlogs(store, ["mail"])["mail"] == Backlog(
        waiting=1, next_try=3000.0, reason="held back for a digest"
    )


def test_what_is_asked_for_again_waits_without_a_time_and_is_no_dead_letter_any_more(store: Store) -> None:
    dead = [Waiting(seq, 9, 2500.0, "gave up", dead=True) for seq in (4, 5)]
    store.save_progress([Progress("mail", 11, dead)])
    ask_again(store.path, "mail", [3, 4])

    asked = Backlog(waiting=2, dead=1, given_up=2500.0, dead_reason="gave up")
    assert backlogs(store, ["mail"])["mail"] == asked

    taken_up = [Waiting(3, replayed=0), Waiting(4, 9, 0.0, "gave up", replayed=9)]
    store.save_progress([Progress("mail", 11, taken_up, taken_up=[3, 4])])
    assert backlogs(store, ["mail"])["mail"] == asked


def test_what_failed_and_is_asked_for_again_is_counted_once(store: Store) -> None:
    store.save_progress([Progress("mail", 11, [Waiting(4, 2, 4000.0, "refused", since=2400.0)])])
    ask_again(store.path, "mail", [4])

    found = backlogs(store, ["mail"])["mail"]
    assert (found.waiting, found.failed) == (1, 1)


def test_an_old_event_that_is_delivered_late_is_the_last_delivery(store: Store) -> None:
    store.save_progress([Progress("save", 11, delivered=[Delivered(11, 2000.0, 1), Delivered(2, 2900.0, 4)])])

    assert backlogs(store, ["save"])["save"].delivered == 2900.0


def test_a_sink_that_had_nothing_for_long_is_looked_for_further_down(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_store_backlog, "RECENT", 3)
    store.open_sinks(["idle", "mail", "rare", "save"])
    store.save_progress(
        [
            Progress("save", 11, delivered=[Delivered(seq, 2000.0 + seq, 1) for seq in range(2, 12)]),
            Progress("mail", 11, delivered=[Delivered(seq, 3000.0 + seq, 1) for seq in (2, 5)]),
            Progress("rare", 11, delivered=[Delivered(3, 4000.0, 1)]),
        ]
    )

    found = {name: each.delivered for name, each in backlogs(store, ["idle", "mail", "rare", "save"]).items()}
    assert found == {"save": 2011.0, "mail": 3005.0, "rare": 4000.0, "idle": None}


def test_of_a_sink_that_was_taken_out_what_is_still_kept_is_to_come(store: Store) -> None:
    store.save_progress([Progress("save", 11)])
    store.open_sinks(["save"])
    while store.prune(1500.0, 4):
        pass
    store.append([new_event(number, received=2000.0) for number in (20, 21)])

    found = backlogs(store, ["mail", "save"])
    assert found["mail"] == Backlog(in_use=False, to_come=2)
    assert found["save"] == Backlog(to_come=2)
