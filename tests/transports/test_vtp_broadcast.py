from __future__ import annotations

import functools
import math
from datetime import UTC, datetime
from typing import Any

import pytest
import trio
import trio.testing

import voeflow
from support.samples import voevent
from transports.vtp_node import (
    FakeNode,
    broadcast,
    connected,
    greeted,
    running,
    settled,
    small_buffers,
    still,
    told_logs,
)
from transports.vtp_support import IVOID, clock
from voeflow_transports.vtp._messages import Message, write_ack, write_authenticate, write_iamalive, write_nak
from voeflow_transports.vtp._test_event import test_event as make_test_event

ONE, TWO = voevent("ivo://a.b/c#1"), voevent("ivo://a.b/c#2", role="utility")


patient = functools.partial(connected, patience=math.inf)


async def test_every_subscriber_gets_the_bytes_as_they_were_received() -> None:
    node = FakeNode()
    async with (
        running(broadcast(), node) as (listener,),
        connected(listener.port) as one,
        connected(listener.port) as two,
    ):
        await greeted(one)
        await greeted(two)
        node.carry(ONE, TWO)
        for peer in (one, two):
            assert [await peer.event(), await peer.event()] == [ONE, TWO]
    assert node.settled == {"ivo://a.b/c#1": "done", "ivo://a.b/c#2": "done"}


async def test_an_event_is_done_with_when_nobody_subscribes() -> None:
    node = FakeNode()
    async with running(broadcast(), node):
        node.carry(ONE)
        await still()
    assert node.settled == {"ivo://a.b/c#1": "done"}


async def test_a_filter_lets_an_event_pass_if_any_holds_and_a_new_set_replaces_it() -> None:
    node = FakeNode()
    async with (
        running(broadcast(), node) as (listener,),
        connected(listener.port) as filtered,
        connected(listener.port) as plain,
    ):
        await greeted(plain)
        await greeted(filtered, "/*[@role='utility']", "//Nothing", "0 div 0", "''")
        node.carry(ONE, TWO)
        assert await filtered.event() == TWO
        await filtered.send(write_authenticate(IVOID, clock, "", ["/*[@role='observation']"]))
        await settled(filtered)
        node.carry(TWO, ONE)
        assert await filtered.event() == ONE
        await filtered.send(write_authenticate(IVOID, clock))
        await settled(filtered)
        node.carry(TWO)
        assert await filtered.event() == TWO
        assert [await plain.event() for _ in range(5)] == [ONE, TWO, TWO, ONE, TWO]


async def test_filters_that_cannot_be_used_are_left_out_and_told() -> None:
    node = FakeNode()
    with told_logs() as logs:
        async with (
            running(broadcast(max_filters=3, max_filter_length=30), node) as (listener,),
            connected(listener.port) as peer,
        ):
            await greeted(peer, "//[", "/*[@role='utility']", "x" * 31, "//Nothing", "//Too", "//Many")
            node.carry(ONE, TWO)
            assert await peer.event() == TWO
    told = [(each["filter"], each["reason"]) for each in logs if each["event"] == "filter left out"]
    assert [filter_ for filter_, _ in told] == ["//[", "x" * 31, "//Too"]
    assert "no XPath 1.0" in told[0][1]
    assert told[1][1] == "is longer than 30 characters"
    assert "too many" in told[2][1]


async def test_a_nak_ends_the_delivery_and_is_told_with_its_reason() -> None:
    node = FakeNode()
    with told_logs() as logs:
        async with running(broadcast(), node) as (listener,), connected(listener.port) as peer:
            await greeted(peer)
            node.carry(ONE)
            await peer.event()
            await peer.send(write_nak("ivo://a.b/c#1\x1b", "", "not\nfor me", clock))
            await settled(peer)
            node.carry(TWO)
            assert await peer.event() == TWO
    (told,) = [each for each in logs if each["event"] == "event refused by a subscriber"]
    assert told["reason"] == "not\\nfor me"


async def test_a_subscriber_that_takes_nothing_is_dropped_and_the_others_get_everything() -> None:
    node = FakeNode()
    large = voevent("ivo://a.b/c#1", body="<What><Description>" + "x" * 900_000 + "</Description></What>")
    with told_logs() as logs:
        async with (
            running(broadcast(max_unsent=100_000), node) as (listener,),
            connected(listener.port) as deaf,
            connected(listener.port) as good,
        ):
            small_buffers(deaf.stream)
            await greeted(deaf)
            await greeted(good)
            for _ in range(12):
                node.carry(large)
                assert await good.event() == large
            node.carry(TWO)
            assert await good.event() == TWO
    (told,) = [each for each in logs if each["event"] == "subscriber dropped"]
    assert told["reason"].startswith("took too little: ")


async def test_one_large_batch_drops_nobody_who_takes_it() -> None:
    node = FakeNode()
    large = voevent("ivo://a.b/c#1", body="<What><Description>" + "x" * 900_000 + "</Description></What>")
    async with running(broadcast(max_unsent=2**23), node) as (listener,), connected(listener.port) as peer:
        await greeted(peer)
        node.carry(*[large] * 10)
        assert [await peer.event() for _ in range(10)] == [large] * 10


async def test_a_subscriber_that_never_answers_is_dropped() -> None:
    node = FakeNode()
    with told_logs() as logs:
        async with (
            running(broadcast(max_unacknowledged=3), node) as (listener,),
            connected(listener.port) as mute,
            connected(listener.port) as good,
        ):
            await greeted(mute)
            await greeted(good)
            for _ in range(4):
                node.carry(ONE)
                await good.event()
                await good.send(write_ack("ivo://a.b/c#1", "", clock))
                await settled(good)
            node.carry(TWO)
            assert await good.event() == TWO
    (told,) = [each for each in logs if each["event"] == "subscriber dropped"]
    assert told["reason"] == "left more than 3 events without a receipt"


async def test_the_silent_are_asked_and_dropped(autojump_clock: trio.testing.MockClock) -> None:
    with told_logs() as logs:
        async with running(broadcast(), FakeNode()) as (listener,), patient(listener.port) as peer:
            await greeted(peer)
            began = trio.current_time()
            assert await peer.message() == Message("iamalive", IVOID)
            await peer.send(write_iamalive(IVOID, clock, "me"))
            assert await peer.message() == Message("iamalive", IVOID)
            assert await peer.message() == Message("iamalive", IVOID)
            assert await peer.closed()
            assert trio.current_time() - began == pytest.approx(240.0, abs=1.0)
    assert [each["reason"] for each in logs if each["event"] == "subscriber dropped"] == [
        "said nothing to 2 iamalive in a row"
    ]


async def test_everybody_gets_a_test_event_now_and_then(autojump_clock: trio.testing.MockClock) -> None:
    async with (
        running(broadcast(test_interval=30.0), FakeNode()) as (listener,),
        patient(listener.port) as peer,
    ):
        await greeted(peer)
        event = voeflow.Event.parse(await peer.event())
    assert event.role == "test"
    assert event.valid
    assert event.ivorn.startswith(f"{IVOID}#TestEvent-2")


def test_a_test_event_is_valid_whatever_the_ivoid() -> None:
    ivorn, packet = make_test_event("ivo://org.example/a'b+(c)", datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC))
    event = voeflow.Event.parse(packet)
    assert event.ivorn == ivorn == "ivo://org.example/a'b+(c)#TestEvent-2026-11-24T01:02:03Z"
    assert event.author == "ivo://org.example/a'b+(c)"
    assert event.valid


async def test_a_subscriber_that_leaves_is_no_fault() -> None:
    with told_logs() as logs:
        async with running(broadcast(), FakeNode()) as (listener,):
            async with connected(listener.port) as peer:
                await greeted(peer)
            await still()
    assert [each["event"] for each in logs] == ["subscriber connected", "subscriber left"]


@pytest.mark.parametrize("interval", [0.0, 91.0])
def test_the_interval_keeps_to_the_standard(interval: float) -> None:
    with pytest.raises(ValueError, match="at most 90 s"):
        broadcast(alive_interval=interval)


async def test_a_subscriber_that_comes_and_goes_does_not_fill_the_log() -> None:
    with told_logs() as logs:
        async with running(broadcast(), FakeNode()) as (listener,):
            for _ in range(30):
                async with connected(listener.port) as peer:
                    await greeted(peer)
            async with connected(listener.port, own="127.0.0.2") as peer:
                await greeted(peer)
            await still()
    assert [each["event"] for each in logs].count("subscriber connected") == 21
    assert [each["event"] for each in logs if each["event"] != "subscriber connected"] == [
        "subscriber left"
    ] * 21


async def serve(node: FakeNode, until: trio.CancelScope, *, task_status: trio.TaskStatus[Any]) -> None:
    with until:
        await broadcast(max_unsent=2**26).run(node, task_status=task_status)


async def test_who_lags_at_the_end_is_still_sent_what_waits_for_it() -> None:
    node, until = FakeNode(), trio.CancelScope()
    body = f"<What><Description>{'x' * 500_000}</Description></What>"
    events = [voevent(f"ivo://a.b/c#{number}", body=body) for number in range(30)]
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(serve, node, until)
        async with connected(listener.port) as peer:
            await greeted(peer)
            await settled(peer)
            node.carry(*events)
            await still()
            assert set(node.settled.values()) == {"done"}
            until.cancel()
            assert [await peer.event() for _ in events] == events
            with pytest.raises(EOFError):
                await peer.event()


async def test_who_takes_nothing_at_the_end_delays_it_by_two_seconds_at_most(
    autojump_clock: trio.testing.MockClock,
) -> None:
    node, until = FakeNode(), trio.CancelScope()
    body = f"<What><Description>{'x' * 500_000}</Description></What>"
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(serve, node, until)
        async with connected(listener.port) as one, connected(listener.port) as two:
            for peer in (one, two):
                await greeted(peer)
                await settled(peer)
            node.carry(*(voevent(f"ivo://a.b/c#{number}", body=body) for number in range(30)))
            await still()
            until.cancel()
            began = trio.current_time()
            while nursery.child_tasks:  # noqa: ASYNC110 - it is virtual time that passes
                await trio.sleep(0.1)
            assert trio.current_time() - began <= 2.2
