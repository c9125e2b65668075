"""Subscribers' slow filters, over real sockets: what they do to others and what becomes of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import trio

from support.samples import voevent
from transports.vtp_node import FakeNode, Peer, broadcast, connected, greeted, running, settled, told_logs
from transports.vtp_support import ENDLESS
from voeflow_transports.vtp._costs import Costs
from voeflow_transports.vtp._judge import Judge, Judgement, Question

ONE, TWO = voevent("ivo://a.b/c#1"), voevent("ivo://a.b/c#2", role="utility")

Logs = list[MutableMapping[str, Any]]
Join = Callable[..., Awaitable[Peer]]


def bomb(word: str, inner: str = ENDLESS) -> str:
    """Give an expression that is quick on every event but one that has a certain word."""
    return f"//Param[@name='{word}'] and {inner}"


def event(ivorn: str, *words: str) -> bytes:
    params = "".join(f'<Param name="{word}" value="1"/>' for word in words)
    return voevent(ivorn, body=f"<What>{params}{20 * '<Param/>'}</What>")


@asynccontextmanager
async def joining(node: FakeNode, **options: object) -> AsyncIterator[Join]:
    """Run a broadcaster; give what lets a subscriber join it, from an address of its own, with filters."""
    async with running(broadcast(**options), node) as (listener,), AsyncExitStack() as stack:
        number = 0

        async def join(*filters: str, own: str = "") -> Peer:
            nonlocal number
            number += 1
            address = own or f"127.0.0.{1 + number}"
            peer = await stack.enter_async_context(connected(listener.port, own=address, patience=60))
            await greeted(peer, *filters)
            return peer

        yield join


def left_out(logs: Logs) -> list[tuple[str, str, str]]:
    """Give the filters that were left out: the address, the expression, and why."""
    return [
        (each["peer"].rpartition(":")[0], each["filter"], each["reason"])
        for each in logs
        if each["event"] == "filter left out"
    ]


@pytest.fixture
def asked_to_the_end(monkeypatch: pytest.MonkeyPatch) -> trio.Event:
    """Give what has to be set before any filter that is asked with all the time it may have is at its end.

    So what others have before that they have not waited for it, however slow the machine is.
    """
    go, ask = trio.Event(), Judge.ask

    async def hold(judge: Judge, *rest: Any) -> object:
        if judge.nice:  # it alone is: see `Asking`
            await go.wait()
        return await ask(judge, *rest)

    monkeypatch.setattr(Judge, "ask", hold)
    return go


async def test_a_filter_that_suddenly_takes_too_long_keeps_nobody_waiting_who_has_another(
    asked_to_the_end: trio.Event,
) -> None:
    node = FakeNode()
    with told_logs() as logs:
        async with joining(node, max_filter_time=0.2) as join:
            # The hostile one was here first, so that it is asked first.
            hostile, other = await join(bomb("now")), await join("//What")
            node.carry(event("ivo://a.b/c#1"))
            assert await other.event() == event("ivo://a.b/c#1")
            for number in range(2, 6):  # all while the first of these is asked with all the time it may have
                packet = event(f"ivo://a.b/c#{number}", "now")
                node.carry(packet)
                assert await other.event() == packet
            assert "ivo://a.b/c#2" not in node.settled
            asked_to_the_end.set()
            assert await hostile.event() == event("ivo://a.b/c#2", "now")  # who has no filter left has all
    assert left_out(logs) == [("127.0.0.2", bomb("now"), "takes too long")]


@pytest.mark.usefixtures("asked_to_the_end")  # which no filter here ever is
@pytest.mark.parametrize(("honest", "ended"), [("//What", 0), ("//What[count(//Param) > 0]", 1)])
async def test_what_one_such_filter_costs_the_others_is_below_a_tenth_of_a_second(
    honest: str, ended: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float] = []
    ask = Judge.ask

    async def listen(judge: Judge, question: Question, *rest: Any) -> Judgement:
        judgement = await ask(judge, question, *rest)
        if judgement.costly is not None:
            limits.append(question.limit)
        return judgement

    node = FakeNode()
    async with joining(node, max_filter_time=60.0) as join:
        for number in range(5):
            await join(bomb(f"now-{number}"))
        other = await join(honest)
        monkeypatch.setattr(Judge, "ask", listen)
        for number in range(5):
            packet = event(f"ivo://a.b/c#{number}", f"now-{number}")
            node.carry(packet)
            assert await other.event() == packet
            # Of processor time: by the clock it is as much more as the machine is busy.
            assert len(limits) <= ended
            assert sum(limits) < 0.1
            limits.clear()
        assert not node.settled


async def get(peer: Peer, packet: bytes, had: list[Peer]) -> None:
    """Wait until a subscriber has an event, and note that it has."""
    assert await peer.event() == packet
    had.append(peer)


async def test_who_was_here_first_does_not_wait_for_the_filters_of_those_who_came_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Which costs less is asked first; on a busy machine, that is now one and now another.
    note = Costs.note
    monkeypatch.setattr(Costs, "note", lambda self, took, of: note(self, dict.fromkeys(took, 20e-6), of))
    node = FakeNode()
    with told_logs() as logs:
        async with joining(node, max_filter_time=0.05) as join:
            first = await join("//What[count(//Param) > 0]")  # which is not plain
            for number in range(6):
                await join(bomb(f"now{number}"))
            plain, last = await join("//What/Param"), await join("//What[count(//Param) > 1]")
            packet = event("ivo://a.b/c#1", *(f"now{number}" for number in range(6)))
            had: list[Peer] = []
            node.carry(packet)
            async with trio.open_nursery() as nursery:
                for peer in (last, plain, first):
                    nursery.start_soon(get, peer, packet, had)
            assert had[-1] is last
            await node.until(lambda: node.settled, patience=60)
    assert sorted(left_out(logs)) == [
        (f"127.0.0.{3 + number}", bomb(f"now{number}"), "takes too long") for number in range(6)
    ]


async def test_what_was_barred_cannot_come_back_from_anywhere_nor_anything_from_there() -> None:
    node = FakeNode()
    with told_logs() as logs:
        async with joining(node, max_filter_time=0.2) as join:
            hostile = await join(bomb("now"), own="127.0.0.2")
            packet = event("ivo://a.b/c#1", "now")
            node.carry(packet)
            assert await hostile.event() == packet
            await hostile.stream.aclose()
            await join(bomb("now"), "//Who", own="127.0.0.2")
            await join(bomb("now"), "//Who", own="127.0.0.3")
    elsewhere = "its address has brought some that take too long"
    assert left_out(logs) == [
        ("127.0.0.2", bomb("now"), "takes too long"),
        ("127.0.0.2", bomb("now"), elsewhere),
        ("127.0.0.2", "//Who", elsewhere),
        ("127.0.0.3", bomb("now"), "takes too long"),
    ]


async def test_a_new_filter_that_takes_too_long_is_barred_before_any_event() -> None:
    node = FakeNode()
    with told_logs() as logs:
        async with joining(node, max_filter_time=0.2) as join:
            hostile = await join("//Nothing", ENDLESS, "/*[@role='utility']")
            node.carry(ONE, TWO)
            assert await hostile.event() == TWO
    assert left_out(logs) == [("127.0.0.2", ENDLESS, "takes too long")]


async def test_what_takes_too_long_to_be_compiled_and_tried_is_barred_too() -> None:
    deep = "count(//*) > 0"
    for _ in range(30):
        deep = f"count(//*[{deep}]) > 0"
    node = FakeNode()
    with told_logs() as logs:
        async with joining(node, max_filter_time=0.2) as join:
            hostile = await join("//Who", deep)
            node.carry(ONE)
            assert await hostile.event() == ONE
    ((_, filter_, reason),) = left_out(logs)
    assert (filter_[:5], reason) == ("count", "takes too long")


async def test_who_brings_filters_that_take_too_long_is_dropped_at_the_second() -> None:
    node = FakeNode()
    endless = [f"{ENDLESS} or {number}" for number in range(6)]
    with told_logs() as logs:
        async with joining(node, max_filter_time=0.2) as join:
            other = await join("//What")
            with pytest.raises((EOFError, trio.BrokenResourceError)):
                await join(*endless)
            node.carry(ONE)
            assert await other.event() == ONE
            await settled(other)
    reasons = [reason for _, _, reason in left_out(logs)]
    assert len([each for each in reasons if each.startswith("takes too long")]) == 2
    assert set(reasons) - {"came with some that take too long"} == {
        "takes too long",
        "takes too long, with the others of its address",
    }
    (told,) = [each["reason"] for each in logs if each["event"] == "subscriber dropped"]
    assert told == "brought filters that take too long"


@pytest.mark.usefixtures("asked_to_the_end")
async def test_new_filters_do_not_wait_for_those_that_are_being_tried_with_all_the_time_they_may_have() -> (
    None
):
    node = FakeNode()
    with told_logs() as logs:
        async with joining(node, max_filter_time=0.2) as join, trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(join, ENDLESS)
            await join("//What")
            nursery.cancel_scope.cancel()
    assert not left_out(logs)


@pytest.mark.usefixtures("asked_to_the_end")
async def test_popular_filters_stay_quick_when_a_hostile_one_brings_them_too() -> None:
    node = FakeNode()
    async with joining(node, max_filter_time=0.2) as join:
        await join(bomb("now"), own="127.0.0.2")
        await join("//What", "//What[2]", own="127.0.0.2")
        other = await join("//What[2]", "//What")
        for number in range(2):
            packet = event(f"ivo://a.b/c#{number}", "now")
            node.carry(packet)
            assert await other.event() == packet
        assert not node.settled


async def test_the_same_filter_is_asked_once_an_event_whoever_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    ask = Judge.ask

    async def listen(judge: Judge, question: Question, *rest: Any) -> object:
        if ONE in question.packets:
            asked.extend(question.expressions)
        return await ask(judge, question, *rest)

    monkeypatch.setattr(Judge, "ask", listen)
    node = FakeNode()
    slow = "count(//*[count(//*[count(//*) > 1]) > 1]) > 0 and //Nothing"
    async with joining(node, max_filter_time=10.0) as join:
        peers = [await join("//What"), await join("//What", "//Who"), await join(slow, "/*[@role='test']")]
        node.carry(ONE)
        for peer in peers[:2]:
            assert await peer.event() == ONE
        await node.until(lambda: node.settled)
    assert sorted(asked) == sorted(["//What", "//Who", slow, "/*[@role='test']"])


async def test_events_come_in_order_also_to_who_has_a_filter_that_is_not_quick() -> None:
    node = FakeNode()
    slow = bomb("now", "count(//*[count(//*[count(//*[count(//*) > 1]) > 1]) > 1]) > 0")
    packets = [event(f"ivo://a.b/c#{number}", *["now"] * (30 if number == 0 else 0)) for number in range(20)]
    async with joining(node, max_filter_time=10.0) as join:
        peer = await join(slow, "//What")
        for packet in packets:
            node.carry(packet)
        assert [await peer.event() for _ in packets] == packets


async def test_filters_that_each_take_less_than_they_may_keep_only_each_other_waiting() -> None:
    # Each takes some 0.1 s: all would take ten seconds.
    slow = [f'count(//Param[count(//Param[@value="{number}"])>1])' for number in range(16)]
    body = "<What>" + '<Param name="a" value="1"/>' * 650 + "</What>"
    events = [voevent(f"ivo://a.b/c#{number}", body=body) for number in range(6)]
    node = FakeNode()
    with told_logs() as logs, trio.fail_after(60):
        async with joining(node, max_filter_time=0.5) as join:
            hostile, filtered, plain = await join(*slow), await join("//What"), await join()
            await settled(plain)
            for packet in events:
                node.carry(packet)
            for peer in (plain, filtered):
                assert [await peer.event() for _ in events] == events
            assert await hostile.closed()
            await node.until(lambda: len(node.settled) == len(events), patience=60)
    assert set(node.settled.values()) == {"done"}
    (told,) = [each["reason"] for each in logs if each["event"] == "subscriber dropped"]
    assert told == "brought filters that take too long"
