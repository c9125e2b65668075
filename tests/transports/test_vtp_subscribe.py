from __future__ import annotations

import itertools
import math

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

import voeflow
from support.samples import voevent
from transports.vtp_node import FakeNode, accept_all, listening, running, still, told_logs
from transports.vtp_support import IVOID, clock
from voeflow_transports.vtp._backoff import BackOff
from voeflow_transports.vtp._messages import Message, write_authenticate, write_iamalive
from voeflow_transports.vtp.broadcast import VTPBroadcast
from voeflow_transports.vtp.receive import VTPReceive
from voeflow_transports.vtp.subscribe import VTPSubscribe

ONE, TWO = voevent("ivo://a.b/c#1"), voevent("ivo://a.b/c#2")
BROKER = "ivo://the/broker"


def subscribe(*ports: int, **options: object) -> VTPSubscribe:
    remote = tuple(f"127.0.0.1:{port}" for port in ports)
    return VTPSubscribe(remote=remote, **options)  # type: ignore[arg-type]  # the options of many tests


async def test_events_are_submitted_and_acknowledged_in_order() -> None:
    second = trio.Event()

    async def second_first(raw: bytes) -> voeflow.Submission:
        if raw == ONE:
            await second.wait()
        second.set()
        return await accept_all(raw)

    node = FakeNode(second_first)
    async with listening() as (port, accept), running(subscribe(port), node):
        broker = await accept()
        await broker.send(ONE, TWO)
        assert await broker.message() == Message("ack", "ivo://a.b/c#1", IVOID)
        assert await broker.message() == Message("ack", "ivo://a.b/c#2", IVOID)
    assert [(raw, validate) for raw, validate, _ in node.submitted] == [
        (ONE, "wellformed"),
        (TWO, "wellformed"),
    ]


async def test_iamalive_is_answered_while_the_intake_is_busy() -> None:
    async def never(raw: bytes) -> voeflow.Submission:
        await trio.sleep_forever()
        raise AssertionError

    async with listening() as (port, accept), running(subscribe(port), FakeNode(never)):
        broker = await accept()
        await broker.send(*[ONE] * 20, write_iamalive(BROKER, clock))
        assert await broker.message() == Message("iamalive", BROKER, IVOID)


async def test_so_many_are_in_hand_and_no_more_and_the_wait_is_not_the_brokers_silence(
    autojump_clock: trio.testing.MockClock,
) -> None:
    go = trio.Event()

    async def wait(raw: bytes) -> voeflow.Submission:
        await go.wait()
        return await accept_all(raw)

    node = FakeNode(wait)
    async with listening() as (port, accept), running(subscribe(port, max_in_hand=3), node):
        broker = await accept()
        broker.patience = math.inf
        await broker.send(*[ONE] * 10)
        await trio.sleep(1000)  # far above the patience of 150 s
        assert len(node.submitted) == 3
        go.set()
        assert [(await broker.message()).role for _ in range(10)] == ["ack"] * 10


async def test_filters_and_identity_are_told_when_the_broker_asks() -> None:
    transport_options = {"xpath": (voeflow.XPath("//Who"), voeflow.XPath("//What")), "identity": "urn:me"}
    async with listening() as (port, accept), running(subscribe(port, **transport_options), FakeNode()):
        broker = await accept()
        await broker.send(write_authenticate(BROKER, clock))
        told = await broker.message()
        assert (told.role, told.origin, told.response) == ("authenticate", BROKER, "urn:me")
        assert told.filters == ("//Who", "//What")


async def test_a_broker_that_never_asks_for_the_filters_is_told_once() -> None:
    with told_logs() as logs:
        async with (
            listening() as (port, accept),
            running(subscribe(port, xpath=(voeflow.XPath("//Who"),)), FakeNode()),
        ):
            broker = await accept()
            await broker.send(ONE, TWO)
            await broker.message()
            await broker.message()
    assert [told["event"] for told in logs if told["log_level"] == "warning"] == [
        "filters are not asked for, so every event comes"
    ]


@pytest.mark.parametrize(("nak", "role"), [(False, "ack"), (True, "nak")])
async def test_what_is_refused_is_acknowledged_unless_told_otherwise(nak: bool, role: str) -> None:
    async with listening() as (port, accept), running(subscribe(port, nak=nak), FakeNode()):
        broker = await accept()
        await broker.send(b"<no/>", ONE)
        first, second = await broker.message(), await broker.message()
        assert (first.role, first.origin) == (role, IVOID)
        assert (second.role, second.origin) == ("ack", "ivo://a.b/c#1")


async def test_when_the_store_cannot_write_the_connection_closes_without_a_receipt() -> None:
    async def full(raw: bytes) -> voeflow.Submission:
        raise voeflow.StoreError("the disk is full")

    with told_logs() as logs:
        async with listening() as (port, accept), running(subscribe(port), FakeNode(full)):
            broker = await accept()
            await broker.send(ONE)
            assert await broker.closed()
            await still()
    assert logs[-1]["event"] == "not subscribed"
    assert logs[-1]["reason"] == "nothing can be stored: the disk is full"


async def test_the_next_remote_is_tried_at_once() -> None:
    with told_logs() as logs:
        async with listening() as (port, accept), running(subscribe(1, port), FakeNode()):
            broker = await accept()
            await broker.send(ONE)
            assert (await broker.message()).role == "ack"
    assert logs[0]["event"] == "not subscribed"
    assert logs[0]["remote"] == "127.0.0.1:1"
    assert "refused" in logs[0]["reason"]


async def test_a_broker_that_closes_at_once_is_asked_ever_more_seldom_and_told_ever_more_seldom(
    autojump_clock: trio.testing.MockClock,
) -> None:
    times = []
    with told_logs() as logs:
        async with listening() as (port, accept), running(subscribe(port, reconnect_max=64.0), FakeNode()):
            for _ in range(12):
                broker = await accept()
                times.append(trio.current_time())
                await broker.stream.aclose()
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert waits[0] == pytest.approx(1.0, abs=0.3)
    assert waits[3] == pytest.approx(8.0, abs=2.1)
    assert max(waits) <= 64.1
    told = [each for each in logs if each["event"] == "not subscribed"]
    assert [each["failures"] for each in told] == [1, 2, 4, 8]
    (reason,) = {each["reason"] for each in told}
    assert reason.startswith("closed before a first message: is this address allowed there")


@pytest.mark.parametrize("first", [write_authenticate(BROKER, clock), write_iamalive(BROKER, clock), ONE])
async def test_it_says_that_it_is_subscribed_when_the_broker_has_spoken(first: bytes) -> None:
    with capture_logs() as logs:
        async with listening() as (port, accept), running(subscribe(port), FakeNode()):
            broker = await accept()
            await still()
            before = [each["event"] for each in logs]
            await broker.send(first)
            await broker.message()
            await broker.send(first)
            await broker.message()
    assert before == ["connected"]
    (told,) = [each for each in logs if each["event"] == "subscribed"]
    assert told["remote"] == f"127.0.0.1:{port}"


async def test_at_the_port_for_authors_it_never_says_that_it_is_subscribed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with capture_logs() as logs:
        async with (
            running(VTPReceive(listen=("127.0.0.1:0",)), FakeNode()) as (listener,),
            running(subscribe(listener.port), FakeNode()),
        ):
            await trio.sleep(60)  # it waits 20 s for an event
    events = [each["event"] for each in logs if each.get("remote") == f"127.0.0.1:{listener.port}"]
    assert events[:2] == ["connected", "not subscribed"]
    assert "subscribed" not in events


async def test_a_connection_that_lasted_begins_the_waits_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with listening() as (port, accept), running(subscribe(port), FakeNode()):
        for _ in range(5):
            broker = await accept()
            await broker.stream.aclose()
        broker = await accept()
        await broker.send(write_iamalive(BROKER, clock))
        await trio.sleep(11)
        await broker.stream.aclose()
        closed = trio.current_time()
        await accept()
        assert trio.current_time() - closed == pytest.approx(1.0, abs=0.3)


async def test_a_silent_broker_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    with told_logs() as logs:
        async with listening() as (port, accept), running(subscribe(port), FakeNode()):
            broker = await accept()
            broker.patience = math.inf
            await broker.send(write_iamalive(BROKER, clock))
            await broker.message()
            assert await broker.closed()
            await still()
    assert [told["reason"] for told in logs if told["event"] == "not subscribed"] == ["was silent for 150 s"]


async def test_our_own_broadcaster_serves_it_by_its_filter() -> None:
    source, target = FakeNode(), FakeNode()
    taken = trio.Event()

    async def take(raw: bytes) -> voeflow.Submission:
        taken.set()
        return await accept_all(raw)

    target.answer = take
    broadcaster = VTPBroadcast(listen=("127.0.0.1:0",), test_interval=voeflow.Seconds(0.0))
    with capture_logs() as logs, trio.fail_after(60):
        async with running(broadcaster, source) as (listener,):
            wanted = voeflow.XPath("/*[@ivorn='ivo://a.b/c#2']")
            async with running(subscribe(listener.port, xpath=(wanted,)), target):
                while not any(each["event"] == "filters set" for each in logs):
                    await trio.lowlevel.checkpoint()
                source.carry(ONE, TWO)
                await taken.wait()
    assert [raw for raw, _, _ in target.submitted] == [TWO]


def test_waits_double_up_to_the_ceiling_and_begin_again() -> None:
    backoff = BackOff(1.0, 2.0, 10.0, 0.25, lambda: 0.5)
    assert [backoff.wait() for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    backoff.reset()
    assert backoff.wait() == 1.0


@pytest.mark.parametrize(("random", "first"), [(0.0, 3.0), (1.0, 5.0)])
def test_waits_are_spread(random: float, first: float) -> None:
    assert BackOff(4.0, 2.0, 10.0, 0.25, lambda: random).wait() == first


def test_no_wait_is_above_the_ceiling() -> None:
    assert BackOff(10.0, 2.0, 10.0, 0.25, lambda: 1.0).wait() == 10.0
