"""The fake author and subscriber speak VTP with a real node; the fake node is one that a transport knows."""

from __future__ import annotations

import inspect
from pathlib import Path

import attrs
import pytest
import trio

import voeflow
from voeflow.testing import (
    FakeAuthor,
    FakeNode,
    FakePeer,
    FakeSubscriber,
    make_event,
    running_node,
    sample_packet,
    simulate,
)

BROKER = """
ivoid = "ivo://org.example/voeflow"
[transports.authors]
plugin = "vtp-receive"
listen = "unix:{0}/authors"
[transports.public]
plugin = "vtp-broadcast"
listen = "unix:{0}/public"
"""


async def test_an_event_goes_from_an_author_to_the_subscribers_that_ask_for_it(tmp_path: Path) -> None:
    authors, public = f"unix:{tmp_path}/authors", f"unix:{tmp_path}/public"
    wanted, other = make_event("wanted", role="test"), make_event("other")
    async with (
        running_node(BROKER.format(tmp_path), tmp_path),
        FakeSubscriber.connected(public) as everything,
        FakeSubscriber.connected(public, xpath=["//VOEvent[@role='none']", "/*[@role='test']"]) as tests,
        FakeAuthor.connected(authors) as author,
    ):
        assert everything.broker == "ivo://org.example/voeflow"
        receipts = [await author.submit(other), await author.submit(wanted.raw)]
        assert [(each.accepted, each.origin) for each in receipts] == [
            (True, other.ivorn),
            (True, wanted.ivorn),
        ]
        assert [(await everything.event()).raw, (await everything.event()).raw] == [other.raw, wanted.raw]
        assert (await tests.event()).raw == wanted.raw


async def test_a_refusal_is_a_receipt_with_its_reason(tmp_path: Path) -> None:
    async with (
        running_node(BROKER.format(tmp_path), tmp_path),
        FakeAuthor.connected(f"unix:{tmp_path}/authors") as author,
    ):
        receipt = await author.submit(sample_packet("doctype"))

    assert not receipt.accepted
    assert "DOCTYPE" in receipt.reason


async def every(peer: FakePeer) -> None:
    """Take frames until the other end closes."""
    while True:
        await peer.receive()


def test_a_subscriber_says_that_it_is_alive_and_one_that_does_not_is_left(tmp_path: Path) -> None:
    async def story() -> None:
        public = f"unix:{tmp_path}/public"
        async with (
            running_node(BROKER.format(tmp_path), tmp_path) as node,
            FakeSubscriber.connected(public, patience=3600) as alive,
            FakePeer.connected(public, patience=3600) as mute,
        ):
            await mute.receive()  # the greeting
            async with trio.open_nursery() as nursery:

                async def listen() -> None:
                    assert (await alive.event()).ivorn.endswith("#late")

                nursery.start_soon(listen)
                await trio.sleep(600)
                await node.submit(make_event("late"), source="authors")
            assert alive.alive >= 8
            with pytest.raises(EOFError):
                await every(mute)

    simulate(story)


async def test_a_subscriber_may_refuse(tmp_path: Path) -> None:
    public = f"unix:{tmp_path}/public"
    async with (
        running_node(BROKER.format(tmp_path), tmp_path) as node,
        FakeSubscriber.connected(public) as subscriber,
    ):
        subscriber.answer = "nak"
        await node.submit(make_event("a"), source="authors")
        await node.submit(make_event("b"), source="authors")
        assert [(await subscriber.event()).ivorn[-1], (await subscriber.event()).ivorn[-1]] == ["a", "b"]


async def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        async with FakeAuthor.connected("somewhere"):
            raise AssertionError("connected")


async def test_a_port_of_this_machine_is_enough() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener, FakePeer.connected(listener.socket.getsockname()[1]) as peer:
        stream = await listener.accept()
        await trio.aclose_forcefully(stream)
        assert await peer.closed()


def test_the_fake_node_has_all_that_a_node_has() -> None:
    public = {name for name in dir(voeflow.Node) if not name.startswith("_")}
    public |= set(voeflow.Node.__annotations__)
    node: voeflow.Node = FakeNode()

    assert {name for name in public if not hasattr(node, name)} == set()
    for name in public:
        if inspect.isfunction(expected := getattr(voeflow.Node, name, None)):
            assert inspect.signature(getattr(FakeNode, name)) == inspect.signature(expected), name


@attrs.frozen
class Bottle:
    """A transport that submits what it finds, and lets go of what it is given."""

    sink = True
    found: bytes

    async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[str]) -> None:
        task_status.started("at sea")
        node.heard("the sea")
        answer = await node.submit(self.found, validate="wellformed", peer="a beach")
        node.bookmark("last", answer.outcome)
        while True:
            for delivery in await node.take():
                if delivery.event.role == "test":
                    delivery.failed("nobody reads tests")
                else:
                    delivery.done()


async def test_a_transport_runs_on_a_fake_node(node: FakeNode) -> None:
    async with node.running(Bottle(sample_packet("burst"))) as started:
        assert started == "at sea"
        await node.until(lambda: node.noted)
        node.carry(make_event("kept"), make_event("lost", role="test").raw)
        await node.until(lambda: len(node.settled) == 2)

    assert node.submitted == [(sample_packet("burst"), "wellformed", "a beach")]
    assert node.noted == {"last": "accepted"}
    assert node.signs == ["the sea"]
    assert node.settled == {
        "ivo://org.example/testing#kept": "done",
        "ivo://org.example/testing#lost": "nobody reads tests",
    }


async def test_a_fake_node_asks_a_source_s_own_check(node: FakeNode) -> None:
    refused = await node.submit(sample_packet("test"), check=lambda event: f"no {event.role} is taken")
    taken = await node.submit(sample_packet("burst"), check=lambda event: "")

    assert (refused.outcome, refused.reason) == ("refused", "no test is taken")
    assert taken.outcome == "accepted"


def test_waiting_for_what_a_transport_never_does_ends() -> None:
    async def story() -> None:
        await FakeNode().until(lambda: False)

    with pytest.raises(trio.TooSlowError):
        simulate(story)
