"""Durations and sizes: their types for a plugin's options, and their text form in a pipeline file."""

from __future__ import annotations

import math
import re
from typing import NewType

#: A duration in seconds; a plugin's option of this type is written as `"30 s"`, `"5 min"` or a number.
Seconds = NewType("Seconds", float)

#: A size in bytes; a plugin's option of this type is written as `"1 MiB"` or a whole number.
Bytes = NewType("Bytes", int)

_NUMBER_AND_UNIT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")
_SEVERAL = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)")
_MINUTE, _HOUR, _DAY, _WEEK = 60, 3600, 86400, 7 * 86400
_SECONDS = {
    "ms": 0.001,
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("min", "minute", "minutes"), _MINUTE),
    **dict.fromkeys(("h", "hour", "hours"), _HOUR),
    **dict.fromkeys(("d", "day", "days"), _DAY),
    **dict.fromkeys(("week", "weeks"), _WEEK),
}

#: The longest duration that is read: a thousand years, so that such a time before or after now has a date.
MAX_SECONDS = 365_000 * _DAY

_BYTES = {
    **dict.fromkeys(("B", "byte", "bytes"), 1),
    "kB": 10**3, "MB": 10**6, "GB": 10**9,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30,
}  # fmt: skip

#: The greatest size that is read: more than any disk, and few enough for every counter of bytes.
MAX_BYTES = 2**60


def parse_seconds(value: object) -> Seconds:
    """Read a duration: a number of seconds, or text such as `30 s`, `5 min`, `1 hour`, `30 days`.

    Raises:
        ValueError: it is neither, or is negative or above `MAX_SECONDS`; the message says what was expected.
    """
    seconds: float | None = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value
    elif isinstance(value, str) and (found := _NUMBER_AND_UNIT.fullmatch(value)):
        number, unit = found.groups()
        if unit in _SECONDS or (not unit and float(number) == 0):
            seconds = float(number) * _SECONDS.get(unit, 1)
    if seconds is not None and 0 <= seconds <= MAX_SECONDS:
        return Seconds(float(seconds))
    if seconds is not None and seconds > MAX_SECONDS and value != math.inf:
        raise ValueError(f"expected a duration of at most {MAX_SECONDS // _DAY} days, got {_shown(value)}")
    shown = f"{_shown(value)}{_why_no_duration(value)}"
    raise ValueError(f'expected a duration such as "30 s", "5 min" or "1 hour", got {shown}')


def _why_no_duration(value: object) -> str:
    """Say what is wrong with a duration, where that can be told."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return ": it cannot be negative" if value < 0 else ""
    if not isinstance(value, str):
        return ""
    if _NUMBER_AND_UNIT.fullmatch(value.strip().removeprefix("-")) and value.strip().startswith("-"):
        return ": it cannot be negative"
    found = _NUMBER_AND_UNIT.fullmatch(value)
    if found is not None:
        number, unit = found.groups()
        return f": no unit is called {unit}" if unit else f': the unit is missing, as in "{number} s"'
    parts = _SEVERAL.findall(value)
    if len(parts) > 1 and not _SEVERAL.sub("", value).strip() and all(unit in _SECONDS for _, unit in parts):
        total = sum(float(number) * _SECONDS[unit] for number, unit in parts)
        in_minutes = f"{total / _MINUTE:g} min" if total % _MINUTE == 0 else f"{total:g} s"
        return f': expected one number and one unit, "{in_minutes}"'
    return ""


def parse_bytes(value: object) -> Bytes:
    """Read a size: a whole number of bytes, or text such as `512 kB` or `1 MiB`.

    Raises:
        ValueError: it is neither, or is negative or above `MAX_BYTES`; the message says what was expected.
    """
    size: float | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str) and (found := _NUMBER_AND_UNIT.fullmatch(value)):
        number, unit = found.groups()
        if unit in _BYTES:
            size = float(number) * _BYTES[unit]
    if size is not None and 0 <= size <= MAX_BYTES:
        return Bytes(int(size))
    if size is not None and size > MAX_BYTES:
        raise ValueError(f"expected a size of at most {MAX_BYTES // 2**50} PiB, got {_shown(value)}")
    raise ValueError(f'expected a size such as "512 kB" or "1 MiB", got {_shown(value)}')


def show_seconds(seconds: float) -> str:
    """Give a duration as a person would write it: `250 ms`, `30 s`, `5 min`, `1.5 hours`, `30 days`."""
    for name, unit in (("days", _DAY), ("hours", _HOUR), ("min", _MINUTE), ("s", 1)):
        if seconds >= unit:
            number = f"{seconds / unit:.3g}" if seconds < 100 * unit else f"{seconds / unit:.0f}"
            return f"{number} {name.rstrip('s') if number == '1' and unit >= _HOUR else name}"
    return f"{seconds * 1000:.3g} ms" if 0 < seconds < 0.9995 else f"{seconds:.0f} s"


def show_bytes(size: int) -> str:
    """Give a size as a person would write it: `4 MiB`; a number where no larger unit goes into it."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size and size % unit == 0:
            return f"{size // unit} {name}"
    return str(size)


def _shown(value: object) -> str:
    """Give a value as it stands in a pipeline file."""
    return f'"{value}"' if isinstance(value, str) else repr(value)
