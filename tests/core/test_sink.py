"""A sink's deliveries, as who carries them on has them: in order, with turns for others, and with an end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
import structlog
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import voeflow
from support.samples import voevent
from support.sinks import envelopes, resumed, stored
from support.stored import new_event
from voeflow import Event, _ledger
from voeflow._answers import Filters
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
    return resumed(store)


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
    monkeypatch.setattr(_ledger, "MAX_OPEN", 2)
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
    monkeypatch.setattr(_ledger, "MAX_UNSAVED", 2)
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
        with trio.fail_after(60):
            await behind.wait_idle()
        nursery.cancel_scope.cancel()


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
