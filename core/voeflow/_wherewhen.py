"""Where and when: the `WhereWhen` of a packet (VOEvent 2.0, section 3.4; in 1.1 the same elements of STC).

What cannot be read for certain is not reported: no position is better than a false one, to which telescopes
would slew.
"""

from __future__ import annotations

import math
import re
from datetime import datetime

import attrs
from lxml import etree

from voeflow._utc import SCALES, parse_utc
from voeflow._what import parse_number
from voeflow._xml import child, text_of

#: The equatorial frames of VOEvent 2.0's coordinate systems (section 3.4.1). They agree to 0.1 arcsec. FK4,
#: of another equinox, is 0.6 deg away and not among them.
_EQUATORIAL = frozenset({"ICRS", "FK5"})
#: The other frames that STC 1.33 and VOEvent's solar and planetary coordinate systems name.
_OTHER_FRAMES = frozenset({
    "FK4", "ECLIPTIC", "GAL", "GALACTIC", "SUPER", "HPC", "HPR", "HGS", "HGC", "HGI", "HEE", "HEEQ",
    "GSE", "GSM", "GEOD",
})  # fmt: skip
_REFERENCE_POSITIONS = frozenset({
    "TOPO", "GEO", "GEOLUN", "BARY", "HELIO", "EMB", "LSR", "LSRK", "LSRD", "MOON", "RELOCATABLE",
    "UNKNOWNREFPOS",
})  # fmt: skip
#: Time scales, and what stands in the place of one, that are known and cannot be made into UTC.
_OTHER_SCALES = frozenset(
    {"TCB", "TCG", "ET", "UT1", "UT", "GMST", "LST", "ST", "LOCAL", "LT", "UNKNOWN", "UNKNOWNTIME"}
)

#: How many degrees there are in one of each unit of angle.
_DEGREES = {
    "": 1.0,
    **dict.fromkeys(("deg", "degree", "degrees"), 1.0),
    **dict.fromkeys(("arcmin", "arcminute", "arcminutes"), 1 / 60),
    **dict.fromkeys(("arcsec", "arcsecond", "arcseconds"), 1 / 3600),
    "mas": 1 / 3_600_000,
    **dict.fromkeys(("rad", "radian", "radians"), math.degrees(1)),
}
#: Units of right ascension alone: a declination or a radius "in hours" could mean two things.
_HOURS = frozenset({"h", "hr", "hour", "hours", "hourangle"})
#: The radius, in degrees, of an error circle that is the whole sky.
_WHOLE_SKY = 180.0
_RA_NAMES = re.compile(r"ra|r\.a\.?|ra[ _(]?(j2000|icrs)\)?|right[ _]?ascension|alpha", re.IGNORECASE)
_DEC_NAMES = re.compile(r"dec|dec\.|de|dec[ _(]?(j2000|icrs)\)?|declination|delta", re.IGNORECASE)


@attrs.frozen
class Position:
    """Where in the sky an event is, in equatorial coordinates of equinox J2000.

    Attributes:
        ra: right ascension in degrees, at least 0 and below 360 (`Position2D/Value2`, VOEvent 2.0, section
            3.4).
        dec: declination in degrees, -90 to 90.
        error: radius of the error circle in degrees (`Position2D/Error2Radius`), or None where it is unknown:
            none, zero, negative or no number. The standard does not fix its confidence level; it is the
            author's.
        frame: `ICRS` or `FK5`, or empty where the packet names none and calls its coordinates RA and Dec.
        time: when that was, in UTC, or None where it is unknown; the same as `Event.time`.
        coord_system: the packet's own word for the coordinate system, as `UTC-FK5-GEO`, or empty.
    """

    ra: float
    dec: float
    error: float | None = None
    frame: str = ""
    time: datetime | None = None
    coord_system: str = ""


@attrs.frozen(eq=False, repr=False)
class WhereWhen:
    """What the observation's location says; either may be missing."""

    position: Position | None
    time: datetime | None


@attrs.frozen(eq=False, repr=False)
class _System:
    """A coordinate system; its frame or time scale is None where one is stated but not understood."""

    name: str
    frame: str | None
    scale: str | None


def read_where_when(root: etree._Element) -> WhereWhen:
    """Read the first `ObservationLocation` of a packet; that of the observatory is another matter."""
    location = child(root, "WhereWhen", "ObsDataLocation", "ObservationLocation")
    if location is None:
        location = child(root, "WhereWhen", "ObservationLocation")  # some leave ObsDataLocation out
    coords = child(location, "AstroCoords")
    if coords is None:
        return WhereWhen(None, None)
    system = _read_system(location, coords)
    time = _read_time(child(coords, "Time"), system.scale)
    return WhereWhen(_read_position(child(coords, "Position2D"), system, time), time)


def _read_system(location: etree._Element | None, coords: etree._Element) -> _System:
    """The coordinate system that `coords` refers to, by its name and by VOEvent 2.1's elements inside it."""
    described = child(location, "AstroCoordSystem")
    name = (coords.get("coord_system_id") or (described is not None and described.get("id")) or "").strip()
    # STC may hold a reference: ivo://STClib/CoordSys#UTC-FK5-GEO
    parts = [part for part in re.split(r"[^A-Z0-9]+", name.rpartition("#")[2].upper()) if part]
    frame = _stated(child(described, "SpaceFrame"), "SpaceRefFrame") or next(
        (part for part in parts if part in _EQUATORIAL or part in _OTHER_FRAMES), ""
    )
    scale = _stated(child(described, "TimeFrame"), "TimeScale") or next(
        (part for part in parts if part in SCALES or part in _OTHER_SCALES), ""
    )
    rest = [
        p
        for p in parts
        if p not in _EQUATORIAL | _OTHER_FRAMES | _REFERENCE_POSITIONS | SCALES | _OTHER_SCALES
    ]
    if not frame and rest:
        frame = "not understood"
    if not scale and rest:
        scale = "not understood"
    return _System(
        name=name,
        frame=frame if frame in _EQUATORIAL or not frame else None,
        scale=scale if scale in SCALES else None if scale else "UTC",
    )


def _stated(frame: etree._Element | None, name: str) -> str:
    return text_of(child(frame, name)).upper()


def _read_time(time: etree._Element | None, scale: str | None) -> datetime | None:
    """The instant, or where VOEvent 2.1 gives an interval, its start."""
    instant = child(time, "TimeInstant")
    if instant is None:
        return parse_utc(text_of(child(time, "TimeInterval", "ISOTimeStart")), scale)
    offset = text_of(child(instant, "TimeOffset"))
    if offset and parse_number(offset) != 0:
        return None  # neither standard says in what unit, or from when, an offset beside an ISOTime counts
    own_scale = text_of(child(instant, "TimeScale")).upper()
    if own_scale:
        scale = own_scale if own_scale in SCALES else None
    return parse_utc(text_of(child(instant, "ISOTime")), scale)


def _read_position(element: etree._Element | None, system: _System, time: datetime | None) -> Position | None:
    if element is None or system.frame is None:
        return None
    swapped = _swapped(
        text_of(child(element, "Name1")), text_of(child(element, "Name2")), framed=bool(system.frame)
    )
    if swapped is None:
        return None
    shared = element.get("unit", "")
    units = [unit for unit in re.split(r"[\s-]+", shared.strip().lower()) if unit] or [
        ""
    ]  # "deg", "deg-deg" or "h deg"
    values = child(element, "Value2")
    first = _degrees(child(values, "C1"), units[0], hours=not swapped)
    second = _degrees(child(values, "C2"), units[-1], hours=swapped)
    ra, dec = (second, first) if swapped else (first, second)
    if not (0 <= ra <= 360 and -90 <= dec <= 90):
        return None
    error = _degrees(child(element, "Error2Radius"), units[-1], hours=False)
    known = error if 0 < error < math.inf else None
    if error >= _WHOLE_SKY or (ra == 0 and dec == 0 and known is None):
        return (
            None  # what GCN's KONUS, SPIACS and GBM_Alert notices, and its SNEWS tests, write for "nowhere"
        )
    return Position(ra % 360, dec, known, system.frame, time, system.name)


def _swapped(name1: str, name2: str, *, framed: bool) -> bool | None:
    """Whether the declination comes first; None where that, or that it is one, cannot be told."""
    if not name1 and not name2:
        return False if framed else None
    if _RA_NAMES.fullmatch(name1) and _DEC_NAMES.fullmatch(name2):
        return False
    return True if _DEC_NAMES.fullmatch(name1) and _RA_NAMES.fullmatch(name2) else None


def _degrees(element: etree._Element | None, unit: str, *, hours: bool) -> float:
    """A coordinate in degrees, by its own `pos_unit` (VOEvent 2.1) or else `unit`; NaN if unreadable."""
    if element is None:
        return math.nan
    unit = (element.get("pos_unit") or unit).strip().lower()
    factor = 15.0 if hours and unit in _HOURS else _DEGREES.get(unit, math.nan)
    return parse_number(text_of(element)) * factor
