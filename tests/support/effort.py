"""How much processor time something takes, with the speed of the machine taken out.

A bound in seconds holds on one machine: another is three times slower, or lends each of its processors to
two programs at once. So what is measured is held against a piece of plain work that is done right before and
right after it, and the result is in seconds of the machine on which the bounds were set.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

_Thing = TypeVar("_Thing")

#: What the plain work takes on that machine, in seconds.
_PLAIN = 0.07

#: How often it is measured at most: what else a machine does may spoil a run, and spoils few in a row.
_TRIES = 5


def effort(work: Callable[[_Thing], object], make: Callable[[], _Thing], *, below: float) -> float:
    """Give how much processor time some work takes of this thread, in seconds of that machine.

    Args:
        work: is what is measured.
        make: makes what it is given, anew each time: nothing is remembered in it. This is not measured.
        below: less than this is enough, and is not measured again.
    """
    least = float("inf")
    for _ in range(_TRIES):
        before, took, after = _time_of(_plain_work), _time_of(partial(work, make())), _time_of(_plain_work)
        least = min(least, took * 2 * _PLAIN / (before + after))
        if least < below:
            break
    return least


def _time_of(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began


def _plain_work() -> None:
    """Do what Python does all day: text, numbers and small objects, some of it in C."""
    for number in range(6000):
        words = f"{number} of the plain work, {number * 1.5:.3f}".split()
        json.loads(json.dumps({word.strip(","): [len(word)] for word in words}))
