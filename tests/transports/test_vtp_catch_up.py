"""What a broadcaster sends a subscriber that was away, over real sockets."""

from __future__ import annotations

import functools
import gc
import math
from datetime import UTC, datetime, timedelta

import pytest
import trio
import trio.testing

import voeflow
from support.samples import voevent
from transports.vtp_node import FakeNode, Peer, connected, listening, running, small_buffers, still, told_logs
from transports.vtp_support import IVOID, clock
from voeflow_transports.vtp._messages import write_ack, write_authenticate, write_iamalive
from voeflow_transports.vtp._resume import STAGE, Resume, read_params, write_params
from voeflow_transports.vtp._test_event import test_event as make_test_event
from voeflow_transports.vtp.broadcast import VTPBroadcast
from voeflow_transports.vtp.subscribe import VTPSubscribe

BROKER = "ivo://the/broker"
PACKETS = [voevent(f"ivo://a.b/c#{number}", role="test" if number % 3 else "utility") for number in range(20)]

patient = functools.partial(connected, patience=math.inf)


def digest(packet: bytes) -> bytes:
    return voeflow.Event.parse(packet).digest


def broadcast(**options: object) -> VTPBroadcast:
    given: dict[str, object] = {"listen": ("127.0.0.1:0",), "test_interval": 0.0, **options}
    return VTPBroadcast(**given)  # type: ignore[arg-type]  # the options of many tests


def subscribe(*ports: int, **options: object) -> VTPSubscribe:
    remote = tuple(f"127.0.0.1:{port}" for port in ports)
    return VTPSubscribe(remote=remote, **options)  # type: ignore[arg-type]  # the options of many tests


async def ask(peer: Peer, wish: Resume, *filters: str) -> str:
    """Take the greeting, ask to resume, and give where the broadcaster says that it begins."""
    assert (await peer.message()).role == "authenticate"
    await peer.send(write_authenticate(IVOID, clock, "", filters, write_params(wish)))
    return await stage(peer)


async def arrive(peer: Peer) -> None:
    """Take the greeting, and answer it as those do who know nothing of resuming."""
    assert (await peer.message()).role == "authenticate"
    await peer.send(write_authenticate(IVOID, clock))


async def stage(peer: Peer) -> str:
    message = await peer.message()
    assert message.role == "iamalive"
    return message.params[STAGE]


async def events(peer: Peer, number: int, *, answer: bool = True) -> list[bytes]:
    taken = []
    for _ in range(number):
        taken.append(await peer.receive())
        if answer:
            await peer.send(write_ack(voeflow.Event.parse(taken[-1]).ivorn, "", clock))
    return taken


async def broken() -> None:
    await trio.lowlevel.checkpoint()
    raise voeflow.StoreError("the disk is gone")


def behind(*packets: bytes, received: datetime | None = None) -> FakeNode:
    """Make a node that has handed these events on before."""
    node = FakeNode()
    node.keep(*packets, received=received)
    node.position = len(packets)
    return node


async def test_all_since_the_event_that_is_named_comes_in_order_and_then_what_is_new() -> None:
    node = behind(*PACKETS[:7])
    async with running(broadcast(), node) as (listener,), connected(listener.port) as peer:
        assert await ask(peer, Resume(digest(PACKETS[2]))) == "event"
        assert await events(peer, 4) == PACKETS[3:7]
        assert await stage(peer) == "live"
        node.carry(*PACKETS[7:9])
        assert await events(peer, 2) == PACKETS[7:9]


async def test_who_missed_nothing_is_told_so() -> None:
    node = behind(*PACKETS[:3])
    async with running(broadcast(), node) as (listener,), connected(listener.port) as peer:
        assert await ask(peer, Resume(digest(PACKETS[2]))) == "event"
        assert await stage(peer) == "live"
        node.carry(PACKETS[3])
        assert await events(peer, 1) == PACKETS[3:4]


async def test_who_has_nothing_yet_begins_now() -> None:
    node = behind(*PACKETS[:3])
    async with running(broadcast(), node) as (listener,), connected(listener.port) as peer:
        assert await ask(peer, Resume()) == "now"
        assert await stage(peer) == "live"
        node.carry(PACKETS[3])
        assert await events(peer, 1) == PACKETS[3:4]


@pytest.mark.parametrize("wish", [Resume(bytes(32)), Resume()])
async def test_an_unknown_event_is_answered_from_the_time_and_five_minutes_more(wish: Resume) -> None:
    now = datetime.now(UTC)
    node = behind(PACKETS[0], received=now - timedelta(minutes=66))
    node.keep(*PACKETS[1:3], received=now - timedelta(minutes=64))
    node.position = 3
    wish = Resume(wish.after, now - timedelta(hours=1))
    async with running(broadcast(), node) as (listener,), connected(listener.port) as peer:
        assert await ask(peer, wish) == "time"
        assert await events(peer, 2) == PACKETS[1:3]
        assert await stage(peer) == "live"


async def test_a_time_to_come_is_taken_for_now_and_one_before_all_time_for_the_first() -> None:
    node = behind(*PACKETS[:2], received=datetime.now(UTC) - timedelta(minutes=1))
    times = [datetime.now(UTC) + timedelta(days=9), datetime.min.replace(tzinfo=UTC)]
    for time in times:
        async with running(broadcast(), node) as (listener,), connected(listener.port) as peer:
            assert await ask(peer, Resume(None, time)) == "time"
            assert await events(peer, 2) == PACKETS[:2]


async def test_an_event_without_a_time_that_is_unknown_brings_all_within_reach() -> None:
    node = behind(PACKETS[0], received=datetime.now(UTC) - timedelta(hours=2))
    node.keep(PACKETS[1])
    node.position = 2
    async with (
        running(broadcast(resume_reach=3600.0), node) as (listener,),
        connected(listener.port) as peer,
    ):
        assert await ask(peer, Resume(bytes(32))) == "time"
        assert await events(peer, 1) == PACKETS[1:2]
        assert await stage(peer) == "live"


async def test_nothing_is_sent_that_its_filters_do_not_let_pass_or_that_is_too_long_for_it() -> None:
    large = voevent("ivo://a.b/c#large", role="utility", tail="<!--" + "x" * 3000 + "-->")
    node = behind(*PACKETS[:4], large, *PACKETS[4:10])
    with told_logs() as logs:
        async with running(broadcast(), node) as (listener,), connected(listener.port) as peer:
            wish = Resume(digest(PACKETS[0]), max_event=3000)
            assert await ask(peer, wish, "/*[@role='utility']") == "event"
            assert await events(peer, 3) == [PACKETS[3], PACKETS[6], PACKETS[9]]
            assert await stage(peer) == "live"
            node.carry(*PACKETS[10:13])
            assert await events(peer, 1) == [PACKETS[12]]
    (told,) = [each for each in logs if "too long" in each["event"]]
    assert told["ivorn"] == "ivo://a.b/c#large"


async def test_what_is_new_waits_for_the_past_of_one_and_not_for_the_others() -> None:
    node = behind(*PACKETS[:6])
    held, ready = trio.Event(), trio.Event()

    async def slow() -> None:
        ready.set()
        await held.wait()

    node.before_reading = slow
    async with (
        running(broadcast(), node) as (listener,),
        connected(listener.port) as late,
        connected(listener.port) as other,
    ):
        await arrive(other)
        await still()
        assert await ask(late, Resume(digest(PACKETS[0]))) == "event"
        await ready.wait()
        for packet in PACKETS[6:12]:
            node.carry(packet)
        assert await events(other, 6) == PACKETS[6:12]
        held.set()
        assert await events(late, 11) == PACKETS[1:12]
        assert await stage(late) == "live"
        node.carry(*PACKETS[12:])
        assert await events(late, 8) == await events(other, 8) == PACKETS[12:]


async def test_no_more_is_sent_than_may_stay_unacknowledged() -> None:
    node = behind(*PACKETS)
    async with (
        running(broadcast(max_unacknowledged=3), node) as (listener,),
        connected(listener.port) as peer,
    ):
        assert await ask(peer, Resume(digest(PACKETS[0]))) == "event"
        assert await events(peer, 2, answer=False) == PACKETS[1:3]
        await peer.send(write_ack("ivo://a.b/c#2", "", clock))
        assert await events(peer, 17) == PACKETS[3:]
        assert await stage(peer) == "live"


async def test_who_answers_nothing_of_the_past_is_dropped(autojump_clock: trio.testing.MockClock) -> None:
    node = behind(*PACKETS)
    with told_logs() as logs:
        async with (
            running(broadcast(max_unacknowledged=3, alive_patience=9), node) as (listener,),
            patient(listener.port) as peer,
        ):
            assert await ask(peer, Resume(digest(PACKETS[0]))) == "event"
            await events(peer, 2, answer=False)
            while not await peer.closed():
                pass
    (reason,) = [each["reason"] for each in logs if each["event"] == "subscriber dropped"]
    assert "too slow with what it missed" in reason


def held_events(stem: str) -> list[voeflow.Delivery]:
    """What is held of this test's events: other tests may have left some of theirs."""
    gc.collect()
    held = [each for each in gc.get_objects() if isinstance(each, voeflow.Delivery)]
    return [each for each in held if each.event.ivorn.startswith(stem)]


async def test_memory_holds_one_piece_for_who_reads_nothing() -> None:
    stem = "ivo://a.b/memory#"
    large = [voevent(f"{stem}{number}", tail="<!--" + "x" * 900_000 + "-->") for number in range(20)]
    node = behind(*large)
    read = 0

    async def noted() -> None:
        nonlocal read
        read += 1
        await trio.lowlevel.checkpoint()

    node.before_reading = noted
    async with running(broadcast(), node) as (listener,), connected(listener.port) as peer:
        small_buffers(peer.stream)
        assert (await peer.message()).role == "authenticate"
        wish = write_params(Resume(None, datetime.now(UTC)))
        await peer.send(write_authenticate(IVOID, clock, "", (), wish))
        assert await stage(peer) == "time"
        with trio.move_on_after(60):  # on a busy machine it may still be reading
            while not read or held_events(stem):
                await trio.testing.wait_all_tasks_blocked(0.05)
        assert 0 < read < 6, "two events are read at once here, and the kernel's buffers take some"
        assert not held_events(stem), (
            "a parsed event is held, and thousands are with thousands of these subscribers"
        )


async def test_a_second_wish_on_a_connection_is_passed_over() -> None:
    node = behind(*PACKETS[:5])
    async with running(broadcast(), node) as (listener,), connected(listener.port) as peer:
        assert await ask(peer, Resume(digest(PACKETS[2]))) == "event"
        assert await events(peer, 2) == PACKETS[3:5]
        assert await stage(peer) == "live"
        await peer.send(write_authenticate(IVOID, clock, "", (), write_params(Resume(digest(PACKETS[0])))))
        node.carry(PACKETS[5])
        assert await events(peer, 1) == PACKETS[5:6]


async def test_nothing_of_the_past_is_sent_where_it_may_not_be() -> None:
    node = behind(*PACKETS[:5])
    async with running(broadcast(resume=False), node) as (listener,), connected(listener.port) as peer:
        assert (await peer.message()).role == "authenticate"
        await peer.send(write_authenticate(IVOID, clock, "", (), write_params(Resume(digest(PACKETS[0])))))
        await peer.send(b"<no/>")
        assert (await peer.message()).role == "nak"
        node.carry(PACKETS[5])
        assert await events(peer, 1) == PACKETS[5:6]


async def test_a_log_that_cannot_be_read_ends_the_connection_so_that_it_is_asked_again() -> None:
    node = behind(*PACKETS[:5])

    node.before_reading = broken
    with told_logs() as logs:
        async with running(broadcast(), node) as (listener,), connected(listener.port) as peer:
            assert await ask(peer, Resume(digest(PACKETS[0]))) == "event"
            assert await peer.closed()
    assert [each["reason"] for each in logs if each["log_level"] == "error"] == ["the disk is gone"]


# What a crash left over


async def test_what_a_crash_left_over_goes_to_who_comes_back_and_then_what_is_new() -> None:
    node = behind(*PACKETS[:6])
    node.position = 2  # of the six the last four were not handed on
    async with running(broadcast(), node) as (listener,):
        left = [delivery(node, position) for position in range(3, 7)]
        node.offer(left)
        await still()
        node.carry(PACKETS[6])
        await still()
        for _ in range(2):
            async with connected(listener.port) as peer:
                await arrive(peer)
                assert await events(peer, 4) == PACKETS[2:6]
        async with connected(listener.port) as peer:
            await arrive(peer)
            assert await events(peer, 4) == PACKETS[2:6]
            node.carry(PACKETS[7])
            assert await events(peer, 1) == PACKETS[7:8]


def delivery(node: FakeNode, position: int) -> voeflow.Delivery:
    event = node.log[position - 1][1]
    return voeflow.Delivery(event, event.ivorn, position=position)


async def test_what_is_left_over_and_not_yet_handed_on_is_sent_once_to_who_is_early() -> None:
    node = behind(*PACKETS[:6])
    node.position = 2
    async with running(broadcast(), node) as (listener,), connected(listener.port) as peer:
        await arrive(peer)
        await still()
        node.offer([delivery(node, position) for position in range(3, 7)])
        node.carry(PACKETS[6])
        assert await events(peer, 5) == PACKETS[2:7]


@pytest.mark.parametrize(("patience", "waited"), [(60.0, 61.0), (0.0, 0.0)])
async def test_who_comes_back_too_late_gets_what_is_new(
    autojump_clock: trio.testing.MockClock, patience: float, waited: float
) -> None:
    node = behind(*PACKETS[:6])
    node.position = 2
    async with running(broadcast(catch_up=patience), node) as (listener,):
        node.offer([delivery(node, position) for position in range(3, 7)])
        await trio.sleep(waited)
        async with patient(listener.port) as peer:
            await arrive(peer)
            node.carry(PACKETS[6])
            assert await events(peer, 1) == PACKETS[6:7]


async def test_who_answers_no_authenticate_is_given_all_since_it_connected_a_while_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("voeflow_transports.vtp._catch_up._GREETING", 0.2)
    node = behind(*PACKETS[:6])
    async with running(broadcast(), node) as (listener,), connected(listener.port) as peer:
        assert (await peer.message()).role == "authenticate"
        node.carry(*PACKETS[6:9])
        assert await events(peer, 3, answer=False) == PACKETS[6:9]
        node.carry(*PACKETS[9:12])
        assert await events(peer, 3, answer=False) == PACKETS[9:12]


async def test_the_first_thing_that_a_new_subscriber_is_sent_is_not_beyond_what_it_will_ask_for() -> None:
    node = behind(*PACKETS[:6])
    node.position = 4
    async with running(broadcast(), node) as (listener,), connected(listener.port) as peer:
        assert (await peer.message()).role == "authenticate"
        node.offer([delivery(node, position) for position in (5, 6)])
        await still()
        await peer.send(write_authenticate(IVOID, clock, "", (), write_params(Resume(digest(PACKETS[1])))))
        assert await stage(peer) == "event"
        assert await events(peer, 4) == PACKETS[2:6]


# The subscriber's end


async def test_a_subscriber_names_the_last_event_that_it_holds_of_this_broker() -> None:
    node = FakeNode()
    async with listening() as (port, accept), running(subscribe(port, reconnect_min=0.01), node):
        broker = await accept()
        await broker.send(write_authenticate(BROKER, clock))
        assert read_params((await broker.message()).params) == Resume(None, None, node.max_event)
        # What comes before the broker has said where it begins may lie beyond a gap.
        await broker.send(PACKETS[5], write_iamalive(BROKER, clock, params={STAGE: "now"}), PACKETS[6])
        await broker.send(b"<no/>", make_test_event(BROKER, datetime.now(UTC))[1])
        assert [(await broker.message()).role for _ in range(5)] == ["iamalive", *["ack"] * 4]
        await broker.stream.aclose()
        broker = await accept()
        await broker.send(write_authenticate(BROKER, clock))
        wish = read_params((await broker.message()).params)
        assert wish is not None
        assert wish.after == digest(PACKETS[6])


async def test_a_subscriber_that_may_not_resume_asks_for_nothing() -> None:
    node = FakeNode()
    async with listening() as (port, accept), running(subscribe(port, resume=False), node):
        broker = await accept()
        await broker.send(write_authenticate(BROKER, clock))
        assert (await broker.message()).params == {}
        await broker.send(write_iamalive(BROKER, clock, params={STAGE: "now"}), PACKETS[6])
        assert [(await broker.message()).role for _ in range(2)] == ["iamalive", "ack"]
    assert node.noted == {}


async def test_where_it_was_cannot_be_read_is_told_and_tried_again() -> None:
    asked = trio.Event()

    async def ask() -> None:
        asked.set()
        await broken()

    node = FakeNode(before_reading=ask)
    with told_logs() as logs:
        async with listening() as (port, accept), running(subscribe(port, reconnect_min=0.01), node):
            await asked.wait()
            node.before_reading = trio.lowlevel.checkpoint
            await accept()
    assert "the disk is gone" in logs[0]["reason"]


async def test_two_of_ours_close_every_gap() -> None:
    source, target = FakeNode(), FakeNode()
    broadcaster = broadcast()
    with trio.fail_after(60):
        async with running(broadcaster, source) as (listener,):
            for number in range(4):
                packets = PACKETS[5 * number : 5 * number + 5]
                async with running(subscribe(listener.port), target):
                    await trio.testing.wait_all_tasks_blocked(0.01)
                    source.carry(*packets[:3])
                    while len(target.submitted) < 5 * number + 3:
                        await trio.testing.wait_all_tasks_blocked(0.01)
                source.carry(*packets[3:])
            async with running(subscribe(listener.port), target):
                while len(target.submitted) < 20:
                    await trio.testing.wait_all_tasks_blocked(0.01)
    assert [raw for raw, _, _ in target.submitted] == PACKETS
