"""Naming whoever blocks the event loop: it cannot be stopped, but it is not a riddle."""

from __future__ import annotations

import time

import structlog
import trio

log = structlog.get_logger()

#: A task that keeps the event loop this long in one step is named in the log, in seconds.
BLOCKED = 0.2

#: How the names of tasks begin that work for a table of the pipeline.
TABLES = ("transports.", "handlers.")


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
    """Give the name of the table that a task works for, and its own, if they differ."""
    owner: trio.lowlevel.Task | None = task
    while owner is not None and not owner.name.startswith(TABLES):
        nursery = owner.parent_nursery
        owner = nursery.parent_task if nursery is not None else None
    if owner is None or owner is task:
        return task.name
    return f"{owner.name} ({task.name})"
