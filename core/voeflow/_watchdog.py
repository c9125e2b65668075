"""Naming whoever blocks the event loop: it cannot be stopped, but it is not a riddle."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token

import attrs
import structlog
import trio

log = structlog.get_logger()

#: A task that keeps the event loop this long in one step is named in the log, in seconds.
BLOCKED = 0.2

#: A step that has not ended after this long is told while it lasts, and again whenever it has lasted twice as
#: long, in seconds: it may never end.
STUCK = 5.0

#: How the names of tasks begin that work for a table of the pipeline.
TABLES = ("transports.", "handlers.")


@attrs.define(eq=False, repr=False)
class _Step:
    """The step that is under way: when it began, and whose code has already taken too long in it."""

    began: float = 0.0
    culprit: str = ""
    task: trio.lowlevel.Task | None = None


_step = _Step()
_at_work: ContextVar[str] = ContextVar("_at_work", default="")


@attrs.define(eq=False, repr=False)
class _AtWork:
    """Serves `at_work`, in half the time that a generator takes."""

    _whose: str
    _entered: float = attrs.field(init=False)
    _token: Token[str] = attrs.field(init=False)

    def __enter__(self) -> None:
        self._entered, self._token = time.perf_counter(), _at_work.set(self._whose)

    def __exit__(self, *_: object) -> None:
        _at_work.reset(self._token)
        if time.perf_counter() - max(self._entered, _step.began) > BLOCKED:
            _step.culprit = self._whose


def at_work(whose: str) -> AbstractContextManager[None]:
    """Let what blocks the event loop inside be told as `whose`, where the task is another's."""
    return _AtWork(whose)


class Watchdog(trio.abc.Instrument):
    """Watches how long each step of a task keeps the event loop; one node a process.

    Args:
        stuck: after how many seconds a step is told that has not ended.
    """

    def __init__(self, stuck: float = STUCK) -> None:
        self._stuck = stuck
        self._over = threading.Event()

    def before_run(self) -> None:
        """Start the thread that tells of a step that does not end, since nothing else then can."""
        loop = threading.get_ident()
        threading.Thread(target=self._look, args=[loop], name="watchdog", daemon=True).start()

    def after_run(self) -> None:
        """End it."""
        self._over.set()

    def _look(self, loop: int) -> None:
        began, limit = 0.0, self._stuck
        while not self._over.wait(self._stuck / 2):
            if _step.began != began:
                began, limit = _step.began, self._stuck
            task, took = _step.task, time.perf_counter() - began
            if task is not None and took > limit:
                limit = 2 * took
                frame = sys._current_frames().get(loop)
                log.error(
                    "the event loop is blocked, and nothing else goes on",
                    seconds=round(took, 1),
                    by=task.context.get(_at_work) or _owner(task),
                    at=f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "",
                )

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Remember when the step began."""
        _step.began, _step.culprit, _step.task = time.perf_counter(), "", task

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Name whose code it was if the step took long."""
        _step.task = None
        took = time.perf_counter() - _step.began
        if took > BLOCKED:
            log.warning(
                "the event loop was blocked: only plain def code, run in a thread, may block",
                seconds=round(took, 2),
                by=_step.culprit or task.context.get(_at_work) or _owner(task),
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
