"""What becomes of a sink's deliveries: kept over a restart, tried again in their time, or given up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from support.sinks import envelopes, resumed, stored
from voeflow import _wall
from voeflow._node_api import Delivery
from voeflow._sink import Sink
from voeflow._store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "store.db")
    store.open_sinks(["out"])
    yield store
    store.close()


def save(store: Store, sink: Sink) -> None:
    progress = sink.progress()
    assert progress is not None
    store.save_progress([progress])


async def taken(sink: Sink) -> list[tuple[int, int]]:
    """Give the positions and attempts of all that can be taken without waiting."""
    found: list[tuple[int, int]] = []
    with trio.move_on_after(5):  # of the mock clock
        while True:
            found += [(each.position, each.attempt) for each in await sink.take(9)]
    return found


def fail(delivery: Delivery) -> None:
    delivery.failed("down")


def put_off(delivery: Delivery) -> None:
    delivery.later(3600, "not now")


@pytest.mark.parametrize(
    "end",
    [
        Delivery.done,
        lambda delivery: delivery.failed("no"),
        lambda delivery: delivery.give_up("never"),
        lambda delivery: delivery.later(5, "not now"),
    ],
    ids=["done", "failed", "given up", "later"],
)
async def test_a_sink_is_idle_once_its_last_delivery_has_ended_whichever_way(
    store: Store, end: Callable[[Delivery], None], autojump_clock: MockClock
) -> None:
    sink = resumed(store)
    sink.offer(envelopes(2))
    first, second = await sink.take(2)
    idle = False

    async def wait() -> None:
        nonlocal idle
        await sink.wait_idle()
        idle = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        first.done()
        await wait_all_tasks_blocked()
        assert not idle
        end(second)
        await wait_all_tasks_blocked()
        assert idle


@pytest.mark.parametrize("end", [Delivery.done, fail, put_off, lambda delivery: delivery.give_up("no")])
async def test_what_ended_while_an_older_one_was_open_is_not_handed_over_anew_after_a_restart(
    store: Store, end: Callable[[Delivery], None], autojump_clock: MockClock
) -> None:
    stored(store, 3)
    before = resumed(store)
    first, second, _ = await before.take(3)
    end(second)
    save(store, before)
    assert first.position == 1

    after = resumed(store)
    assert await taken(after) == [(1, 1), (3, 1)]


@pytest.mark.parametrize("end", [Delivery.done, fail, put_off, lambda delivery: delivery.give_up("no")])
async def test_what_ended_while_an_older_one_was_open_is_not_handed_over_anew_when_all_that_is_open_is(
    store: Store, end: Callable[[Delivery], None], autojump_clock: MockClock
) -> None:
    stored(store, 3)
    sink = resumed(store)
    end((await sink.take(3))[1])
    for _ in range(2):
        sink.rewind()
        assert await taken(sink) == [(1, 1), (3, 1)]


async def test_a_failed_delivery_beyond_an_open_one_is_tried_once_more_and_its_tries_count_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(store, 2)
    before = resumed(store)
    (_, second) = await before.take(2)
    second.failed("down")
    save(store, before)

    after = resumed(store)
    assert [(each.position, each.attempt) for each in await after.take(2)] == [(1, 1)]
    monkeypatch.setattr(_wall, "now", lambda: time.time() + 3600)
    assert [(each.position, each.attempt) for each in await after.take(2)] == [(2, 2)]


async def test_a_clock_that_is_put_back_lets_no_retry_wait_for_longer(
    store: Store, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    year = 365 * 86400.0
    begun = trio.current_time()
    ahead = [time.time() + year]
    monkeypatch.setattr(_wall, "now", lambda: ahead[0] + trio.current_time() - begun)
    stored(store, 2)
    sink = resumed(store)
    first, second = await sink.take(2)
    first.failed("down")
    second.later(600, "not now")
    assert await taken(sink) == []
    ahead[0] -= year

    assert [(each.position, each.attempt) for each in await sink.take(2)] == [(1, 2)]
    assert trio.current_time() - begun < 60
    assert [(each.position, each.attempt) for each in await sink.take(2)] == [(2, 2)]
    assert 595 < trio.current_time() - begun < 605
    progress = sink.progress()
    assert progress is not None
    assert {row.seq for row in progress.waiting if row.due < ahead[0] + 1000} == {1, 2}


async def test_a_clock_that_was_put_back_while_nothing_waited_shortens_no_wait(
    store: Store, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    ahead = [time.time()]
    monkeypatch.setattr(_wall, "now", lambda: ahead[0] + trio.current_time())
    stored(store, 1)
    sink = resumed(store)
    for attempt in (1, 2):
        ((delivery),) = await sink.take(1)
        assert delivery.attempt == attempt
        ahead[0] -= 3600
        begun = trio.current_time()
        delivery.failed("down")
    await sink.take(1)
    assert trio.current_time() - begun > 45  # of the 60 s of the second wait


async def test_what_fails_is_tried_again_as_the_policy_says_that_came_in_meanwhile(store: Store) -> None:
    stored(store, 1)
    sink = resumed(store)
    (delivery,) = await sink.take(1)
    sink.policy = attrs.evolve(sink.policy, retries=0)
    delivery.failed("down")
    progress = sink.progress()
    assert progress is not None
    assert [(row.seq, row.dead) for row in progress.waiting] == [(1, True)]
