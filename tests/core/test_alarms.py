"""A node that hears nothing says so, once, and says when it hears again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

import voeflow
from support.nodes import read, running
from support.samples import voevent
from voeflow import _wall
from voeflow._hearing import Heard
from voeflow._store import Store

Logs = list[MutableMapping[str, Any]]

HOUR = 3600.0
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()
NODE = 'ivoid = "ivo://org.example/node"\n[handlers.notes]\nplugin = "notebook"\n'
HAND = '[transports.gcn]\nplugin = "hand"\n'
WATCHED = NODE + HAND + 'silent_after = "2 hours"\n'


@pytest.fixture
def told() -> Iterator[Logs]:
    with capture_logs() as logs:
        yield logs


def about_silence(told: Logs) -> list[tuple[str, str]]:
    return [(each["event"], each["source"]) for each in told if "source is" in each["event"]]


def own_events(directory: Path) -> list[voeflow.Event]:
    """Give the events that the node has made, from its store."""
    store = Store.open(directory / "voeflow.db")
    try:
        stored = store.read(0, 1000, 2**20)
    finally:
        store.close()
    return [voeflow.Event.parse(each.raw) for each in stored if each.source == "node"]


async def test_a_source_that_hears_nothing_for_too_long_is_told_once_as_an_event_of_the_node(
    tmp_path: Path, mock_clock: trio.testing.MockClock, told: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_wall, "now", lambda: NOON)  # else an hour may begin between two looks at the clock
    async with running(tmp_path, WATCHED) as (pipeline, _):
        await pipeline.transports["gcn"].instance.node.submit(voevent())
        await pipeline.handlers["notes"].instance.wait(1)
        mock_clock.jump(2 * HOUR)
        ((_, _, _), (ivorn, _, _)) = await pipeline.handlers["notes"].instance.wait(2)
        mock_clock.jump(20 * HOUR)

    (event,) = own_events(tmp_path)
    assert event.ivorn == ivorn
    assert event.ivorn.startswith("ivo://org.example/node#silent-gcn-2")
    assert (event.role, event.author, event.valid) == ("utility", "ivo://org.example/node", True)
    assert event.params["source"].value == "gcn"
    assert event.params["plugin"].value == "hand"
    assert (event.params["silent_after"].number, event.params["silent_after"].unit) == (7200.0, "s")
    last = "2026-11-24T12:00:00"
    assert event.params["last_heard"].value.startswith(last)
    assert event.params["last_event"].value == event.params["last_heard"].value
    assert event.description is not None
    assert event.description.startswith(
        f"transports.gcn of ivo://org.example/node has heard nothing since {last}"
    )
    assert about_silence(told) == [("source is silent", "gcn")]
    (line,) = (each for each in told if each["event"] == "source is silent")
    assert line["log_level"] == "error"
    assert line["last_heard"].startswith(last)


async def test_a_source_that_never_heard_anything_is_silent_too(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    async with running(tmp_path, WATCHED) as (pipeline, _):
        mock_clock.jump(2 * HOUR)
        await pipeline.handlers["notes"].instance.wait(1)

    (event,) = own_events(tmp_path)
    assert "last_heard" not in event.params
    assert "has heard nothing at all" in str(event.description)


async def test_when_it_is_heard_again_that_is_an_event_that_supersedes_the_alarm(
    tmp_path: Path, mock_clock: trio.testing.MockClock, told: Logs
) -> None:
    async with running(tmp_path, WATCHED) as (pipeline, _):
        notes = pipeline.handlers["notes"].instance
        mock_clock.jump(2 * HOUR)
        await notes.wait(1)
        mock_clock.jump(HOUR)
        pipeline.transports["gcn"].instance.node.heard("10.0.0.1:8099")
        await notes.wait(2)
        mock_clock.jump(2 * HOUR)
        await notes.wait(3)

    alarm, clearing, again = own_events(tmp_path)
    assert clearing.ivorn.startswith("ivo://org.example/node#heard-gcn-2")
    assert (clearing.role, clearing.valid) == ("utility", True)
    assert clearing.citations == (voeflow.Citation(alarm.ivorn, "supersedes"),)
    assert clearing.params["silent_for"].number == pytest.approx(3 * HOUR)
    assert "hears again" in str(clearing.description)
    assert again.citations == ()
    assert about_silence(told) == [
        ("source is silent", "gcn"),
        ("source is heard again", "gcn"),
        ("source is silent", "gcn"),
    ]


@pytest.mark.parametrize("sign", ["event", "duplicate", "refused", "sign of life"])
async def test_whatever_is_heard_puts_the_alarm_off(
    sign: str, tmp_path: Path, mock_clock: trio.testing.MockClock, told: Logs
) -> None:
    async with running(tmp_path, WATCHED) as (pipeline, _):
        node = pipeline.transports["gcn"].instance.node
        if sign == "duplicate":
            await node.submit(voevent())
        mock_clock.jump(1.9 * HOUR)
        if sign == "sign of life":
            node.heard()
        else:
            await node.submit(b"no packet" if sign == "refused" else voevent())
        mock_clock.jump(1.9 * HOUR)
        await trio.testing.wait_all_tasks_blocked()
        assert not about_silence(told)
        mock_clock.jump(0.2 * HOUR)
        await trio.testing.wait_all_tasks_blocked()

    assert about_silence(told) == [("source is silent", "gcn")]


async def test_a_source_that_may_be_silent_is_never_told(
    tmp_path: Path, mock_clock: trio.testing.MockClock, told: Logs
) -> None:
    async with running(tmp_path, NODE + HAND):
        mock_clock.jump(1000 * HOUR)
        await trio.testing.wait_all_tasks_blocked()

    assert not about_silence(told)


async def test_each_silent_source_is_told_by_itself_and_one_alarm_is_no_sign_of_life_for_another(
    tmp_path: Path, mock_clock: trio.testing.MockClock, told: Logs
) -> None:
    others = "".join(f'[transports.s{n}]\nplugin = "hand"\nsilent_after = {n + 1}\n' for n in range(20))
    only = '[handlers.own]\nplugin = "notebook"\nsources = ["node"]\n'
    async with running(tmp_path, WATCHED + others + only) as (pipeline, _):
        await pipeline.transports["gcn"].instance.node.submit(voevent())
        for _ in range(20):
            mock_clock.jump(1.0)
            await trio.testing.wait_all_tasks_blocked()
        seen = await pipeline.handlers["own"].instance.wait(20)

    assert len(seen) == 20
    assert sorted(source for _, source in about_silence(told)) == sorted(f"s{n}" for n in range(20))


async def test_a_node_that_is_restarted_again_and_again_still_notices_a_silence(
    tmp_path: Path, mock_clock: trio.testing.MockClock, told: Logs
) -> None:
    for _ in range(4):
        async with running(tmp_path, WATCHED):
            mock_clock.jump(0.45 * HOUR)
        assert not about_silence(told)
    async with running(tmp_path, WATCHED):
        mock_clock.jump(0.3 * HOUR)
        await trio.testing.wait_all_tasks_blocked()

    assert about_silence(told) == [("source is silent", "gcn")]


async def test_a_night_in_which_the_node_did_not_run_is_no_silence_of_its_sources(
    tmp_path: Path, mock_clock: trio.testing.MockClock, told: Logs
) -> None:
    async with running(tmp_path, WATCHED):
        mock_clock.jump(HOUR)
    mock_clock.jump(12 * HOUR)
    async with running(tmp_path, WATCHED):
        mock_clock.jump(0.9 * HOUR)
        await trio.testing.wait_all_tasks_blocked()

    assert not about_silence(told)


async def test_a_silence_is_kept_also_where_the_node_is_killed(
    tmp_path: Path, mock_clock: trio.testing.MockClock, told: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, written = Store.save_bookmarks, threading.Event()

    def save_and_say_so(store: Store, rows: Any) -> None:
        save(store, rows)
        if any(Heard.load(value).silent >= 1.9 * HOUR for _, _, value in rows):
            written.set()

    monkeypatch.setattr(Store, "save_bookmarks", save_and_say_so)
    async with running(tmp_path, WATCHED):
        mock_clock.jump(1.9 * HOUR)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(1.0)  # in which what was noted is written, in a thread
        assert await trio.to_thread.run_sync(written.wait, 60)
        killed = (tmp_path / "voeflow.db").read_bytes(), (tmp_path / "voeflow.db-wal").read_bytes()
    other = tmp_path / "other"
    other.mkdir()
    (other / "voeflow.db").write_bytes(killed[0])
    (other / "voeflow.db-wal").write_bytes(killed[1])
    async with running(other, WATCHED):
        mock_clock.jump(0.2 * HOUR)
        await trio.testing.wait_all_tasks_blocked()

    assert about_silence(told) == [("source is silent", "gcn")]


async def test_an_alarm_is_not_raised_again_after_a_restart_and_is_cleared_then(
    tmp_path: Path, mock_clock: trio.testing.MockClock, told: Logs
) -> None:
    async with running(tmp_path, WATCHED) as (pipeline, _):
        mock_clock.jump(2 * HOUR)
        await pipeline.handlers["notes"].instance.wait(1)
    async with running(tmp_path, WATCHED) as (pipeline, _):
        mock_clock.jump(20 * HOUR)
        await trio.testing.wait_all_tasks_blocked()
        await pipeline.transports["gcn"].instance.node.submit(voevent())
        await pipeline.handlers["notes"].instance.wait(2)

    alarm, clearing = own_events(tmp_path)
    assert clearing.citations == (voeflow.Citation(alarm.ivorn, "supersedes"),)
    assert clearing.params["silent_for"].number == pytest.approx(22 * HOUR)
    assert len(about_silence(told)) == 2


async def test_an_alarm_that_cannot_be_stored_is_stored_when_it_can_be_also_after_a_restart(
    tmp_path: Path, mock_clock: trio.testing.MockClock, told: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Store.append
    tried = trio.Event()

    def fail(*_: Any, **__: Any) -> Any:
        trio.from_thread.run_sync(tried.set)
        raise voeflow.StoreError("the disk is full")

    monkeypatch.setattr(Store, "append", fail)
    async with running(tmp_path, WATCHED) as (pipeline, _):
        mock_clock.jump(2 * HOUR)
        await tried.wait()
    assert not own_events(tmp_path)
    monkeypatch.setattr(Store, "append", append)
    async with running(tmp_path, WATCHED) as (pipeline, _):
        await pipeline.handlers["notes"].instance.wait(1)

    assert len(own_events(tmp_path)) == 1
    assert about_silence(told) == [("source is silent", "gcn")]


async def test_an_alarm_that_was_stored_just_before_a_crash_is_the_same_event_afterwards(
    tmp_path: Path, mock_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Store.save_bookmarks

    async with running(tmp_path, WATCHED) as (pipeline, _):
        rows: list[Any] = []

        def keep(self: Store, bookmarks: Any) -> None:
            rows.extend(row for row in bookmarks if "#silent" in row[2])
            save(self, rows[:1] or bookmarks)  # and nothing after that

        monkeypatch.setattr(Store, "save_bookmarks", keep)
        mock_clock.jump(2 * HOUR)
        await pipeline.handlers["notes"].instance.wait(1)
    monkeypatch.setattr(Store, "save_bookmarks", save)
    async with running(tmp_path, WATCHED) as (pipeline, _):
        pipeline.transports["gcn"].instance.node.heard()
        await pipeline.handlers["notes"].instance.wait(1)

    alarm, clearing = own_events(tmp_path)
    assert clearing.citations == (voeflow.Citation(alarm.ivorn, "supersedes"),)


async def test_a_change_of_the_machines_clock_is_no_silence(
    tmp_path: Path, mock_clock: trio.testing.MockClock, told: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time
    async with running(tmp_path, WATCHED) as (pipeline, _):
        pipeline.transports["gcn"].instance.node.heard()
        monkeypatch.setattr(time, "time", lambda: now() + 30 * HOUR)
        mock_clock.jump(1.9 * HOUR)
        await trio.testing.wait_all_tasks_blocked()
        assert not about_silence(told)
        monkeypatch.setattr(time, "time", lambda: now() - 30 * HOUR)
        mock_clock.jump(0.2 * HOUR)
        await trio.testing.wait_all_tasks_blocked()

    assert about_silence(told) == [("source is silent", "gcn")]


@attrs.define(eq=False)
class Broken:
    """A source that fails whenever it is started again."""

    ready: bool = attrs.field(default=False, init=False)

    async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[None]) -> None:
        if self.ready:
            raise RuntimeError("no route")
        self.ready = True
        task_status.started()
        raise RuntimeError("connection lost")


class Brokens:
    @voeflow.hookimpl
    def register_transports(self) -> dict[str, type]:
        return {"broken": Broken}


async def test_a_source_that_fails_and_fails_again_is_silent(
    tmp_path: Path, mock_clock: trio.testing.MockClock, told: Logs
) -> None:
    toml = NODE + '[transports.gcn]\nplugin = "broken"\nsilent_after = "2 hours"\n'
    async with running(tmp_path, toml, [Brokens()]):
        for _ in range(24):
            mock_clock.jump(HOUR / 12)
            await trio.testing.wait_all_tasks_blocked()

    assert about_silence(told) == [("source is silent", "gcn")]
    assert sum(each["event"] == "transport failed" for each in told) > 5


async def test_a_reload_begins_and_ends_to_watch(
    tmp_path: Path, mock_clock: trio.testing.MockClock, told: Logs
) -> None:
    async with running(tmp_path, NODE + HAND) as (pipeline, node):
        mock_clock.jump(3 * HOUR)
        await trio.testing.wait_all_tasks_blocked()
        assert not about_silence(told)
        watched, _ = read(tmp_path, WATCHED)
        await node.reload(watched)
        await pipeline.handlers["notes"].instance.wait(1)
        longer, _ = read(tmp_path, WATCHED.replace("2 hours", "9 hours"))
        await node.reload(longer)  # one alarm is enough, and nothing was heard
        mock_clock.jump(9 * HOUR)
        await trio.testing.wait_all_tasks_blocked()
        unwatched, _ = read(tmp_path, NODE + HAND)
        await node.reload(unwatched)
        await pipeline.handlers["notes"].instance.wait(2)

    alarm, ending = own_events(tmp_path)
    assert ending.ivorn.startswith("ivo://org.example/node#unwatched-gcn-2")
    assert ending.citations == (voeflow.Citation(alarm.ivorn, "supersedes"),)
    assert (ending.role, ending.valid) == ("utility", True)
    assert "silent_after" not in ending.params
    assert "no longer watched" in str(ending.description)


async def test_a_source_that_is_removed_takes_its_alarm_with_it_and_begins_anew_when_it_comes_back(
    tmp_path: Path, mock_clock: trio.testing.MockClock, told: Logs
) -> None:
    other = '[transports.other]\nplugin = "hand"\n'
    async with running(tmp_path, WATCHED + other) as (pipeline, node):
        mock_clock.jump(2 * HOUR)
        await pipeline.handlers["notes"].instance.wait(1)
        without, _ = read(tmp_path, NODE + other)
        await node.reload(without)
        await pipeline.handlers["notes"].instance.wait(2)
        mock_clock.jump(20 * HOUR)
        back, _ = read(tmp_path, WATCHED + other)
        await node.reload(back)
        mock_clock.jump(1.9 * HOUR)
        await trio.testing.wait_all_tasks_blocked()
        assert len(about_silence(told)) == 2
        mock_clock.jump(0.2 * HOUR)
        await pipeline.handlers["notes"].instance.wait(3)

    assert [each.ivorn.rpartition("#")[2].split("-")[0] for each in own_events(tmp_path)] == [
        "silent",
        "unwatched",
        "silent",
    ]


async def test_a_source_that_is_gone_at_the_next_start_takes_its_alarm_with_it(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    async with running(tmp_path, WATCHED) as (pipeline, _):
        mock_clock.jump(2 * HOUR)
        await pipeline.handlers["notes"].instance.wait(1)
    async with running(tmp_path, NODE + '[transports.other]\nplugin = "hand"\n') as (pipeline, _):
        await pipeline.handlers["notes"].instance.wait(1)

    _, ending = own_events(tmp_path)
    assert "#unwatched-gcn-" in ending.ivorn
