"""Simulated time passes when all wait, and only then."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio

import voeflow
from voeflow import _wall
from voeflow.testing import StalledError, make_event, running_node, simulate, time_is

# These run an event loop of their own.


def test_a_day_passes_in_a_moment_by_both_clocks() -> None:
    async def story() -> tuple[float, datetime]:
        began = trio.current_time()
        await trio.sleep(86400)
        return trio.current_time() - began, _wall.utcnow()

    began = time.monotonic()
    slept, at = simulate(story, start=datetime(2026, 2, 28, 12, tzinfo=UTC))

    assert slept == pytest.approx(86400)
    assert at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert time.monotonic() - began < 60
    assert abs(_wall.now() - time.time()) < 60  # and outside nothing has happened


def test_time_stands_still_while_a_thread_works() -> None:
    gate = trio.Event

    async def story() -> bool:
        opened = gate()

        def work() -> None:
            for _ in range(50):
                time.sleep(0.002)
            trio.from_thread.run_sync(opened.set)

        with trio.move_on_after(1.0) as limit:
            await trio.to_thread.run_sync(work)
        return limit.cancelled_caught or not opened.is_set()

    assert not simulate(story)


def test_a_thread_sees_the_simulated_time() -> None:
    async def story() -> datetime:
        await trio.sleep(60)
        return await trio.to_thread.run_sync(_wall.utcnow)

    assert simulate(story) == datetime(2026, 1, 1, 0, 1, tzinfo=UTC)


def test_a_thread_that_hangs_lets_what_waits_for_it_run_out_of_time() -> None:
    released = threading.Event()

    async def story() -> bool:
        with trio.move_on_after(3600.0) as limit:
            await trio.to_thread.run_sync(released.wait, 60, abandon_on_cancel=True)
        released.set()
        return limit.cancelled_caught

    assert simulate(story, patience=0.05)


def test_waiting_for_what_never_comes_is_an_error() -> None:
    with pytest.raises(StalledError, match="never comes"):
        simulate(trio.sleep_forever, patience=0.05)


def test_what_the_function_raises_comes_out_as_it_is() -> None:
    async def story() -> None:
        await trio.sleep(1)
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        simulate(story)


def test_a_beginning_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        simulate(trio.sleep_forever, start=datetime(2026, 1, 1))


def test_it_is_the_time_that_a_test_says() -> None:
    before = voeflow.utcnow()
    with time_is("2026-12-20T01:00:00"):
        assert voeflow.utcnow() == datetime(2026, 12, 20, 1, tzinfo=UTC)
    assert abs((voeflow.utcnow() - before).total_seconds()) < 60
    with pytest.raises(ValueError, match="expected a time"), time_is("noon"):
        raise AssertionError("it is noon")


def test_a_node_s_retries_come_due_in_simulated_time(tmp_path: Path) -> None:
    pipeline = """
[transports.in]
plugin = "hand"
[handlers.notes]
plugin = "notebook"
failures = 3
retry_wait = "1 hour"
"""

    async def story() -> tuple[list[int], float]:
        async with running_node(pipeline, tmp_path) as node:
            began = trio.current_time()
            submission = await node.submit(make_event())
            assert submission.outcome == "accepted"
            with trio.fail_after(86400):
                while len(node.instance("notes").seen) < 4:
                    await node.instance("notes").changed.wait()
            return [attempt for _, _, attempt in node.instance("notes").seen], trio.current_time() - began

    attempts, took = simulate(story)

    assert attempts == [1, 2, 3, 4]
    assert took > 3 * 3600 * 0.8


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    async def story() -> None:
        async with running_node('[transports.in]\nplugin = "hand"\n', tmp_path) as node:
            with pytest.raises(KeyError, match="'out'"):
                node.instance("out")

    simulate(story)


def test_a_node_that_cannot_start_says_so_by_itself(tmp_path: Path) -> None:
    async def story() -> None:
        async with running_node('[transports.in]\nplugin = "replay"\ndirectory = "none"\n', tmp_path):
            raise AssertionError("it runs")

    with pytest.raises(voeflow.StartError, match="none"):
        simulate(story)


def test_what_fails_in_the_block_of_a_node_comes_out_as_it_is(tmp_path: Path) -> None:
    async def story() -> None:
        async with running_node('[transports.in]\nplugin = "hand"\n', tmp_path):
            raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        simulate(story)


def test_a_pipeline_with_mistakes_does_not_run(tmp_path: Path) -> None:
    async def story() -> None:
        async with running_node('[transports.in]\nplugin = "hnad"\n', tmp_path):
            raise AssertionError("it runs")

    with pytest.raises(voeflow.PipelineError, match='did you mean "hand"'):
        simulate(story)
