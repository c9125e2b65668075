"""When a position can be observed, and if it cannot, why: plain arithmetic on altitudes by the minute."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


@attrs.frozen
class Limits:
    """What makes an observation possible.

    Attributes:
        max_zenith: the greatest angle from the zenith, in degrees.
        sun_below: the Sun's centre must stand lower than this altitude, in degrees.
        max_wait: how long after the first moment the observation may begin, in minutes.
        min_duration: how long it must last, in minutes.
    """

    max_zenith: float
    sun_below: float
    max_wait: int
    min_duration: int


@attrs.frozen
class Outcome:
    """Whether an observation is possible, and the reason in words."""

    possible: bool
    reason: str


def judge(
    target: npt.NDArray[np.float64], sun: npt.NDArray[np.float64], begin: datetime, limits: Limits
) -> Outcome:
    """Find the first window that begins in time and lasts long enough, or say why there is none.

    Args:
        target: the position's altitude in degrees, one value a minute; a whole day of them, so that "never"
            can be told from "not now".
        sun: the Sun's altitude, likewise.
        begin: the moment of the first value.
        limits: what makes an observation possible.

    Returns:
        The answer, with times of day in UTC.
    """
    up = target >= 90 - limits.max_zenith
    dark = sun < limits.sun_below
    windows = [(first, last) for first, last in _runs(up & dark) if first <= limits.max_wait]
    for first, last in windows:
        if last - first >= limits.min_duration:
            seen = target[first : last + 1]
            angles = f"zenith angle {_zenith(seen.max())} to {_zenith(seen.min())} deg"
            return Outcome(True, f"{angles} {_span(begin, first, last)}")
    if windows:
        first, last = max(windows, key=lambda window: window[1] - window[0])
        short = f"only {last - first} min, {_span(begin, first, last)}"
        return Outcome(False, f"{short}; at least {limits.min_duration} min are needed")
    in_time = slice(0, limits.max_wait + 1)
    reasons = []
    if not dark[in_time].any():
        reasons.append(_not_dark(dark, begin, limits))
    if not up[in_time].any():
        reasons.append(_not_up(up, target, begin, limits))
    if not reasons:
        dark_from, up_from = int(np.argmax(dark)), int(np.argmax(up))
        reasons.append(
            f"never dark and within {limits.max_zenith:g} deg of the zenith at once: Sun below"
            f" {limits.sun_below:g} deg {_span(begin, *_run_at(dark, dark_from))},"
            f" position high enough {_span(begin, *_run_at(up, up_from))}"
        )
    return Outcome(False, "; ".join(reasons))


def _not_dark(dark: Mask, begin: datetime, limits: Limits) -> str:
    if not dark.any():
        return f"Sun above {limits.sun_below:g} deg all day"
    return f"Sun above {limits.sun_below:g} deg until {_clock(begin, int(np.argmax(dark)))} UTC"


def _not_up(up: Mask, target: npt.NDArray[np.float64], begin: datetime, limits: Limits) -> str:
    if not up.any():
        return f"never within {limits.max_zenith:g} deg of the zenith, {_zenith(target.max())} deg at best"
    rises = _clock(begin, int(np.argmax(up)))
    return f"zenith angle {_zenith(target[0])} deg, above {limits.max_zenith:g} deg until {rises} UTC"


def _runs(mask: Mask) -> list[tuple[int, int]]:
    """The first and last minute of each stretch that holds."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False]))))
    return [(int(first), int(after) - 1) for first, after in zip(edges[::2], edges[1::2], strict=True)]


def _run_at(mask: Mask, minute: int) -> tuple[int, int]:
    return next((first, last) for first, last in _runs(mask) if first <= minute <= last)


def _zenith(altitude: float) -> str:
    return f"{90 - altitude:.0f}"


def _span(begin: datetime, first: int, last: int) -> str:
    return f"from {_clock(begin, first)} to {_clock(begin, last)} UTC"


def _clock(begin: datetime, minute: int) -> str:
    return f"{begin + timedelta(minutes=minute):%H:%M}"
