"""What a filter remembers: the same answer for the same event, whatever happens in between."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import attrs
import pytest
import trio
from click.testing import CliRunner

import voeflow
from support.nodes import running
from support.samples import voevent
from support.stored import new_event
from voeflow._command import main
from voeflow._errors import StoreError
from voeflow._places import PlacesInMemory, PlacesOf
from voeflow._plugins import load_plugins
from voeflow._store import Store, StoreReader
from voeflow_filters.once import Once

KEY, OTHER = bytes(32), bytes([1]) * 32
A, B, C = (bytes([n]) * 32 for n in b"abc")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "voeflow.db"


def event(number: int) -> voeflow.Event:
    return voeflow.Event.parse(voevent(f"ivo://org.example/bursts#{number}"))


def test_the_first_that_asks_has_the_place_and_keeps_it(path: Path) -> None:
    for keeper in (PlacesInMemory(), Store.open(path)):
        assert [keeper.take_place("once", KEY, each, 1) for each in (A, B, A, B)] == [1, None, 1, None]
        assert keeper.take_place("once", OTHER, B, 1) == 1
        assert keeper.take_place("another", KEY, B, 1) == 1
        assert [keeper.take_place("rate", KEY, each, 2) for each in (C, A, B, A)] == [1, 2, None, 2]


def _take_and_die(path: Path) -> None:
    Store.open(path).take_place("once", KEY, A, 1)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_place_outlives_a_process_that_is_killed_the_instant_it_was_given(path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_take_and_die, args=(path,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    store = Store.open(path)
    assert (store.take_place("once", KEY, B, 1), store.take_place("once", KEY, A, 1)) == (None, 1)
    store.close()


def test_who_reads_only_is_told_and_changes_nothing(path: Path) -> None:
    store = Store.open(path)
    store.take_place("once", KEY, A, 1)
    reader = StoreReader.open(path)
    assert [reader.take_place("once", KEY, each, 1) for each in (A, B)] == [1, None]
    assert [reader.take_place("once", OTHER, each, 1) for each in (A, B)] == [1, 1]
    reader.close()
    assert store.take_place("once", OTHER, B, 1) == 1
    store.close()


def test_a_store_that_is_closed_gives_no_place(path: Path) -> None:
    store = Store.open(path)
    store.close()
    with pytest.raises(StoreError):
        store.take_place("once", KEY, A, 1)


def test_places_are_forgotten_with_the_events_that_have_them(path: Path) -> None:
    store = Store.open(path)
    stored = new_event(1, received=1.0)
    store.append([stored])
    store.take_place("once", KEY, stored.digest, 1)
    store.take_place("once", OTHER, A, 1)  # of an event that is there no more
    long_after = 2.0**40
    store.open_sinks(["late"])
    assert store.prune(long_after, 10) == 2  # the event, and the place that is nobody's
    assert store.take_place("once", OTHER, B, 1) == 1
    assert store.take_place("once", KEY, stored.digest, 1) == 1
    assert store.prune(long_after, 10) == 2
    assert store.prune(long_after, 10) == 0
    store.close()


def test_a_key_may_be_any_text() -> None:
    places = PlacesOf("once", PlacesInMemory())
    for key in ("", "\0", "\ud800", "x" * 10**6, "é"):
        assert places.take(key, event(1)) == 1
        assert places.take(key, event(2)) is None


@attrs.frozen
class FirstOfAll:
    """Pass one event."""

    def matches(self, event: voeflow.Event, places: voeflow.Places) -> bool:
        return places.take("", event) == 1


class Offers:
    def __init__(self, cls: type) -> None:
        self.cls = cls

    @voeflow.hookimpl
    def register_filters(self) -> dict[str, type]:
        return {"first": self.cls}


PIPELINE = """
drain = 0
[transports.in]
plugin = "hand"
[filters.first]
plugin = "first"
[transports.out]
plugin = "wire"
when = "first"
settle = false
"""


async def test_a_node_answers_the_same_after_a_restart(tmp_path: Path) -> None:
    got = []
    for number in (1, 2):
        async with running(tmp_path, PIPELINE, [Offers(FirstOfAll)]) as (pipeline, _):
            await pipeline.transports["in"].instance.node.submit(event(number).raw)
            (delivery,) = await pipeline.transports["out"].instance.wait(1)
            got.append(delivery.event.ivorn)
    assert got == ["ivo://org.example/bursts#1"] * 2  # never settled, asked about again, and no other


async def test_events_are_asked_about_in_their_order_however_many_are_taken_at_once(tmp_path: Path) -> None:
    @attrs.frozen
    class Numbers:
        asked: list[str] = attrs.field(factory=list, init=False)

        def matches(self, event: voeflow.Event, places: voeflow.Places) -> bool:
            self.asked.append(event.ivorn)
            return places.take(event.ivorn, event) == 1

    toml = PIPELINE.replace("settle = false", "settle = true")
    async with running(tmp_path, toml, [Offers(Numbers)]) as (pipeline, _):
        submit = pipeline.transports["in"].instance.node.submit
        async with trio.open_nursery() as nursery:
            for number in range(60):
                nursery.start_soon(submit, event(number).raw)
        deliveries = await pipeline.transports["out"].instance.wait(60)
        positions = [delivery.position for delivery in deliveries]
        asked = pipeline.filters["first"].instance.asked
    assert positions == sorted(positions)
    assert asked == [delivery.event.ivorn for delivery in deliveries]


def test_a_filter_that_takes_places_must_not_be_asked_on_the_event_loop() -> None:
    @attrs.frozen
    class Inline(FirstOfAll):
        inline = True

    @attrs.frozen
    class Async:
        async def matches(self, event: voeflow.Event, places: voeflow.Places) -> bool:
            return False

    for cls in (Inline, Async):
        (failed,) = load_plugins([Offers(cls)]).failed
        assert "takes places, which are on disk: make `matches` a plain `def`" in failed.reason


def test_asking_the_store_with_where_gives_the_node_s_answers_and_takes_no_place(tmp_path: Path) -> None:
    toml = '[filters.once]\nplugin = "once"\nparam = "Packet_Type"\n[transports.in]\nplugin = "vtp-receive"\n'
    pipeline = tmp_path / "pipeline.toml"
    pipeline.write_text(toml + '[handlers.a]\nplugin = "print"\nwhen = "once"\n')
    store = Store.open(tmp_path / "voeflow.db")
    asked = Once(param=("Packet_Type",))
    places = PlacesOf("once", store)
    events = [event(number) for number in (1, 2, 3)]
    for number, each in enumerate(events):
        facts = {"raw": each.raw, "digest": each.digest, "ivorn": each.ivorn}
        store.append([attrs.evolve(new_event(number), **facts)])
    assert [bool(asked.matches(each, places)) for each in events[:2]] == [True, False]
    store.close()
    for _ in range(2):
        listed = CliRunner().invoke(
            main, ["events", "list", str(pipeline), "--where", "once", "--format", "ivorn"]
        )
        assert (listed.exit_code, listed.stdout.split()) == (0, ["ivo://org.example/bursts#1"])
