from __future__ import annotations

import gc
import os
import socket
import weakref
from collections.abc import Iterator

import attrs
import pytest
import trio
import trio.testing

from voeflow_transports.vtp._addresses import Address
from voeflow_transports.vtp._connection import Connection, connect
from voeflow_transports.vtp._crowd import Crowd, network_of
from voeflow_transports.vtp._filtering import Filtering
from voeflow_transports.vtp._listeners import open_listeners
from voeflow_transports.vtp._sparingly import Sparingly


def pair() -> tuple[Connection, Connection]:
    left, right = socket.socketpair()
    return Connection(left, "left", ""), Connection(right, "right", "")


async def test_what_the_kernel_does_not_take_is_kept_and_flushed_in_order() -> None:
    left, right = pair()
    sent = [bytes([number]) * 100_000 for number in range(20)]
    for data in sent:
        left.send_nowait(data)
    assert left.unsent > 0
    got = b""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(left.flush)
        while len(got) < 2_000_000:
            got += await right.receive()
    assert got == b"".join(sent)
    assert left.unsent == 0
    left.close()
    assert await right.receive() == b""
    right.close()


async def test_closing_wakes_who_waits_and_twice_is_harmless() -> None:
    left, right = pair()

    async def wait() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await left.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        await left.aclose()
    left.close()
    with pytest.raises(trio.ClosedResourceError):
        left.send_nowait(b"x")
    with pytest.raises(trio.ClosedResourceError):
        await left.receive()
    right.close()


async def test_receiving_and_flushing_always_checkpoint() -> None:
    left, right = pair()
    left.send_nowait(b"x")
    with trio.testing.assert_checkpoints():
        assert await right.receive() == b"x"
    with trio.testing.assert_checkpoints():
        await left.flush()
    left.close()
    right.close()


@attrs.define(eq=False)
class Owner:
    """Whoever a connection tells that it closes, and who has it."""

    connection: Connection
    told: int = 0

    def closing(self) -> None:
        self.told += 1


@pytest.fixture
def _no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collector")
async def test_nothing_of_a_closed_connection_is_left_to_the_garbage_collector() -> None:
    left, right = pair()
    owner = Owner(left)
    left.on_close = owner.closing
    left.close()
    left.close()
    assert owner.told == 1
    gone = weakref.ref(owner)
    del owner
    assert gone() is None
    right.close()


async def test_small_pieces_are_sent_at_once_at_both_ends() -> None:
    (listener,) = await open_listeners([Address("127.0.0.1", 0)])
    near = await connect("127.0.0.1", listener.port, "")
    await trio.lowlevel.wait_readable(listener)
    (far,) = listener.accept()
    for connection in (near, far):
        with socket.socket(fileno=os.dup(connection.fileno())) as sock:
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        connection.close()
    listener.close()


async def test_finishing_waits_for_the_peer_only_so_long(autojump_clock: trio.testing.MockClock) -> None:
    left, right = pair()
    began = trio.current_time()
    await left.finish(5.0)
    assert trio.current_time() - began == pytest.approx(5.0)
    assert await right.receive() == b""
    right.close()


def connections(*hosts: str) -> list[Connection]:
    found = []
    for host in hosts:
        left, right = socket.socketpair()
        right.close()
        found.append(Connection(left, host, host))
    return found


async def test_the_network_with_the_most_connections_gives_way() -> None:
    a1, a2, a3, b1, b2, c1 = everyone = connections(
        "2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1", "192.0.2.1", "192.0.2.2"
    )
    crowd = Crowd(3)
    assert [crowd.enter(each) for each in (a1, a2, a3)] == [None, None, None]
    assert crowd.enter(b1) is a1  # the oldest of the /64 that has all
    assert crowd.enter(b2) is b2  # it would have as many as the largest
    crowd.leave(a1)  # gone already
    assert crowd.enter(c1) is a2
    crowd.leave(c1)
    assert crowd.enter(b2) is None
    for each in everyone:
        each.close()


def test_a_network_is_an_ipv4_address_or_an_ipv6_64() -> None:
    assert network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("2001:db8:0:1::5%eth0") == network_of("2001:db8:0:1:ffff::") == "2001:db8:0:1::/64"


def test_a_thing_is_said_once_an_interval_with_how_often_it_was_not() -> None:
    sparingly = Sparingly(60.0)
    assert [sparingly.due("a", at) for at in (0.0, 1.0, 59.9, 60.0, 61.0)] == [0, None, None, 2, None]
    assert sparingly.due("b", 61.0) == 0


def test_what_is_remembered_is_bounded() -> None:
    sparingly = Sparingly(60.0)
    for number in range(5000):
        sparingly.due(str(number), 0.0)
    assert len(sparingly._said) == 4096
    assert sparingly.due("4999", 1.0) is None


def test_a_filter_given_twice_counts_once() -> None:
    admission = Filtering(2, 100).sort(["//a", "//a", "//b"], "192.0.2.1", 0.0)
    assert admission.admitted == ("//a", "//b")
    assert admission.left_out == ()


def test_who_brought_a_barred_filter_may_bring_others_after_an_hour() -> None:
    filtering = Filtering(2, 100)
    filtering.bar("//slow", "takes too long", ["192.0.2.1", ""], 0.0)
    assert filtering.sort(["//a"], "192.0.2.1", 3599.0).admitted == ()
    assert filtering.sort(["//a"], "192.0.2.1", 3600.0).admitted == ("//a",)
    assert filtering.sort(["//a"], "192.0.2.2", 0.0).admitted == ("//a",)
    assert filtering.sort(["//a"], "", 0.0).admitted == ("//a",)
    assert filtering.sort(["//slow"], "192.0.2.2", 9999.0).left_out == (("//slow", "takes too long"),)


def test_several_sayings_may_be_due_before_the_rest_is_counted() -> None:
    sparingly = Sparingly(60.0, most=2)
    assert [sparingly.due("a", now) for now in (0.0, 1.0, 2.0, 59.0)] == [0, 0, None, None]
    assert [sparingly.due("a", now) for now in (60.0, 61.0, 62.0)] == [2, 0, None]
