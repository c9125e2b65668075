"""The wall clock: one place for it, so that a test can let a day pass in a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime

#: What tells the time, in seconds since 1970. It goes with the context, as trio's tasks and threads hand it
#: on, so that a simulation and the world around it do not disturb each other.
clock: ContextVar[Callable[[], float]] = ContextVar("voeflow wall clock", default=time.time)


def now() -> float:
    """The time in seconds since 1970."""
    return clock.get()()


def utcnow() -> datetime:
    """The time now, in UTC: by the wall clock, or as a simulation has it.

    A plugin that asks what time it is asks here. Then `voeflow.testing` and the `received` of a pipeline's
    `[[tests]]` can set the time for it, and a test says the same tomorrow.
    """
    return datetime.fromtimestamp(now(), UTC)
