"""Units of measurement as packets write them, and how many of one make one of another.

What VOUnits 1.1 (IVOA Recommendation, 2023), sections 2.4 to 2.8, calls known units, with what alerts write
besides (`sec`, `erg/cm2/s`, `cm^-3`, `pfu`). It multiplies: there are no offsets (Celsius), and nothing is
converted by physics (Hz to eV). astropy.units knows many more, for a hundred times the weight.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping

import attrs

#: The longest unit that is read, in characters.
UNIT_MAX = 60

#: How deep brackets may nest.
_DEPTH_MAX = 4

_Dimensions = Mapping[str, int]


@attrs.frozen
class Unit:
    """A unit in units of the SI.

    Attributes:
        factor: how many of the SI's it is.
        dimensions: the powers of `m`, `kg`, `s`, `A`, `K`, `mol`, `cd` and `rad`, and of what is counted
            (`mag`, `ct`, `ph`, `pix`, `sigma`); none is zero.
    """

    factor: float
    dimensions: tuple[tuple[str, int], ...] = ()

    def times(self, other: Unit, power: int = 1) -> Unit:
        """Give the product of this unit and a power of another."""
        found = dict(self.dimensions)
        for name, each in other.dimensions:
            found[name] = found.get(name, 0) + each * power
        kept = tuple(sorted((name, each) for name, each in found.items() if each))
        return Unit(self.factor * other.factor**power, kept)

    def per(self, other: Unit) -> float | None:
        """Give how many of another unit one of this is; None where they measure different things."""
        return self.factor / other.factor if self.dimensions == other.dimensions else None


def _unit(factor: float, **dimensions: int) -> Unit:
    return Unit(factor, tuple(sorted(dimensions.items())))


_ENERGY, _FORCE = {"kg": 1, "m": 2, "s": -2}, {"kg": 1, "m": 1, "s": -2}
_POWER, _PRESSURE = {"kg": 1, "m": 2, "s": -3}, {"kg": 1, "m": -1, "s": -2}
_DEGREE = 0.017453292519943295
_DAY = 86400.0

#: Units that take the SI's prefixes.
_PREFIXED = {
    "m": _unit(1, m=1), "g": _unit(1e-3, kg=1), "s": _unit(1, s=1), "A": _unit(1, A=1), "K": _unit(1, K=1),
    "mol": _unit(1, mol=1), "cd": _unit(1, cd=1), "rad": _unit(1, rad=1), "sr": _unit(1, rad=2),
    "Hz": _unit(1, s=-1), "N": _unit(1, **_FORCE), "Pa": _unit(1, **_PRESSURE), "J": _unit(1, **_ENERGY),
    "W": _unit(1, **_POWER), "C": _unit(1, A=1, s=1), "V": _unit(1, kg=1, m=2, s=-3, A=-1),
    "T": _unit(1, kg=1, s=-2, A=-1), "Wb": _unit(1, kg=1, m=2, s=-2, A=-1),
    "F": _unit(1, kg=-1, m=-2, s=4, A=2), "H": _unit(1, kg=1, m=2, s=-2, A=-2),
    "Ohm": _unit(1, kg=1, m=2, s=-3, A=-2), "S": _unit(1, kg=-1, m=-2, s=3, A=2),
    "eV": _unit(1.602176634e-19, **_ENERGY),  # exact since the SI of 2019
    "erg": _unit(1e-7, **_ENERGY), "G": _unit(1e-4, kg=1, s=-2, A=-1), "bar": _unit(1e5, **_PRESSURE),
    "Jy": _unit(1e-26, kg=1, s=-2), "barn": _unit(1e-28, m=2), "arcsec": _unit(_DEGREE / 3600, rad=1),
    "pc": _unit(3.0856775814913673e16, m=1),  # 648000 / pi au, IAU 2015 B2
    "lyr": _unit(9460730472580800.0, m=1), "a": _unit(365.25 * _DAY, s=1), "yr": _unit(365.25 * _DAY, s=1),
    "mag": _unit(1, mag=1), "ct": _unit(1, ct=1), "count": _unit(1, ct=1), "ph": _unit(1, ph=1),
    "photon": _unit(1, ph=1), "pix": _unit(1, pix=1), "u": _unit(1.66053906892e-27, kg=1),  # CODATA 2022
}  # fmt: skip

#: Units that take none, and what else packets call them.
_PLAIN = {
    "%": _unit(1e-2), "ppm": _unit(1e-6), "deg": _unit(_DEGREE, rad=1), "arcmin": _unit(_DEGREE / 60, rad=1),
    "mas": _unit(_DEGREE / 3.6e6, rad=1), "min": _unit(60, s=1), "h": _unit(3600, s=1), "d": _unit(_DAY, s=1),
    "au": _unit(149597870700.0, m=1), "AU": _unit(149597870700.0, m=1),  # IAU 2012 B2
    "Angstrom": _unit(1e-10, m=1), "sigma": _unit(1, sigma=1),
    # Nominal values, IAU 2015 B3; the mass from its nominal GM and CODATA's G.
    "solRad": _unit(6.957e8, m=1), "solLum": _unit(3.828e26, **_POWER),
    "solMass": _unit(1.988409870698051e30, kg=1),
    "earthRad": _unit(6.3781e6, m=1), "jupiterRad": _unit(7.1492e7, m=1),
    # Of space weather: the solar flux unit, and the particle flux unit (1 / cm2 s sr) of NOAA's S scale.
    "sfu": _unit(1e-22, kg=1, s=-2), "pfu": _unit(1e4, m=-2, s=-1, rad=-2),
}  # fmt: skip

_ALIASES = {
    "sec": "s", "secs": "s", "second": "s", "seconds": "s", "minute": "min", "minutes": "min", "hr": "h",
    "hour": "h", "hours": "h", "day": "d", "days": "d", "year": "yr", "years": "yr", "degree": "deg",
    "degrees": "deg", "arcminute": "arcmin", "arcsecond": "arcsec", "cts": "ct", "cnt": "ct", "cnts": "ct",
    "counts": "ct", "photons": "ph", "micron": "um", "Re": "earthRad", "R_E": "earthRad", "Rs": "solRad",
    "R_S": "solRad", "Msun": "solMass", "Lsun": "solLum", "ly": "lyr", "tesla": "T", "gauss": "G",
    "percent": "%", "Å": "Angstrom", "angstrom": "Angstrom",
}  # fmt: skip

_PREFIXES = {
    "y": 1e-24, "z": 1e-21, "a": 1e-18, "f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "μ": 1e-6,
    "m": 1e-3, "c": 1e-2, "d": 1e-1, "da": 1e1, "h": 1e2, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "E": 1e18, "Z": 1e21, "Y": 1e24,
}  # fmt: skip

_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-zµμÅ]+(?:_[A-Za-z]+)?|%)"
    r"(?:(?:\*\*|\^)?(?P<power>[+-]?[1-9])(?!\d|\.\d)|(?:\*\*|\^)\((?P<bracketed>[+-]?[1-9])\))?"
    r"|(?P<scale>(?:\d+(?:\.\d*)?(?:[eE][+-]?\d{1,2})?)(?:(?:\*\*|\^)[+-]?\d{1,2})?)"
    r"|(?P<sign>\*\*|[*./()·]))"
)


def parse_unit(text: str) -> Unit:
    """Read a unit; an empty text is that of a plain number.

    Args:
        text: as `km/s`, `erg cm-2 s-1`, `erg/cm2/s`, `10**-8 W m**-2`. A slash divides by the next unit, or
            the next brackets, alone.

    Raises:
        ValueError: it is none that is known here; the message says at which word.
    """
    return _parse(text.strip())


@functools.lru_cache(maxsize=512)
def _parse(text: str) -> Unit:
    if len(text) > UNIT_MAX:
        raise ValueError(f"expected a unit of at most {UNIT_MAX} characters, got {len(text)}")
    try:
        unit, at = _product(text, 0, 0)
    except ArithmeticError:
        raise ValueError(f"numbers beyond all bounds in the unit {text!r}") from None
    if at < len(text):
        raise ValueError(f"a bracket too many in the unit {text!r}")
    if not 0 < unit.factor < math.inf:
        raise ValueError(f"numbers beyond all bounds in the unit {text!r}")
    return unit


def _product(text: str, at: int, depth: int) -> tuple[Unit, int]:
    """Read units up to the end, or up to the bracket that closes these."""
    unit, power = Unit(1.0), 1
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"no unit: {text[at:].strip()[:20]!r} in {text!r}")
        at = found.end()
        if found["name"]:
            unit = unit.times(
                _named(found["name"], text), power * int(found["power"] or found["bracketed"] or 1)
            )
            power = 1
        elif found["scale"]:
            unit = unit.times(Unit(_scale(found["scale"], text)), power)
            power = 1
        elif found["sign"] == "/":
            power = -1
        elif found["sign"] == "(":
            if depth == _DEPTH_MAX:
                raise ValueError(f"brackets too deep in the unit {text!r}")
            inner, at = _product(text, at, depth + 1)
            if at >= len(text) or text[at] != ")":
                raise ValueError(f"a bracket that is not closed in the unit {text!r}")
            at += 1
            unit = unit.times(inner, power)
            power = 1
        elif found["sign"] == ")":
            return unit, at - 1
        elif found["sign"] == "**":
            raise ValueError(f"expected a whole number as a power, 1 to 9, in the unit {text!r}")
    return unit, at


def _scale(text: str, whole: str) -> float:
    """Read `1000`, `1e-7`, or `10**-7`."""
    base, _, power = text.replace("^", "**").partition("**")
    if not float(base):
        raise ValueError(f"expected a number above zero before the unit, in {whole!r}")
    return float(base) ** int(power or 1)


def _named(name: str, text: str) -> Unit:
    name = _ALIASES.get(name, name)
    if (unit := _PREFIXED.get(name) or _PLAIN.get(name)) is not None:
        return unit
    for prefix, factor in _PREFIXES.items():
        if name.startswith(prefix) and (unit := _PREFIXED.get(name[len(prefix) :])) is not None:
            return Unit(factor).times(unit)
    raise ValueError(f"no unit is called {name[:20]!r}" + (f", in {text!r}" if text != name else ""))
