"""Simulated time: hours of waiting in no time, also where threads work."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

import trio
from trio.testing import MockClock, active_thread_count, wait_all_tasks_blocked

from voeflow import _wall
from voeflow._intake_threads import idle_threads
from voeflow.testing._events import moment_of
from voeflow.testing._sole import sole_error

_Result = TypeVar("_Result")

#: When a simulation begins that does not say so.
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)

#: How long, in seconds of real time, nothing may be able to happen before a simulation is given up.
PATIENCE = 10.0

#: How long, in seconds of real time, it waits between two looks while a thread or the world outside works.
_LOOK_AGAIN = 0.001


class StalledError(RuntimeError):
    """A simulation in which everything waits, nothing for a time, and nothing came from outside either."""


@contextmanager
def time_is(moment: datetime | str) -> Iterator[None]:
    """Let `voeflow.utcnow()` give one moment for the length of a block.

    For example::

        with time_is("2026-12-20T01:00:00"):
            assert fresh.matches(event)

    Args:
        moment: what time it is, with a time zone, or as text in UTC.

    Raises:
        ValueError: it is no time, or has no time zone.
    """
    token = _wall.clock.set(moment_of("moment", moment).timestamp)
    try:
        yield
    finally:
        _wall.clock.reset(token)


def simulate(
    function: Callable[[], Awaitable[_Result]], *, start: datetime = BEGINNING, patience: float = PATIENCE
) -> _Result:
    """Run an async function in simulated time: when all there is to do is wait, the time is made to be over.

    For example::

        async def story():
            async with running_node(PIPELINE, tmp_path) as node:
                await node.submit(make_event())
                await trio.sleep(3600)          # an hour, in which retries come due; takes a moment

        simulate(story)

    Both clocks move together: trio's, by which tasks sleep, and the wall clock of voeflow, by which a node
    plans retries and says when an event was received. Time stands still while anything works, be it
    a thread. It is for what happens inside one process: a program that was started, or a peer in another
    process, may be left behind.

    Args:
        function: what is run, without arguments.
        start: what the wall clock shows at the beginning, with a time zone.
        patience: how long, in seconds of real time, nothing may be able to happen, or one thread may work.

    Returns:
        What the function returns.

    Raises:
        StalledError: everything waits, nothing for a time; whatever it waits for will never come.
        ValueError: `start` has no time zone.
    """
    return run_simulated(function, start, patience, heed_the_world=False)


def run_simulated(
    function: Callable[[], Awaitable[_Result]], start: datetime, patience: float, *, heed_the_world: bool
) -> _Result:
    """Serve `simulate`.

    Args:
        function: what is run.
        start: what the wall clock shows at the beginning.
        patience: see `simulate`.
        heed_the_world: whether time stands still, too, while a task waits for input, from a program that it
            has started, say. Not for what has connections that are open all the time.
    """
    if start.tzinfo is None:
        raise ValueError("start: expected a time with a time zone, got one without")
    clock = MockClock()

    async def simulation() -> _Result:
        began, zero = start.timestamp(), trio.current_time()
        token = _wall.clock.set(lambda: began + (clock.current_time() - zero))
        try:
            with sole_error():
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_let_time_pass, clock, patience, heed_the_world)
                    result = await function()
                    nursery.cancel_scope.cancel()
                return result
        finally:
            _wall.clock.reset(token)

    return trio.run(simulation, clock=clock)


async def _let_time_pass(clock: MockClock, patience: float, heed_the_world: bool) -> None:
    """Jump to the next deadline whenever all tasks are blocked and no thread works, until cancelled.

    A thread that works for longer than `patience` is taken to hang: what waits for it may run out of time.
    """
    waiting_since: float | None = None
    own = _waiting_for_input()  # trio's own task that waits for other threads
    while True:
        await wait_all_tasks_blocked(0.0 if waiting_since is None else _LOOK_AGAIN)
        ahead = trio.lowlevel.current_statistics().seconds_to_next_deadline
        overdue = waiting_since is not None and time.monotonic() - waiting_since > patience
        at_work = active_thread_count() > idle_threads() or (heed_the_world and _waiting_for_input() > own)
        if math.isfinite(ahead) and (overdue or not at_work):
            waiting_since = None
            clock.jump(max(0.0, ahead))
            await trio.lowlevel.checkpoint()
        elif overdue:
            raise StalledError(
                f"for {patience:g} s everything waits, and nothing for a time: what is awaited never comes"
            )
        elif waiting_since is None:
            waiting_since = time.monotonic()


def _waiting_for_input() -> int:
    """How many tasks wait for something to read: in trio's words for each way of waiting."""
    statistics = trio.lowlevel.current_statistics().io_statistics
    count = getattr(statistics, "tasks_waiting_read", getattr(statistics, "tasks_waiting", 0))
    return int(count)
