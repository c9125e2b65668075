"""A packet is read at once where it comes alone, and in a thread where that could keep others waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs

import voeflow
from support.nodes import running
from support.samples import voevent
from voeflow import _batch, _intake, _wall
from voeflow._batch import Batch
from voeflow._entry import Entry, to_store
from voeflow._node_api import Answer
from voeflow._store import NewEvent, Place, Store

TOML = '[transports.in]\nplugin = "hand"\n[handlers.notes]\nplugin = "notebook"\n'


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Notes for each packet that is read whether that was done on the event loop."""
    parse, found = voeflow.Event.parse, list[bool]()

    def seen(raw: bytes, **facts: Any) -> voeflow.Event:
        found.append(threading.current_thread() is threading.main_thread())
        return parse(raw, **facts)

    monkeypatch.setattr(_intake, "SLOW", 0.5)  # which no packet takes, on whatever machine
    monkeypatch.setattr(voeflow.Event, "parse", seen)
    return found


async def test_one_that_comes_alone_is_read_at_once(tmp_path: Path, readers: list[bool]) -> None:
    async with running(tmp_path, TOML) as (pipeline, _):
        submit = pipeline.transports["in"].instance.node.submit
        answers = [await submit(raw) for raw in (voevent(), b"<html/>", voevent())]
    assert [answer.outcome for answer in answers] == ["accepted", "refused", "duplicate"]
    assert readers == [True, True, True]


async def test_a_long_one_is_read_in_a_thread(tmp_path: Path, readers: list[bool]) -> None:
    raw = voevent(tail="<!--" + "x" * _intake.SHORT + "-->")
    async with running(tmp_path, TOML) as (pipeline, _):
        answer = await pipeline.transports["in"].instance.node.submit(raw)
    assert answer.outcome == "accepted"
    assert readers == [False]


async def test_one_that_its_source_has_to_judge_is_read_in_a_thread(
    tmp_path: Path, readers: list[bool]
) -> None:
    async with running(tmp_path, TOML) as (pipeline, _):
        answer = await pipeline.transports["in"].instance.node.submit(voevent(), check=lambda _: "not you")
    assert answer.reason == "not you"
    assert readers == [False]


async def test_after_one_that_took_long_threads_read_for_a_while(
    tmp_path: Path, readers: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = voeflow.Event.parse

    def slow(raw: bytes, **facts: Any) -> voeflow.Event:
        ends = time.thread_time() + 1.5 * _intake.SLOW
        while b"slow" in raw and time.thread_time() < ends:
            pass
        return seen(raw, **facts)

    monkeypatch.setattr(voeflow.Event, "parse", slow)
    monkeypatch.setattr(_intake, "PAUSE", 3600.0)
    async with running(tmp_path, TOML) as (pipeline, node):
        submit = pipeline.transports["in"].instance.node.submit
        for name in ("slow", "quick", "quick-too"):
            await submit(voevent(f"ivo://obspm.gepi/svom#{name}"))
        assert readers == [True, False, False]
        node._works.intake._not_here_before = 0.0
        await submit(voevent("ivo://obspm.gepi/svom#later"))
    assert readers == [True, False, False, True]


async def test_those_that_come_behind_one_that_is_not_on_disk_yet_are_read_in_threads_and_stay_behind(
    tmp_path: Path, readers: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    append, storing, go_on = Store.append, threading.Event(), threading.Event()

    def slow(self: Store, *args: Any) -> Any:
        storing.set()
        assert go_on.wait(60)
        return append(self, *args)

    monkeypatch.setattr(Store, "append", slow)
    async with running(tmp_path, TOML) as (pipeline, _):
        submit = pipeline.transports["in"].instance.node.submit
        async with trio.open_nursery() as nursery:
            nursery.start_soon(submit, voevent("ivo://obspm.gepi/svom#1"))
            assert await trio.to_thread.run_sync(storing.wait, 60)
            for number in "23":
                nursery.start_soon(submit, voevent(f"ivo://obspm.gepi/svom#{number}"))
            await trio.testing.wait_all_tasks_blocked()
            go_on.set()
        seen = await pipeline.handlers["notes"].instance.wait(3)
    assert readers == [True, False, False]
    assert sorted(ivorn[-1] for ivorn, _, _ in seen) == ["1", "2", "3"]
    assert seen[0][0].endswith("#1")


@pytest.mark.parametrize("reads_here", [True, False])
async def test_one_that_there_is_no_memory_for_is_not_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads_here: bool
) -> None:
    parse = voeflow.Event.parse

    def short_of_memory(raw: bytes, **facts: Any) -> voeflow.Event:
        if b"large" in raw:
            raise MemoryError
        return parse(raw, **facts)

    monkeypatch.setattr(voeflow.Event, "parse", short_of_memory)
    monkeypatch.setattr(_intake, "SHORT", _intake.SHORT * reads_here)
    async with running(tmp_path, TOML) as (pipeline, node):
        source = pipeline.transports["in"].instance.node
        with capture_logs() as logs, pytest.raises(voeflow.StoreError):
            await source.submit(voevent("ivo://obspm.gepi/svom#large"))
        assert (await source.submit(b"<html/>")).outcome == "refused"
        assert (await source.submit(voevent("ivo://obspm.gepi/svom#other"))).outcome == "accepted"
        assert node._works.intake.counts["refused"] == 1
    assert [line["log_level"] for line in logs if "no memory" in line["event"]] == ["error"]


async def test_what_was_made_of_a_notice_and_cannot_be_stored_takes_no_place_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(event: voeflow.Event, notice: bytes | None) -> NewEvent:
        if event.ivorn.endswith("#large"):
            raise MemoryError
        if event.ivorn.endswith("#odd"):
            raise RuntimeError("a bug")
        return to_store(event, notice)

    def made(name: str) -> Entry:
        event = voeflow.Event.parse(voevent(f"ivo://obspm.gepi/svom#{name}"))
        return Entry(
            b"{}",
            "in",
            "schema",
            "",
            "",
            _wall.utcnow(),
            event=event,
            notice=bytes(32),
            answered=answers.extend,
        )

    monkeypatch.setattr(_batch, "to_store", fail)
    answers: list[Answer] = []
    batch = Batch()
    batch.read([made("large"), made("odd"), made("small")], lambda each: voeflow.Event.parse(each.raw))
    batch.places = [Place(1, new=True)]
    async with running(tmp_path, TOML) as (pipeline, node):
        node._works.intake._hand_on(batch)
        await pipeline.handlers["notes"].instance.wait(1)
    large, *others = answers
    assert isinstance(large, voeflow.StoreError)
    assert others == [
        voeflow.Submission("refused", None, "this node cannot read it"),
        voeflow.Submission("accepted", "ivo://obspm.gepi/svom#small"),
    ]


async def test_who_submits_waits_while_the_disk_hangs_and_too_much_is_on_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, go_on = Store.append, threading.Event()

    def slow(self: Store, *args: Any) -> Any:
        assert go_on.wait(60)
        return append(self, *args)

    monkeypatch.setattr(Store, "append", slow)
    monkeypatch.setattr(_intake, "MAX_WAITING_BYTES", 3 * len(voevent("ivo://obspm.gepi/svom#0")))
    async with running(tmp_path, TOML) as (pipeline, node):
        submit = pipeline.transports["in"].instance.node.submit
        async with trio.open_nursery() as nursery:
            for number in range(9):
                nursery.start_soon(submit, voevent(f"ivo://obspm.gepi/svom#{number}"))
                await trio.testing.wait_all_tasks_blocked()
            assert len(node._works.intake._room) == 5
            go_on.set()
        assert len(await pipeline.handlers["notes"].instance.wait(9)) == 9


async def test_of_the_sources_in_a_batch_the_one_that_trips_is_named_and_the_others_are_answered(
    tmp_path: Path,
) -> None:
    answered: list[Sequence[Answer]] = []

    def trip(_: object) -> None:
        raise RuntimeError("a bug")

    def refused(source: str, answered: Callable[[Sequence[Answer]], None]) -> Entry:
        return Entry(b"x", source, "schema", "", "", _wall.utcnow(), refused="no", answered=answered)

    batch = Batch()
    entries = [refused("one", answered.append), refused("two", trip), refused("three", answered.append)]
    batch.read(entries, lambda each: voeflow.Event.parse(each.raw))
    async with running(tmp_path, TOML) as (_, node):
        with capture_logs() as logs:
            node._works.intake._hand_on(batch)
    assert [line["source"] for line in logs if "could not take an answer" in line["event"]] == ["two"]
    assert answered == [[entries[0].submission], [entries[2].submission]]
