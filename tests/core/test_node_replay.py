"""A node hands events over again when it is asked to, and gives up when it has been told to."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from structlog.testing import capture_logs

import voeflow
from support.nodes import Notebook, running
from support.samples import voevent
from support.stored import new_event
from voeflow import _bookkeeping, _ledger, _sink, _wall
from voeflow._store import Progress, Store, Waiting
from voeflow._store_asked import ask_again
from voeflow._store_deliveries import deliveries_of
from voeflow._store_reader import StoreReader
from voeflow._store_select import Selection, select_dead

NODE = """
[transports.in]
plugin = "hand"
[filters.test]
plugin = "role"
roles = ["test"]
[handlers.notes]
plugin = "notebook"
retry_wait = 0
retries = 1
"""


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_bookkeeping, "REPLAY_INTERVAL", 0.0)
    monkeypatch.setattr(_bookkeeping, "SAVE_INTERVAL", 0.001)


@attrs.define(eq=False)
class Gate:
    """A handler that keeps each event until it is let go, and notes it then."""

    begun: list[tuple[str, int]] = attrs.field(factory=list, init=False)
    seen: list[str] = attrs.field(factory=list, init=False)
    open: trio.Event = attrs.field(factory=trio.Event, init=False)

    async def handle(self, event: voeflow.Event, delivery: voeflow.Delivery) -> None:
        self.begun.append((event.ivorn, delivery.attempt))
        await self.open.wait()
        self.seen.append(event.ivorn)

    async def wait(self, number: int) -> None:
        await until(lambda: len(self.begun) >= number)


class Gates:
    @voeflow.hookimpl
    def register_handlers(self) -> dict[str, type]:
        return {"gate": Gate}


async def until(holds: Any) -> None:
    """Wait until something holds that nobody tells."""
    with trio.fail_after(60):
        while not holds():  # noqa: ASYNC110 - it is in a file, which tells nobody
            await trio.sleep(0.002)


def ivorn(number: int) -> str:
    return f"ivo://a.bc/d#{number}"


async def submit(pipeline: Any, *numbers: int, role: str = "observation") -> None:
    for number in numbers:
        await pipeline.transports["in"].instance.node.submit(voevent(ivorn(number), role=role))


async def replay(path: Path, *seqs: int, to: str = "notes") -> None:
    assert await trio.to_thread.run_sync(ask_again, path / "voeflow.db", to, seqs) == len(seqs)


def nothing_is_left(path: Path) -> bool:
    reader = StoreReader.open(path / "voeflow.db")
    try:
        states = [state for seq in range(1, reader.last_seq() + 1) for state in deliveries_of(reader, seq)]
        return not reader.anything_asked() and all(state.state == "delivered" for state in states)
    finally:
        reader.close()


async def test_a_running_node_hands_events_over_again_oldest_first_with_the_same_ids(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with running(tmp_path, NODE) as (pipeline, _):
            notes: Notebook = pipeline.handlers["notes"].instance
            await submit(pipeline, 1, 2, 3)
            first = list(await notes.wait(3))
            await replay(tmp_path, 3, 1)
            seen = await notes.wait(5)
            await until(lambda: nothing_is_left(tmp_path))

    assert seen[3:] == [first[0], first[2]]
    assert [line["sink"] for line in logs if "again, as asked" in line["event"]] == ["notes"]


async def test_a_node_that_does_not_run_hands_over_at_its_start(tmp_path: Path) -> None:
    async with running(tmp_path, NODE) as (pipeline, _):
        await submit(pipeline, 1, 2)
        await pipeline.handlers["notes"].instance.wait(2)
    await replay(tmp_path, 2)
    async with running(tmp_path, NODE) as (pipeline, _):
        seen = await pipeline.handlers["notes"].instance.wait(1)

    assert [each[0] for each in seen] == [ivorn(2)]
    assert nothing_is_left(tmp_path)


async def test_what_the_sink_does_not_want_or_came_before_it_is_handed_over_too(tmp_path: Path) -> None:
    async with running(tmp_path, NODE) as (pipeline, _):
        await submit(pipeline, 1, role="test")
    toml = NODE + '[handlers.new]\nplugin = "notebook"\nwhen = "not test"\nsources = ["in"]\n'
    async with running(tmp_path, toml) as (pipeline, _):
        await submit(pipeline, 2, role="test")
        await pipeline.handlers["notes"].instance.wait(1)
        await replay(tmp_path, 1, 2, to="new")
        seen = await pipeline.handlers["new"].instance.wait(2)

    assert [(each[0], each[2]) for each in seen] == [(ivorn(1), 1), (ivorn(2), 1)]


async def test_a_dead_letter_has_all_its_retries_again_and_its_attempts_count_on(tmp_path: Path) -> None:
    async with running(tmp_path, NODE.replace("retries = 1", "retries = 1\nfailures = 3")) as (pipeline, _):
        notes: Notebook = pipeline.handlers["notes"].instance
        await submit(pipeline, 1)
        await notes.wait(2)
        reader = StoreReader.open(tmp_path / "voeflow.db")
        await until(lambda: list(select_dead(reader, Selection())))
        await replay(tmp_path, 1)
        assert list(select_dead(reader, Selection())) == []
        reader.close()
        seen = await notes.wait(4)
        await until(lambda: nothing_is_left(tmp_path))

    assert [each[2] for each in seen] == [1, 2, 3, 4]
    assert len({each[1] for each in seen}) == 1


async def test_a_dead_letter_that_fails_again_is_one_again(tmp_path: Path) -> None:
    async with running(tmp_path, NODE.replace("retries = 1", "retries = 1\nfailures = 9")) as (pipeline, _):
        await submit(pipeline, 1)
        await pipeline.handlers["notes"].instance.wait(2)
        await replay(tmp_path, 1)
        await pipeline.handlers["notes"].instance.wait(4)
    reader = StoreReader.open(tmp_path / "voeflow.db")
    (dead,) = select_dead(reader, Selection())
    reader.close()
    assert dead.attempts == 4


async def test_an_event_that_waits_for_its_retry_is_handed_over_at_once(tmp_path: Path) -> None:
    toml = NODE.replace("retry_wait = 0", 'retry_wait = "1 hour"\nfailures = 1')
    async with running(tmp_path, toml) as (pipeline, _):
        await submit(pipeline, 1)
        await pipeline.handlers["notes"].instance.wait(1)
        await replay(tmp_path, 1)
        await pipeline.handlers["notes"].instance.wait(2)
        await until(lambda: nothing_is_left(tmp_path))


async def test_a_delivery_under_way_is_finished_before_it_is_handed_over_again(tmp_path: Path) -> None:
    toml = NODE + '[handlers.gate]\nplugin = "gate"\nconcurrency = 3\n'
    async with running(tmp_path, toml, [Gates()]) as (pipeline, _):
        gate: Gate = pipeline.handlers["gate"].instance
        await submit(pipeline, 1)
        await gate.wait(1)
        await replay(tmp_path, 1, to="gate")
        await submit(pipeline, 2)
        await gate.wait(2)
        gate.open.set()
        await until(lambda: len(gate.seen) == 3)

    assert sorted(gate.seen[:2]) == [ivorn(1), ivorn(2)]
    assert gate.seen[2] == ivorn(1)


async def test_new_events_go_before_those_that_are_handed_over_again(tmp_path: Path) -> None:
    toml = NODE + '[handlers.gate]\nplugin = "gate"\n'
    async with running(tmp_path, toml, [Gates()]) as (pipeline, _):
        gate: Gate = pipeline.handlers["gate"].instance
        gate.open.set()
        await submit(pipeline, 1, 2, 3)
        await until(lambda: len(gate.seen) == 3)
        gate.open = trio.Event()
        await replay(tmp_path, 1, 2, 3, to="gate")
        await gate.wait(4)  # the first of these is in hand
        await submit(pipeline, 4)
        await pipeline.handlers["notes"].instance.wait(4)
        gate.open.set()
        await until(lambda: len(gate.seen) == 7)

    assert gate.seen[3:] == [ivorn(number) for number in (1, 4, 2, 3)]


async def test_a_transport_is_handed_events_again(tmp_path: Path) -> None:
    async with running(tmp_path, NODE + '[transports.out]\nplugin = "wire"\n') as (pipeline, _):
        await submit(pipeline, 1, 2)
        await pipeline.transports["out"].instance.wait(2)
        await replay(tmp_path, 2, 1, to="out")
        deliveries = await pipeline.transports["out"].instance.wait(4)

    assert [each.event.ivorn for each in deliveries[2:]] == [ivorn(1), ivorn(2)]
    assert deliveries[2].id == deliveries[0].id


def as_after_a_kill(path: Path, to: Path) -> Path:
    """Copy a store in use: what `kill -9` would leave of it now."""
    to.mkdir()
    for name in ("voeflow.db", "voeflow.db-wal"):
        shutil.copy(path / name, to / name)
    return to


async def test_a_replay_survives_a_kill_at_every_stage(tmp_path: Path) -> None:
    toml = NODE + '[handlers.gate]\nplugin = "gate"\n'
    async with running(tmp_path, toml, [Gates()]) as (pipeline, _):
        gate: Gate = pipeline.handlers["gate"].instance
        gate.open.set()
        await submit(pipeline, 1, 2)
        await until(lambda: len(gate.seen) == 2)
        reader = StoreReader.open(tmp_path / "voeflow.db")
        await until(lambda: deliveries_of(reader, 2)[0].state == "delivered")
        gate.open = trio.Event()
        await replay(tmp_path, 1, 2, to="gate")
        asked = as_after_a_kill(tmp_path, tmp_path / "asked")
        await gate.wait(3)
        begun = as_after_a_kill(tmp_path, tmp_path / "begun")
        await until(lambda: not reader.anything_asked())
        taken_up = as_after_a_kill(tmp_path, tmp_path / "taken_up")
        gate.open.set()
        await until(lambda: len(gate.seen) == 4)
        reader.close()

    for killed in (asked, begun, taken_up):
        async with running(killed, toml, [Gates()]) as (pipeline, _):
            gate = pipeline.handlers["gate"].instance
            gate.open.set()
            await until(lambda gate=gate: len(gate.seen) == 2)
        assert gate.seen == [ivorn(1), ivorn(2)], killed.name
        assert nothing_is_left(killed)


@pytest.mark.slow
async def test_far_more_than_a_sink_holds_in_memory_is_handed_over_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those beyond the bound wait in the store, also over a restart."""
    number, bound = 5000, 64
    store = Store.open(tmp_path / "voeflow.db")
    events = [new_event(n, raw=voevent(ivorn(n)), ivorn=ivorn(n)) for n in range(number)]
    store.append(events)
    store.open_sinks(["notes"])
    store.close()
    await replay(tmp_path, *range(1, number + 1))
    monkeypatch.setattr(_ledger, "MAX_AGAIN", bound)
    monkeypatch.setattr(_bookkeeping, "SAVE_INTERVAL", 0.02)
    greatest = 0
    take_up = _sink.Sink.take_up

    def watched(sink: _sink.Sink, rows: list[Waiting]) -> None:
        nonlocal greatest
        take_up(sink, rows)
        greatest = max(greatest, len(sink._ledger._waiting))

    monkeypatch.setattr(_sink.Sink, "take_up", watched)
    seen: list[str] = []
    for wanted in (1000, number):
        async with running(tmp_path, NODE) as (pipeline, _):
            notes: Notebook = pipeline.handlers["notes"].instance
            while len(seen) + len(notes.seen) < wanted:
                with trio.fail_after(60):
                    await notes.changed.wait()
        seen += [each[0] for each in notes.seen]
    assert 1 < greatest <= bound + 2  # and what is in hand
    assert len(set(seen)) == number
    assert len(seen) <= number + bound + 2
    assert nothing_is_left(tmp_path)


async def test_a_node_that_drains_begins_no_replay(tmp_path: Path) -> None:
    toml = NODE + '[handlers.gate]\nplugin = "gate"\n'
    async with running(tmp_path, toml, [Gates()]) as (pipeline, node):
        gate: Gate = pipeline.handlers["gate"].instance
        gate.open.set()
        await submit(pipeline, 1, 2, 3)
        await until(lambda: len(gate.seen) == 3)
        gate.open = trio.Event()
        await replay(tmp_path, 1, 2, 3, to="gate")
        await gate.wait(4)
        node.stop()
        await until(lambda: node._works.sinks["gate"]._draining)
        gate.open.set()

    assert gate.seen[3:] == [ivorn(1)], "what was in hand was finished"
    store = Store.open(tmp_path / "voeflow.db")
    left = store.open_sinks(["gate"])["gate"].waiting
    left = [*left, *store.asked("gate", 9, 9)]
    store.close()
    assert [row.seq for row in left] == [2, 3]


async def test_a_delivery_is_given_up_after_a_time_though_its_retries_are_not_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(_wall, "now", lambda: now)

    class Watches:
        @voeflow.hookimpl
        def delivery_failed(self) -> None:
            nonlocal now
            now += 60.0  # each try takes a minute, on whatever machine

    toml = NODE.replace("retries = 1", 'give_up_after = "9.5 min"\nfailures = 1000000')
    with capture_logs() as logs:
        async with running(tmp_path, toml, [Watches()]) as (pipeline, _):
            await submit(pipeline, 1)
            reader = StoreReader.open(tmp_path / "voeflow.db")
            await until(lambda: list(select_dead(reader, Selection())))
            (dead,) = select_dead(reader, Selection())
            reader.close()

    assert dead.attempts == 11  # at once, and after 1 to 10 minutes
    assert dead.attempts == len(pipeline.handlers["notes"].instance.seen)
    assert [line["attempt"] for line in logs if line["event"] == "delivery given up"] == [dead.attempts]


async def test_the_time_until_a_delivery_is_given_up_runs_on_over_a_restart(tmp_path: Path) -> None:
    toml = NODE.replace("retry_wait = 0", "retry_wait = 0.05\nfailures = 99").replace(
        "retries = 1", "retries = 9"
    )
    async with running(tmp_path, toml) as (pipeline, _):
        await submit(pipeline, 1)
        await pipeline.handlers["notes"].instance.wait(1)
    store = Store.open(tmp_path / "voeflow.db")
    (row,) = store.open_sinks(["notes"])["notes"].waiting
    assert row.since is not None
    store.save_progress([Progress("notes", 1, [attrs.evolve(row, since=row.since - 3600, due=0.0)])])
    store.close()
    toml = toml.replace("retries = 9", 'give_up_after = "30 min"')
    async with running(tmp_path, toml) as (pipeline, _):
        reader = StoreReader.open(tmp_path / "voeflow.db")
        await until(lambda: list(select_dead(reader, Selection())))
        reader.close()

    assert len(pipeline.handlers["notes"].instance.seen) == 1
