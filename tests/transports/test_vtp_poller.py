"""One task for all subscribers' connections: nobody has it alone, and nobody's failure ends it."""

from __future__ import annotations

import importlib.util
import select
import socket
from collections.abc import Iterator
from types import ModuleType

import attrs
import pytest
import trio
import trio.testing

from support.samples import voevent
from transports.vtp_node import FakeNode, connected, running, told_logs
from transports.vtp_support import IVOID, clock
from voeflow_transports.vtp import _poller
from voeflow_transports.vtp._broadcaster import Broadcaster
from voeflow_transports.vtp._messages import write_authenticate
from voeflow_transports.vtp.broadcast import VTPBroadcast


@attrs.define(eq=False)
class Line:
    """A connection whose other end is at hand; it reads `most` bytes when it is its turn."""

    most: int
    read: int
    near: socket.socket = attrs.field(init=False)
    far: socket.socket = attrs.field(init=False)
    turns: list[int] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self.near, self.far = socket.socketpair()

    def fileno(self) -> int:
        return self.near.fileno()

    def ready(self, events: int) -> None:
        self.turns.append(events)
        if self.most and events & self.read:
            self.near.recv(self.most)

    def close(self) -> None:
        self.near.close()
        self.far.close()


@pytest.fixture(params=["epoll", "elsewhere"])
def poll(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module as it is, and as it is on a system without epoll."""
    if request.param == "epoll":
        return _poller
    spec = importlib.util.find_spec(_poller.__name__)
    assert spec is not None
    assert spec.loader is not None
    with monkeypatch.context() as patch:
        patch.delattr(select, "epoll")
        spec.loader.exec_module(module := importlib.util.module_from_spec(spec))
    return module


@pytest.fixture
def lines(poll: ModuleType) -> Iterator[tuple[Line, Line]]:
    both = Line(0, poll.READ), Line(100, poll.READ)
    yield both
    for line in both:
        line.close()


async def test_who_always_has_more_keeps_neither_others_nor_other_tasks_waiting(
    poll: ModuleType, lines: tuple[Line, Line]
) -> None:
    endless, modest = lines
    poller = poll.Poller()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poller.run)
        for line in lines:
            poller.watch(line, 0, poll.READ)
        endless.far.send(b"x")
        while len(endless.turns) < 3:
            await trio.lowlevel.checkpoint()
        for turn in range(1, 4):
            so_far = len(endless.turns)
            modest.far.send(b"x")
            while len(modest.turns) < turn:
                await trio.lowlevel.checkpoint()
            assert len(endless.turns) <= so_far + 2
        nursery.cancel_scope.cancel()


async def test_only_what_is_asked_for_is_waited_for(poll: ModuleType, lines: tuple[Line, Line]) -> None:
    _, line = lines
    read, both = poll.READ, poll.READ | poll.WRITE
    poller = poll.Poller()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poller.run)
        poller.watch(line, 0, read)
        line.far.send(b"x")
        await trio.testing.wait_all_tasks_blocked()
        poller.watch(line, read, 0)
        line.far.send(b"x")
        await trio.testing.wait_all_tasks_blocked()
        assert line.turns == [read]
        poller.watch(line, 0, both)
        while len(line.turns) < 2:
            await trio.lowlevel.checkpoint()
        assert line.turns[1] == both
        poller.watch(line, both, read)
        await trio.testing.wait_all_tasks_blocked()
        turns = len(line.turns)
        line.far.send(b"x")
        await trio.testing.wait_all_tasks_blocked()
        assert line.turns[turns:] == [read]
        nursery.cancel_scope.cancel()
    poller.watch(line, read, 0)  # harmless at the end


async def test_who_is_closed_by_another_in_the_same_turn_is_not_served(poll: ModuleType) -> None:
    poller = poll.Poller()

    class Rival(Line):
        def ready(self, events: int) -> None:
            super().ready(events)
            rival = others[self]
            poller.watch(rival, poll.READ, 0)
            rival.close()

    one, two = Rival(100, poll.READ), Rival(100, poll.READ)
    others = {one: two, two: one}
    for line in others:
        poller.watch(line, 0, poll.READ)
        line.far.send(b"x")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poller.run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert sorted([one.turns, two.turns]) == [[], [poll.READ]]
    for line in others:
        line.close()


async def test_a_connection_that_was_reset_is_served(poll: ModuleType, lines: tuple[Line, Line]) -> None:
    _, line = lines
    poller = poll.Poller()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poller.run)
        poller.watch(line, 0, poll.WRITE)
        line.far.close()
        await trio.lowlevel.checkpoint()
        while not line.turns:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()


async def test_what_goes_wrong_over_one_subscriber_ends_that_one_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(Broadcaster, "_packet", fail)
    node = FakeNode()
    with told_logs() as logs:
        async with (
            running(VTPBroadcast(listen=("127.0.0.1:0",)), node) as (listener,),
            connected(listener.port) as one,
            connected(listener.port) as other,
        ):
            for peer in (one, other):
                assert (await peer.message()).role == "authenticate"
                await peer.send(write_authenticate(IVOID, clock))
            await one.send(b"<no/>")
            assert await one.closed()
            node.carry(voevent())
            assert await other.event() == voevent()
    assert [each["event"] for each in logs].count("connection failed") == 1
