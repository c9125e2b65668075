"""Numbers with units, as an operator and a packet write them, held against one another."""

from __future__ import annotations

import math
import re

import attrs

import voeflow

from ._units import Unit, parse_unit

_NUMBER = re.compile(r"\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(.*)", re.DOTALL)

#: The class of a solar flare: a letter for the power of ten of its peak flux from 0.1 to 0.8 nm, in W/m2, and
#: how many of these it has (NOAA SWPC, GOES X-ray flux).
_FLARE = re.compile(r"\s*([ABCMX])\s?(\d{1,3}(?:\.\d{1,3})?)\s*")
_FLARE_LETTERS = {"A": 1e-8, "B": 1e-7, "C": 1e-6, "M": 1e-5, "X": 1e-4}


@attrs.frozen
class Quantity:
    """A number, with its unit.

    Attributes:
        value: how many.
        unit: of what; None where nobody says.
        text: as it was written.
    """

    value: float
    unit: Unit | None
    text: str


class UnlikeError(Exception):
    """Two numbers that cannot be compared, and why."""


def parse_quantity(given: float | str) -> Quantity:
    """Read a number, a number with a unit, or the class of a solar flare, of an operator.

    Raises:
        ValueError: it is none; the message says what was expected.
    """
    if isinstance(given, float | int):
        return Quantity(float(given), None, f"{given:g}")
    if (flare := _flare(given)) is not None:
        return flare
    found = _NUMBER.fullmatch(given)
    if found is None or not math.isfinite(float(found[1])):
        raise ValueError(
            f'expected a number, or one with a unit as "10 km/s", or a flare\'s class as "M5", got "{given}"'
        )
    unit = found[2].strip()
    return Quantity(float(found[1]), parse_unit(unit) if unit else None, given.strip())


def read_param(param: voeflow.Param, unit: str) -> Quantity:
    """Read what a packet says.

    Args:
        param: the Param.
        unit: what its unit is where it gives none; empty if that is not known.

    Raises:
        UnlikeError: its value is no number, or its unit is none that is known here.
    """
    shown = voeflow.printable(param.value, 40)
    number = param.number
    if math.isnan(number):
        if (flare := _flare(param.value)) is not None:
            return flare
        raise UnlikeError(f"{shown!r} is no number")
    written = param.unit.strip() or unit
    if not written:
        return Quantity(number, None, shown)
    try:
        return Quantity(number, parse_unit(written), f"{shown} {voeflow.printable(written, 30)}")
    except ValueError:
        # Only a limit without a unit can be held against it.
        return Quantity(number, Unit(math.nan), f"{shown} {voeflow.printable(written, 30)}")


def in_unit_of(found: Quantity, limit: Quantity) -> float:
    """Give a packet's number in the unit of a limit; as it stands where the limit has none.

    Raises:
        UnlikeError: only one of them has a unit that is known, or they measure different things.
    """
    if limit.unit is None:
        return found.value
    if found.unit is None:
        raise UnlikeError(f"{found.text} has no unit, and the limit has")
    factor = found.unit.per(limit.unit)
    if factor is None or math.isnan(factor):
        raise UnlikeError(f"{found.text} cannot be compared with {limit.text}")
    return found.value * factor


def _flare(text: str) -> Quantity | None:
    found = _FLARE.fullmatch(text[:20])
    if found is None:
        return None
    return Quantity(_FLARE_LETTERS[found[1]] * float(found[2]), parse_unit("W/m2"), text.strip())
