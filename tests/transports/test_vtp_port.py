"""The limits of the ports over real sockets; after each an ordinary event goes through, without a wait."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from support.samples import voevent
from transports.vtp_node import FakeNode, Peer, connected, running, still
from transports.vtp_support import clock
from voeflow_transports.vtp import _authors, _door
from voeflow_transports.vtp._connection import Connection
from voeflow_transports.vtp._crowd import network_of
from voeflow_transports.vtp._frames import frame
from voeflow_transports.vtp._messages import write_ack, write_authenticate, write_iamalive
from voeflow_transports.vtp._rates import Rates, counted
from voeflow_transports.vtp.broadcast import VTPBroadcast
from voeflow_transports.vtp.receive import VTPReceive

HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"

#: Less than anything that is waited for here, in seconds of a clock that stands still while anything is done.
AT_ONCE = 0.1


@pytest.fixture
def _all_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count this machine's addresses, too, which a test has no others than."""
    monkeypatch.setattr(_door, "counted", network_of)
    monkeypatch.setattr(_authors, "counted", network_of)


def receive(**options: Any) -> VTPReceive:
    return VTPReceive(**{"listen": ("127.0.0.1:0",), "linger": 0.0, **options})


def broadcast(**options: Any) -> VTPBroadcast:
    return VTPBroadcast(**{"listen": ("127.0.0.1:0",), **options})


async def goes_through(port: int, number: int = 0, own: str = ELSEWHERE) -> float:
    """Submit an ordinary event; give how long it took to be acknowledged."""
    began = trio.current_time()
    async with connected(port, own=own) as peer:
        await peer.send(voevent(f"ivo://a.b/ordinary#{number}"))
        assert (await peer.message()).role == "ack"
    return trio.current_time() - began


async def may_come_in(port: int) -> bool:
    async with connected(port, own=HERE) as peer:
        with suppress(trio.BrokenResourceError, EOFError):
            await peer.send(voevent())
            return (await peer.message()).role == "ack"
    return False


def told_of(logs: list[Any], event: str) -> list[str]:
    return [str(each["reason"]) for each in logs if each["event"] == event]


@pytest.mark.usefixtures("_all_counted")
async def test_an_address_has_so_many_connections_and_no_more(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with capture_logs() as logs:
        async with (
            running(receive(max_per_address=2), FakeNode()) as (listener,),
            connected(listener.port, own=HERE) as first,
            connected(listener.port, own=HERE) as second,
        ):
            await still()
            async with connected(listener.port, own=HERE) as third:
                assert await third.closed()
            assert await goes_through(listener.port) < AT_ONCE
            await first.send(voevent())
            assert (await first.message()).role == "ack"
            assert await first.closed()
            await first.stream.aclose()
            with trio.fail_after(60):
                while not await may_come_in(listener.port):  # as soon as that has been noticed
                    pass
            await second.stream.aclose()
    assert told_of(logs, "connection refused") == ["its address has 2 connections already"]


@pytest.mark.usefixtures("_all_counted")
async def test_an_address_that_connects_too_fast_has_to_wait_and_is_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with capture_logs() as logs:
        async with running(receive(connection_rate=4.0, connection_burst=2), FakeNode()) as (listener,):
            waits = [await goes_through(listener.port, number, own=HERE) for number in range(4)]
            assert await goes_through(listener.port, 4) < AT_ONCE
    assert sum(waits) > 0.4  # the third and the fourth are a quarter of a second after the one before
    assert told_of(logs, "connections have to wait") == ["its address makes more than 4 a second"]


@pytest.mark.usefixtures("_all_counted")
async def test_an_address_that_sends_too_fast_is_slowed_down_and_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    events = [voevent(f"ivo://a.b/flood#{number}") for number in range(6)]
    node = FakeNode()
    with capture_logs() as logs:
        async with (
            running(receive(event_rate=4.0, event_burst=2), node) as (listener,),
            connected(listener.port, own=HERE) as flood,
        ):
            began = trio.current_time()
            await flood.send(*events)
            assert (await flood.message()).role == "ack"
            assert await goes_through(listener.port) < AT_ONCE
            for _ in events[1:]:
                assert (await flood.message()).role == "ack"
            assert trio.current_time() - began > 0.7
    assert [each.raw for each in node.submitted if b"flood" in each.raw] == events
    assert [each.raw for each in node.submitted][-1] == events[-1]
    assert told_of(logs, "author has to wait") == ["its address sends more than 4 events a second"]


@pytest.mark.usefixtures("_all_counted")
async def test_of_an_author_that_has_to_wait_no_more_is_read_before_what_was_read_is_submitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read, receive_nowait = 0, Connection.receive_nowait

    def count(connection: Connection, most: int) -> bytes | None:
        nonlocal read
        data = receive_nowait(connection, most)
        read += len(data or b"")
        return data

    monkeypatch.setattr(Connection, "receive_nowait", count)
    events = [voevent(f"ivo://a.b/flood#{number}") for number in range(500)]
    node = FakeNode()
    async with (
        running(receive(event_rate=20.0, event_burst=1), node) as (listener,),
        connected(listener.port, own=HERE) as flood,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(flood.send, *events)
        for _ in range(6):
            assert (await flood.message()).role == "ack"
        nursery.cancel_scope.cancel()
    assert 0 < read <= 2 * 2**16  # the kernel, and then the author, has the rest


@pytest.mark.usefixtures("_all_counted")
async def test_a_subscribers_address_is_held_to_the_same() -> None:
    with capture_logs() as logs:
        options = {"max_per_address": 2, "connection_rate": 4.0, "connection_burst": 1}
        async with (
            running(broadcast(**options), FakeNode()) as (listener,),
            connected(listener.port, own=HERE) as first,
            connected(listener.port, own=HERE) as second,
        ):
            for peer in (first, second):
                assert (await peer.message()).role == "authenticate"
            async with connected(listener.port, own=HERE) as third:
                assert await third.closed()
            async with connected(listener.port, own=ELSEWHERE) as other:
                assert (await other.message()).role == "authenticate"
    assert told_of(logs, "connection refused") == ["its address has 2 connections already"]
    assert told_of(logs, "connections have to wait") == ["its address makes more than 4 a second"]


Attack = Callable[[Peer], Awaitable[object]]


def sends(*data: bytes) -> Attack:
    async def attack(peer: Peer) -> None:
        with suppress(trio.BrokenResourceError):  # it is cut off in the middle of it
            for each in data:
                await peer.stream.send_all(each)

    return attack


DEEP = voevent().replace(b"</Who>", b"</Who><What>" + b"<Group>" * 80 + b"</Group>" * 80 + b"</What>")
CROWDED = voevent().replace(b"<Who>", b"<Who " + b" ".join(b'a%d=""' % n for n in range(300)) + b">")


@pytest.mark.parametrize(
    ("attack", "told", "reason"),
    [
        (sends(), "author cut off", "sent nothing in 0.2 s"),
        (sends(b"\0\0"), "author cut off", "sent a frame too slowly: 2 bytes short 0.3 s after it began"),
        (sends(frame(voevent())[:-1]), "author cut off", "sent a frame too slowly: 1 bytes short 0.3 s"),
        (sends(struct.pack("!I", 2**32 - 1)), "author cut off", "announced a frame of 4294967295 bytes"),
        (sends(frame(b"x" * 70_000)), "author cut off", "announced a frame of 70000 bytes"),
        (sends(b"GET / HTTP/1.1\r\n\r\n"), "author cut off", "announced a frame of 1195725856 bytes"),
        (
            sends(*[frame(write_iamalive("ivo://a.b/c", clock))] * 150),
            "author cut off",
            "sent more than 100 Transport messages and no event",
        ),
        (sends(frame(DEEP)), "", "elements are nested deeper than 64"),
        (sends(frame(CROWDED)), "", "an element has more than 256 attributes"),
        (sends(frame(b"")), "", "no XML: there are no bytes at all"),
    ],
    ids=[
        "silence",
        "slow count",
        "slow frame",
        "4 GB",
        "long",
        "HTTP",
        "chatter",
        "deep",
        "crowded",
        "empty",
    ],
)
async def test_a_limit_of_the_receiver_is_told_and_an_ordinary_event_goes_through(
    attack: Attack, told: str, reason: str, autojump_clock: trio.testing.MockClock
) -> None:
    port = receive(first_byte_timeout=0.2, frame_timeout=0.3, idle_timeout=5.0)
    with capture_logs() as logs:
        async with running(port, FakeNode(max_event=65_536)) as (listener,):
            async with connected(listener.port, own=HERE) as peer:
                await attack(peer)
                assert await goes_through(listener.port) < AT_ONCE
                if told:
                    while not await peer.closed():
                        pass
                else:
                    answer = await peer.message()
                    assert (answer.role, reason in (answer.result or "")) == ("nak", True)
            assert await goes_through(listener.port, 1) < AT_ONCE
    if told:
        assert reason in told_of(logs, told)[0]
        assert all(each["peer"].startswith(HERE) for each in logs if each["event"] == told)


@pytest.mark.parametrize(
    ("attack", "told", "reason"),
    [
        (sends(struct.pack("!I", 2**31)), "subscriber dropped", "announced a frame of 2147483648 bytes"),
        (
            sends(*[frame(write_ack("ivo://a.b/never#sent", "", clock))] * 150),
            "subscriber dropped",
            "sent more than 100 frames that nobody asked for",
        ),
        (
            sends(
                frame(write_authenticate("ivo://a.b/c", clock, filters=["//Who"] * 2 + ["//What", "//Why"]))
            ),
            "filter left out",
            "a subscriber may have 2 filters; this one and the rest are too many",
        ),
        (
            sends(frame(write_authenticate("ivo://a.b/c", clock, filters=["//" + "x" * 200]))),
            "filter left out",
            "is longer than 100 characters",
        ),
    ],
    ids=["2 GB", "chatter", "many filters", "long filter"],
)
async def test_a_limit_of_the_broadcaster_is_told_and_an_ordinary_subscriber_gets_events(
    attack: Attack, told: str, reason: str
) -> None:
    node = FakeNode()
    port = broadcast(max_filters=2, max_filter_length=100)
    with capture_logs() as logs:
        async with (
            running(port, node) as (listener,),
            connected(listener.port, own=ELSEWHERE) as good,
            connected(listener.port, own=HERE) as peer,
        ):
            await good.send(write_authenticate("ivo://a.b/c", clock))
            await peer.message()
            await attack(peer)
            with trio.fail_after(60):
                while not told_of(logs, told):  # noqa: ASYNC110 - nobody tells of a log line
                    await trio.sleep(0.01)
            node.carry(event := voevent("ivo://a.b/ordinary#1"))
            assert await good.event() == event
    assert reason in told_of(logs, told)[0]
    assert all(each["peer"].startswith(HERE) for each in logs if each["event"] == told)


def test_a_bucket_fills_up_again_and_one_address_does_not_empty_anothers() -> None:
    rates = Rates(10.0, 5)
    assert [rates.take("a", 0.0) for _ in range(5)] == [0.0] * 5
    assert [rates.take("a", 0.0) for _ in range(3)] == [pytest.approx(wait) for wait in (0.1, 0.2, 0.3)]
    assert rates.take("b", 0.0) == 0.0
    assert rates.take("a", 0.8) == pytest.approx(0.0)
    assert [rates.take("a", 10.0) for _ in range(6)][-2:] == [0.0, pytest.approx(0.1)]


def test_no_rate_is_no_limit_and_this_machine_is_not_counted() -> None:
    free = Rates(0.0, 1)
    assert [free.take("a", 0.0) for _ in range(100)] == [0.0] * 100
    strict = Rates(1.0, 1)
    assert [strict.take("", 0.0) for _ in range(100)] == [0.0] * 100
    assert [counted(host) for host in ("", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1")] == [""] * 5
    assert counted("192.0.2.1") == "192.0.2.1"
    assert counted("2001:db8::1%eth0") == "2001:db8::/64"


def test_buckets_without_number_take_bounded_memory() -> None:
    rates = Rates(1.0, 1)
    for number in range(10_000):
        rates.take(str(number), 0.0)
    assert len(rates._full) == 4096


def test_both_ports_have_the_same_limits_by_the_same_names() -> None:
    ours = {field.name for field in attrs.fields(VTPReceive)} & {
        field.name for field in attrs.fields(VTPBroadcast)
    }
    assert ours >= {
        *("listen", "allow", "tls", "max_connections", "max_per_address"),
        *("connection_rate", "connection_burst", "handshake_timeout"),
    }
