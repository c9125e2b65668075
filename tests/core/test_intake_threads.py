"""Intake's threads keep the order, share commits, and end with the node."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
import trio
import trio.testing

from support.samples import voevent
from voeflow import _wall
from voeflow._batch import Batch
from voeflow._entry import Entry
from voeflow._event import Event
from voeflow._intake_threads import MAX_BATCH, IntakeThreads, idle_threads
from voeflow._store import Store


def entry(number: int) -> Entry:
    raw = voevent(f"ivo://obspm.gepi/svom#{number}")
    return Entry(raw, "in", "schema", "", "", _wall.utcnow())


def read(batch: Batch, entries: Sequence[Entry]) -> None:
    batch.read(entries, lambda each: Event.parse(each.raw))


def numbers(batch: Batch) -> list[int]:
    return [int(each.ivorn.partition("#")[2]) for each in batch.events]


class Bench:
    """Threads on a store of their own, and what they have handed on."""

    def __init__(
        self, path: Path, read: Callable[[Batch, Sequence[Entry]], None] = read, fault: str = ""
    ) -> None:
        self.store = Store.open(path / "store.db")
        self.handed_on: list[list[int]] = []
        self.fault = fault
        self.threads = IntakeThreads(self.store, read, self.hand_on)
        self.more = trio.Event()

    def hand_on(self, batch: Batch) -> None:
        if self.fault:
            raise RuntimeError(self.fault)
        assert batch.failure is None
        self.handed_on.append(numbers(batch))
        self.more.set()

    async def wait(self, number: int) -> None:
        with trio.fail_after(60):
            while sum(map(len, self.handed_on)) < number:
                self.more = trio.Event()
                await self.more.wait()


@pytest.mark.parametrize("most", [1, 7, 400])
async def test_all_is_handed_on_in_the_order_in_which_it_came(tmp_path: Path, most: int) -> None:
    bench = Bench(tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.threads.run)
        for first in range(0, 400, most):
            for number in range(first, min(400, first + most)):
                bench.threads.put(entry(number))
            await trio.lowlevel.checkpoint()
        await bench.wait(400)
        nursery.cancel_scope.cancel()
    assert [number for batch in bench.handed_on for number in batch] == list(range(400))
    assert max(map(len, bench.handed_on)) <= MAX_BATCH
    assert [each.ivorn.partition("#")[2] for each in bench.store.get(range(1, 401))] == [
        str(number) for number in range(400)
    ]
    bench.store.close()


async def test_what_comes_during_a_commit_shares_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, storing, go_on = Store.append, threading.Event(), threading.Event()

    def slow(self: Store, *args: object) -> object:
        storing.set()
        assert go_on.wait(60)
        return append(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "append", slow)
    all_read = threading.Event()
    seen: list[Entry] = []

    def reading(batch: Batch, entries: Sequence[Entry]) -> None:
        read(batch, entries)
        seen.extend(entries)
        if len(seen) == 60:
            all_read.set()

    bench = Bench(tmp_path, reading)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.threads.run)
        bench.threads.put(entry(0))
        assert await trio.to_thread.run_sync(storing.wait, 60)
        for number in range(1, 60):
            bench.threads.put(entry(number))
        assert await trio.to_thread.run_sync(all_read.wait, 60)  # while the disk is being waited for
        go_on.set()
        await bench.wait(60)
        nursery.cancel_scope.cancel()
    assert bench.handed_on == [[0], list(range(1, 60))]
    bench.store.close()


async def test_what_has_been_read_and_is_not_on_disk_counts_as_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, go_on, all_read, seen = Store.append, threading.Event(), threading.Event(), list[Entry]()

    def slow(self: Store, *args: object) -> object:
        assert go_on.wait(60)
        return append(self, *args)  # type: ignore[arg-type]

    def reading(batch: Batch, entries: Sequence[Entry]) -> None:
        read(batch, entries)
        seen.extend(entries)
        if len(seen) == 60:
            all_read.set()

    monkeypatch.setattr(Store, "append", slow)
    bench = Bench(tmp_path, reading)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.threads.run)
        for number in range(60):
            bench.threads.put(entry(number))
        assert await trio.to_thread.run_sync(all_read.wait, 60)
        assert bench.threads.bytes_waiting == sum(len(entry(number).raw) for number in range(60))
        go_on.set()
        await bench.wait(60)
        assert bench.threads.bytes_waiting == 0
        nursery.cancel_scope.cancel()
    bench.store.close()


async def test_the_second_thread_sees_to_what_came_before_it_could_be_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, all_read, seen = Store.append, threading.Event(), list[Entry]()

    def slow(self: Store, *args: object) -> object:
        assert all_read.wait(60)
        return append(self, *args)  # type: ignore[arg-type]

    def reading(batch: Batch, entries: Sequence[Entry]) -> None:
        read(batch, entries)
        seen.extend(entries)
        if len(seen) == 40:
            all_read.set()

    monkeypatch.setattr(Store, "append", slow)
    bench = Bench(tmp_path, reading)
    for number in range(40):  # more than one thread takes at once
        bench.threads.put(entry(number))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.threads.run)
        await bench.wait(40)
        nursery.cancel_scope.cancel()
    assert [number for batch in bench.handed_on for number in batch] == list(range(40))
    bench.store.close()


async def test_what_has_been_read_when_the_node_ends_is_stored_and_handed_on_and_no_thread_is_left(
    tmp_path: Path,
) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def slow(batch: Batch, entries: Sequence[Entry]) -> None:
        reading.set()
        assert go_on.wait(60)
        read(batch, entries)

    bench = Bench(tmp_path, slow)
    before = threading.active_count()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.threads.run)
        bench.threads.put(entry(1))
        assert await trio.to_thread.run_sync(reading.wait, 60)
        nursery.cancel_scope.cancel()
        go_on.set()
    assert bench.handed_on == [[1]]
    assert idle_threads() == 0
    assert trio.testing.active_thread_count() == 0
    assert threading.active_count() <= before + 3  # which trio keeps for a while, for others
    bench.store.close()


class Hesitant(SimpleQueue[Any]):
    """A queue that, asked how much there is in it, answers when the node has ended."""

    def __init__(self) -> None:
        self.asked, self.ended = threading.Event(), threading.Event()

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        super().put(item, block, timeout)
        if item is None:
            self.ended.set()

    def qsize(self) -> int:
        self.asked.set()
        assert self.ended.wait(60)
        return super().qsize()


async def test_the_node_may_end_just_when_a_thread_takes_what_waits(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.threads._waiting = waiting = Hesitant()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.threads.run)
        bench.threads.put(entry(1))
        assert await trio.to_thread.run_sync(waiting.asked.wait, 60)
        nursery.cancel_scope.cancel()
    assert bench.handed_on == [[1]]
    bench.store.close()


async def test_what_trips_over_a_batch_ends_the_node(tmp_path: Path) -> None:
    bench = Bench(tmp_path, fault="a sink has tripped")
    bench.threads.put(entry(1))
    with pytest.raises(RuntimeError, match="a sink has tripped"), trio.fail_after(60):
        await bench.threads.run()
    bench.store.close()


async def test_what_trips_a_thread_ends_the_node(tmp_path: Path) -> None:
    def broken(batch: Batch, entries: Sequence[Entry]) -> None:
        raise RuntimeError("a bug")

    bench = Bench(tmp_path, broken)
    bench.threads.put(entry(1))
    with pytest.raises(ExceptionGroup) as raised, trio.fail_after(60):
        await bench.threads.run()
    assert raised.value.subgroup(RuntimeError) is not None
    bench.store.close()


async def test_only_threads_that_have_nothing_to_do_are_idle(tmp_path: Path) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def slow(batch: Batch, entries: Sequence[Entry]) -> None:
        reading.set()
        assert go_on.wait(60)
        read(batch, entries)

    bench = Bench(tmp_path, slow)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.threads.run)
        await trio.testing.wait_all_tasks_blocked()
        assert idle_threads() == 2
        bench.threads.put(entry(1))
        assert await trio.to_thread.run_sync(reading.wait, 60)
        assert idle_threads() == 0
        go_on.set()
        await bench.wait(1)
        assert idle_threads() == 2
        nursery.cancel_scope.cancel()
    bench.store.close()
