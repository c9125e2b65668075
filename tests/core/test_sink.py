"""A sink's deliveries, as who carries them on has them: in order, with turns for others, and with an end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
import structlog
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import voeflow
from support.samples import voevent
from support.stored import new_event
from voeflow import Event, _wall
from voeflow import _sink as sink_module
from voeflow._answers import Envelope, Filters
from voeflow._entry import to_store
from voeflow._node_api import Delivery
from voeflow._observers import Observers
from voeflow._policy import Policy
from voeflow._sink import Sink
from voeflow._store import Store
from voeflow._store_records import Progress, SinkState, Waiting
from voeflow._when import parse_when
from voeflow.testing._node import read_pipeline


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "store.db")
    store.open_sinks(["out"])
    yield store
    store.close()


@pytest.fixture
def sink(store: Store) -> Sink:
    return Sink(
        "out",
        Policy(parse_when(None), None, 5, 30.0),
        SinkState(cursor=0),
        latest=0,
        store=store,
        filters=Filters({}, 1.0),
        observers=Observers({}),
    )


def envelopes(number: int, first: int = 1) -> list[Envelope]:
    return [
        Envelope(seq, Event.parse(voevent(f"ivo://org.example/a#{seq}")))
        for seq in range(first, first + number)
    ]


async def test_who_takes_and_settles_in_a_loop_lets_others_have_their_turns(sink: Sink) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    sink.offer(envelopes(20))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        for _ in range(20):
            (delivery,) = await sink.take(1)
            delivery.done()
        nursery.cancel_scope.cancel()
    assert turns >= 18


async def test_who_takes_can_be_cancelled_and_nothing_is_lost(sink: Sink) -> None:
    sink.offer(envelopes(2))
    with trio.CancelScope() as scope:
        scope.cancel()
        await sink.take(1)
    assert scope.cancelled_caught
    assert [delivery.position for delivery in await sink.take(2)] == [1, 2]


async def test_who_waits_for_room_goes_on_with_the_first_that_is_settled(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink_module, "MAX_OPEN", 2)
    sink.offer(envelopes(3))
    opened = [*await sink.take(1), *await sink.take(1)]
    taken: list[Delivery] = []

    async def take() -> None:
        taken.extend(await sink.take(1))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        await wait_all_tasks_blocked()
        assert taken == []
        opened[1].done()
    assert [delivery.position for delivery in taken] == [3]


async def test_who_cannot_have_it_written_what_was_delivered_takes_nothing_new(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink_module, "MAX_UNSAVED", 2)
    sink.offer(envelopes(3))
    for delivery in await sink.take(2):
        delivery.done()
    taken: list[Delivery] = []

    async def take() -> None:
        taken.extend(await sink.take(1))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        for _ in range(2):
            progress = sink.progress()
            assert progress is not None
            assert [each.seq for each in progress.delivered] == [1, 2]
            await wait_all_tasks_blocked()  # while it is being written
            assert not taken
            sink.restore(progress)
        sink.progress()
        sink.progress()  # asked for by who has written the last one
    assert [delivery.position for delivery in taken] == [3]


async def test_several_who_take_have_events_in_order_each_once(sink: Sink) -> None:
    taken: list[int] = []

    async def take() -> None:
        while True:
            for delivery in await sink.take(1):
                taken.append(delivery.position)
                delivery.done()

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(take)
        for first in range(1, 40, 4):
            sink.offer(envelopes(4, first))
            await trio.lowlevel.checkpoint()
        await sink.wait_idle()
        nursery.cancel_scope.cancel()
    assert taken == list(range(1, 41))


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
    sink: Sink, end: Callable[[Delivery], None], autojump_clock: MockClock
) -> None:
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


async def test_what_has_left_the_store_keeps_no_sink_from_being_idle(store: Store) -> None:
    behind = Sink(
        "out",
        Policy(parse_when(None), None, 5, 30.0),
        SinkState(cursor=0),
        latest=7,  # and none of them is there any more
        store=store,
        filters=Filters({}, 1.0),
        observers=Observers({}),
    )
    assert not behind.idle
    async with trio.open_nursery() as nursery:
        nursery.start_soon(behind.take, 1)
        with trio.fail_after(20):
            await behind.wait_idle()
        nursery.cancel_scope.cancel()


def resumed(store: Store, retries: int = 5) -> Sink:
    """Give the sink as a start of the node has it."""
    return Sink(
        "out",
        Policy(parse_when(None), None, retries, 30.0),
        store.open_sinks(["out"])["out"],
        store.last_seq(),
        store=store,
        filters=Filters({}, 1.0),
        observers=Observers({}),
    )


def stored(store: Store, number: int) -> None:
    """Store events."""
    store.append([to_store(each.event, None) for each in envelopes(number)])


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


ASKS_SLOWLY = """
[transports.in]
plugin = "replay"
directory = "."
[filters.slow]
plugin = "slow"
[handlers.out]
plugin = "print"
"""


@attrs.frozen
class Slow:
    async def matches(self, event: Event) -> bool:
        await trio.sleep(60)
        return True


class Offered:
    @voeflow.hookimpl
    def register_filters(self) -> dict[str, type]:
        return {"slow": Slow}


async def test_who_takes_several_can_be_cancelled_while_filters_are_asked_and_nothing_is_lost(
    store: Store, tmp_path: Path, autojump_clock: MockClock
) -> None:
    pipeline, _ = read_pipeline(ASKS_SLOWLY, tmp_path, [Offered()], {})
    stored(store, 3)
    sink = Sink(
        "out",
        Policy(parse_when("slow"), None, 5, 30.0),
        store.open_sinks(["out"])["out"],
        store.last_seq(),
        store=store,
        filters=Filters(pipeline.filters, 1000.0),
        observers=Observers({}),
    )
    with trio.move_on_after(10):
        await sink.take(3)
    assert sorted([each.position for _ in range(3) for each in await sink.take(1)]) == [1, 2, 3]


async def test_what_is_to_be_tried_again_and_cannot_be_parsed_any_more_keeps_no_sink_from_going_on(
    store: Store,
) -> None:
    store.append([new_event(1, raw=b"<damaged"), new_event(2, raw=voevent("ivo://org.example/a#2"))])
    waiting = [Waiting(seq, attempts=1, due=0.0, reason="no answer") for seq in (1, 2)]
    store.save_progress([Progress("out", 2, waiting)])
    sink = resumed(store)
    with structlog.testing.capture_logs() as logs:
        (delivery,) = await sink.take(2)
    delivery.done()
    assert (delivery.position, sink.settled_up_to, sink.idle) == (2, 2, True)
    assert [(line["event"], line["position"]) for line in logs[:1]] == [
        ("an event of the store cannot be read", 1)
    ]
