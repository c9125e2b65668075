"""When a position can be observed, and if it cannot, why: arithmetic on what stands where by the minute."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs
import numpy as np
import numpy.typing as npt

from ._sky import Sky
from ._telescopes import MOON_DOWN, Moonlight

Mask = npt.NDArray[np.bool_]


@attrs.frozen
class Limits:
    """What makes an observation possible.

    Attributes:
        max_zenith: the greatest angle from the zenith, in degrees.
        sun_below: the Sun's centre must stand lower than this altitude, in degrees.
        moon: how much of the Moon is stood.
        max_wait: how long after the first moment the observation may begin, in minutes.
        min_duration: how long it must last, in minutes.
    """

    max_zenith: float
    sun_below: float
    moon: Moonlight
    max_wait: int
    min_duration: int


@attrs.frozen
class Outcome:
    """Whether an observation is possible, and the reason in words.

    Attributes:
        possible: whether it is.
        reason: in words, with times of day in UTC.
        window: the first and the last minute of the observation; None if it is not possible.
    """

    possible: bool
    reason: str
    window: tuple[int, int] | None = None


def judge(sky: Sky, begin: datetime, limits: Limits) -> Outcome:
    """Find the first window that begins in time and lasts long enough, or say why there is none.

    Args:
        sky: what stands where; a whole day of it, so that "never" can be told from "not now".
        begin: the moment of the first values.
        limits: what makes an observation possible.
    """
    up, dark, dim = high_enough(sky, limits), sky.sun < limits.sun_below, dim_enough(sky, limits.moon)
    windows = [(first, last) for first, last in _runs(up & dark & dim) if first <= limits.max_wait]
    for first, last in windows:
        if last - first >= limits.min_duration:
            seen = sky.target[first : last + 1]
            angles = f"zenith angle {_zenith(seen.max())} to {_zenith(seen.min())} deg"
            return Outcome(True, f"{angles} {_span(begin, first, last)}", (first, last))
    if windows:
        first, last = max(windows, key=lambda window: window[1] - window[0])
        short = f"only {last - first} min, {_span(begin, first, last)}"
        return Outcome(False, f"{short}; at least {limits.min_duration} min are needed")
    in_time = slice(0, limits.max_wait + 1)
    reasons = []
    if not dark[in_time].any():
        reasons.append(_not_dark(dark, begin, limits))
    if not up[in_time].any():
        reasons.append(_not_up(up, sky.target, begin, limits))
    if dark[in_time].any() and not (dim & dark)[in_time].any():  # by day nobody asks for the Moon
        reasons.append(_moonlit(sky, dim, begin, limits))
    if not reasons:
        reasons.append(_never_at_once(up, dark, dim, begin, limits))
    return Outcome(False, "; ".join(reasons))


def high_enough(sky: Sky, limits: Limits) -> Mask:
    """In which minutes the position stands high enough."""
    return np.asarray(sky.target >= 90 - limits.max_zenith)


def dim_enough(sky: Sky, moon: Moonlight) -> Mask:
    """In which minutes the Moon is down, or dim and far enough."""
    if moon.any:
        return np.ones(sky.moon.shape, dtype=np.bool_)
    harmless = (sky.illumination <= moon.max_illumination) & (sky.separation >= moon.min_separation)
    return np.asarray((sky.moon < MOON_DOWN) | harmless)


def _not_dark(dark: Mask, begin: datetime, limits: Limits) -> str:
    if not dark.any():
        return f"Sun above {limits.sun_below:g} deg all day"
    return f"Sun above {limits.sun_below:g} deg until {_clock(begin, int(np.argmax(dark)))} UTC"


def _not_up(up: Mask, target: npt.NDArray[np.float64], begin: datetime, limits: Limits) -> str:
    if not up.any():
        return f"never within {limits.max_zenith:g} deg of the zenith, {_zenith(target.max())} deg at best"
    rises = _clock(begin, int(np.argmax(up)))
    return f"zenith angle {_zenith(target[0])} deg, above {limits.max_zenith:g} deg until {rises} UTC"


def _moonlit(sky: Sky, dim: Mask, begin: datetime, limits: Limits) -> str:
    moon = f"Moon {100 * sky.illumination[0]:.0f}% lit, {sky.separation[0]:.0f} deg away"
    if not dim.any():
        return f"{moon} all day"
    return f"{moon}, until {_clock(begin, int(np.argmax(dim)))} UTC"


def _never_at_once(up: Mask, dark: Mask, dim: Mask, begin: datetime, limits: Limits) -> str:
    parts = []
    for mask, words in (
        (dark, f"Sun below {limits.sun_below:g} deg"),
        (up, "position high enough"),
        (dim, "no Moon that disturbs"),
    ):
        first = int(np.argmax(mask))
        last = next(last for begins, last in _runs(mask) if begins <= first <= last)
        if first or last < len(mask) - 1:
            parts.append(f"{words} {_span(begin, first, last)}")
    return f"never all at once in time: {', '.join(parts)}"


def _runs(mask: Mask) -> list[tuple[int, int]]:
    """The first and last minute of each stretch that holds."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False]))))
    return [(int(first), int(after) - 1) for first, after in zip(edges[::2], edges[1::2], strict=True)]


def _zenith(altitude: float) -> str:
    return f"{90 - altitude:.0f}"


def _span(begin: datetime, first: int, last: int) -> str:
    return f"from {_clock(begin, first)} to {_clock(begin, last)} UTC"


def _clock(begin: datetime, minute: int) -> str:
    return f"{begin + timedelta(minutes=minute):%H:%M}"
