"""A sink's deliveries, as who carries them on has them: in order, with turns for others, and with an end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from support.samples import voevent
from voeflow import Event
from voeflow import _sink as sink_module
from voeflow._answers import Envelope, Filters
from voeflow._node_api import Delivery
from voeflow._observers import Observers
from voeflow._policy import Policy
from voeflow._sink import Sink
from voeflow._store import Store
from voeflow._store_records import SinkState
from voeflow._when import parse_when


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
        await wait_all_tasks_blocked()
        assert not taken
        progress = sink.progress()
    assert progress is not None
    assert [each.seq for each in progress.delivered] == [1, 2]
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
