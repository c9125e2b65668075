"""`forward`: events sent on to another broker, as an author; what each answer means for what is owed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

import voeflow
from support.certificates import Authority
from support.nodes import running as running_node
from support.ports import free_port
from support.samples import voevent
from transports.vtp_node import FakeNode, Peer, accept_all, listening, running, told_logs
from transports.vtp_support import clock
from voeflow_transports.vtp._messages import write_ack, write_nak
from voeflow_transports.vtp._submit import submit_all
from voeflow_transports.vtp._tls import ClientTLS, ServerTLS
from voeflow_transports.vtp.forward import Forward
from voeflow_transports.vtp.receive import VTPReceive

EVENTS = [voevent(f"ivo://a.b/c#{number}") for number in range(100)]


async def until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(60):
        while not holds():  # noqa: ASYNC110 - what is waited for tells nobody
            await trio.sleep(0.002)


async def test_events_arrive_as_they_are_and_are_done_when_acknowledged() -> None:
    broker, node = FakeNode(), FakeNode()
    receiver = VTPReceive(listen=("127.0.0.1:0",))
    async with running(receiver, broker) as (listener,), running(Forward(f"127.0.0.1:{listener.port}"), node):
        node.carry(*EVENTS)
        node.carry(EVENTS[0])
        await until(lambda: len(broker.submitted) == 101)
        await until(lambda: len(node.settled) == 100)
    assert [raw for raw, _, _ in broker.submitted] == [*EVENTS, EVENTS[0]]
    assert set(node.settled.values()) == {"done"}
    assert len({peer for _, _, peer in broker.submitted}) == 2  # one connection for each batch


async def test_events_go_on_in_tls_and_wait_where_the_broker_is_not_who_it_should_be(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    port, site = authority.certify("port", "127.0.0.1"), authority.certify("site", "x", subject="site")
    tls = ServerTLS(certificate=port.certificate, key=port.key, client_ca=authority.path)
    receiver = VTPReceive(listen=("127.0.0.1:0",), tls=tls, allow=("cert:CN=site",))
    broker, node, other = FakeNode(), FakeNode(), FakeNode()
    async with running(receiver, broker) as (listener,):
        own = ClientTLS(ca=authority.path, certificate=site.certificate, key=site.key)
        async with running(Forward(f"127.0.0.1:{listener.port}", tls=own), node):
            node.carry(*EVENTS[:3])
            await until(lambda: len(node.settled) == 3)
        with capture_logs() as logs:
            async with running(Forward(f"127.0.0.1:{listener.port}", tls=True), other):
                other.carry(EVENTS[0])
                await until(lambda: any("certificate" in str(each.get("reason")) for each in logs))
    assert set(node.settled.values()) == {"done"}
    assert other.settled == {}


async def test_a_refusal_is_for_good_and_keeps_the_broker_s_reason() -> None:
    async def picky(raw: bytes) -> voeflow.Submission:
        if b'c#1"' in raw:
            return voeflow.Submission("refused", "ivo://a.b/c#1", "not\nhere")
        return await accept_all(raw)

    ended: list[object] = []
    broker, node = FakeNode(picky), FakeNode()
    receiver = VTPReceive(listen=("127.0.0.1:0",))
    async with running(receiver, broker) as (listener,), running(Forward(f"127.0.0.1:{listener.port}"), node):
        node.offer(
            [
                voeflow.Delivery(
                    voeflow.Event.parse(raw), str(number), 1, lambda _, ending: ended.append(ending)
                )
                for number, raw in enumerate(EVENTS[:3])
            ]
        )
        await until(lambda: len(ended) == 3)
    assert (ended[0], ended[2]) == (None, None)
    assert isinstance(ended[1], voeflow.GiveUp)
    assert ended[1].reason.startswith(f"127.0.0.1:{listener.port} refused it: ")
    assert "not" in ended[1].reason


async def answering(*answers: bytes | None) -> dict[str, str]:
    """Forward one event to a broker that gives these answers, one a connection; None is none at all."""
    node = FakeNode()
    async with listening() as (port, accept), running(Forward(f"127.0.0.1:{port}"), node):
        node.carry(EVENTS[0])
        for answer in answers:
            peer: Peer = await accept()
            await peer.receive()
            if answer is not None:
                await peer.send(answer)
            await peer.stream.aclose()
        await until(lambda: len(node.settled) == 1)
    return node.settled


async def test_what_a_comet_says_of_a_duplicate_is_success() -> None:
    answer = write_nak("o", "", "Event rejected: Previously seen by this broker", clock)
    assert await answering(answer) == {"ivo://a.b/c#0": "done"}


async def test_no_receipt_is_a_temporary_failure_that_says_what_may_be_wrong() -> None:
    with told_logs() as logs:
        (ending,) = (await answering(None)).values()
    assert ending.startswith("in 5 s: 127.0.0.1:")
    assert f"is the packet ({len(EVENTS[0])} bytes) below its limit?" in ending
    assert [each["event"] for each in logs] == ["no receipt"]


@pytest.fixture
def clock_to_set_forward() -> trio.testing.MockClock:
    """Give a clock that goes as any does, so that one may wait for what the network brings."""
    return trio.testing.MockClock(rate=1.0)


async def test_one_that_gets_no_receipt_is_put_off_for_longer_each_time_and_given_up_in_the_end(
    clock_to_set_forward: trio.testing.MockClock,
) -> None:
    endings: list[object] = []
    event = voeflow.Event.parse(EVENTS[0])
    node = FakeNode()

    async def deaf(accept: Callable[[], Awaitable[Peer]]) -> None:
        while True:
            peer = await accept()
            await peer.receive()
            await peer.stream.aclose()

    async with listening() as (port, accept), trio.open_nursery() as nursery:
        nursery.start_soon(deaf, accept)
        forward = Forward(f"127.0.0.1:{port}", give_up_after=voeflow.Seconds(500.0))
        async with running(forward, node):
            for attempt in (1, 2):
                node.offer(
                    [voeflow.Delivery(event, "one", attempt, lambda _, ending: endings.append(ending))]
                )
                await until(lambda: len(endings) == attempt)  # noqa: B023 - it is waited for at once
                clock_to_set_forward.jump(500.0)  # as long as it is tried for
        nursery.cancel_scope.cancel()
    later, given_up = endings
    assert isinstance(later, voeflow.Later)
    assert later.seconds == 5
    assert isinstance(given_up, voeflow.GiveUp)
    assert "tried for" in given_up.reason


async def test_events_wait_in_their_order_for_a_broker_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("voeflow_transports.vtp.forward._FIRST_WAIT", 0.01)
    tries = 0

    async def counted(*arguments: Any) -> None:
        nonlocal tries
        tries += 1
        await submit_all(*arguments)

    monkeypatch.setattr("voeflow_transports.vtp.forward.submit_all", counted)
    port = free_port()
    broker, node = FakeNode(), FakeNode()
    with told_logs() as logs:
        async with running(Forward(f"127.0.0.1:{port}"), node):
            node.carry(*EVENTS[:5])
            await until(lambda: tries >= 2)
            assert node.settled == {}
            async with running(VTPReceive(listen=(f"127.0.0.1:{port}",)), broker):
                await until(lambda: len(node.settled) == 5)
    assert [raw for raw, _, _ in broker.submitted] == EVENTS[:5]
    assert set(node.settled.values()) == {"done"}
    told = [each["event"] for each in logs]
    assert told[0] == "events wait for a broker that cannot be reached"
    assert told[-1] == "the broker takes events again"
    assert "Connection refused" in logs[0]["reason"]


async def test_a_broker_that_dies_between_events_gets_the_rest_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("voeflow_transports.vtp.forward._FIRST_WAIT", 0.01)
    node = FakeNode()
    got = []

    async def dies_and_comes_back(accept: Callable[[], Awaitable[Peer]]) -> None:
        patience = 2
        while True:
            peer = await accept()
            with suppress(EOFError):
                for _ in range(patience):
                    got.append(await peer.receive())
                    await peer.send(write_ack("ivo://a.b/c", "", clock))
            patience = 1
            await peer.stream.aclose()

    async with listening() as (port, accept), trio.open_nursery() as nursery:
        nursery.start_soon(dies_and_comes_back, accept)
        async with running(Forward(f"127.0.0.1:{port}"), node):
            node.carry(*EVENTS[:4])
            await until(lambda: len(node.settled) == 4)
        nursery.cancel_scope.cancel()
    assert set(node.settled.values()) == {"done"}
    assert set(got) == set(EVENTS[:4])


async def test_it_speaks_tls_and_to_no_broker_that_is_another(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certified = authority.certify("server", "127.0.0.1")
    port_tls = ServerTLS(certificate=certified.certificate, key=certified.key)
    broker, node, stranger = FakeNode(), FakeNode(), FakeNode()
    receiver = VTPReceive(listen=("127.0.0.1:0",), tls=port_tls)
    with capture_logs() as logs:
        async with running(receiver, broker) as (listener,):
            remote = f"127.0.0.1:{listener.port}"
            trusting = Forward(remote, tls=ClientTLS(ca=authority.path))
            async with running(trusting, node), running(Forward(remote, tls=True), stranger):
                node.carry(*EVENTS[:2])
                stranger.carry(EVENTS[2])
                await until(lambda: len(node.settled) == 2)
                await until(lambda: any(each["event"].startswith("events wait") for each in logs))
    assert set(node.settled.values()) == {"done"}
    assert EVENTS[2] not in [raw for raw, _, _ in broker.submitted]
    reasons = [each["reason"] for each in logs if each["event"].startswith("events wait")]
    assert all("certificate that is not taken" in reason for reason in reasons)


@pytest.mark.parametrize("remote", ["", ":8098", "a b", "host:0"])
def test_a_bad_address_is_a_mistake(remote: str) -> None:
    with pytest.raises(ValueError, match="expected an address to connect to"):
        Forward(remote)


def test_the_port_is_that_for_authors_if_left_out() -> None:
    assert str(Forward("broker.example.org").remote) == "broker.example.org:8098"


NODE = """
ivoid = "ivo://org.example/{name}"
[transports.in]
plugin = "hand"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:{own}"
[transports.onward]
plugin = "forward"
remote = "127.0.0.1:{other}"
[handlers.notes]
plugin = "notebook"
"""


async def test_two_nodes_that_send_to_one_another_send_each_event_once(tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    folders = [tmp_path / name for name in ("left", "right")]
    for folder in folders:
        folder.mkdir()
    left, right = (
        NODE.format(name=folder.name, own=own, other=other)
        for folder, own, other in zip(folders, ports, reversed(ports), strict=True)
    )
    duplicates: list[str] = []
    changed = trio.Event()

    class Watches:
        @voeflow.hookimpl
        def event_duplicate(self, event: voeflow.Event) -> None:
            duplicates.append(event.ivorn)
            changed.set()

    async with (
        running_node(folders[0], left, [Watches()]) as (first, _),
        running_node(folders[1], right, []) as (second, _),
    ):
        await first.transports["in"].instance.node.submit(EVENTS[0])
        await second.handlers["notes"].instance.wait(1)
        with trio.fail_after(60):
            await changed.wait()
    assert duplicates == ["ivo://a.b/c#0"]
    assert len(first.handlers["notes"].instance.seen) == len(second.handlers["notes"].instance.seen) == 1
