"""Naming whoever blocks the event loop: it cannot be stopped, but it is not a riddle."""

from __future__ import annotations

import time

import structlog
import trio

log = structlog.get_logger()

#: A task that keeps the event loop this long in one step is named in the log, in seconds.
BLOCKED = 0.2


class Watchdog(trio.abc.Instrument):
    """Watches how long each step of a task keeps the event loop."""

    def __init__(self) -> None:
        self._began = 0.0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Remember when the step began."""
        self._began = time.perf_counter()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Name the task if its step took long."""
        took = time.perf_counter() - self._began
        if took > BLOCKED:
            log.warning(
                "the event loop was blocked: only plain def code, run in a thread, may block",
                seconds=round(took, 2),
                by=_owner(task),
            )


def _owner(task: trio.lowlevel.Task) -> str:
    """Give the nearest task, going outwards, that bears the name of a table, else the task's own name."""
    named: trio.lowlevel.Task | None = task
    while named is not None and "." not in named.name.partition("/")[0]:
        nursery = named.parent_nursery
        named = nursery.parent_task if nursery is not None else None
    return str(task.name)
