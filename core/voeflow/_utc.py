"""Times as packets write them, made into UTC.

A packet's time is ISO 8601 text in the time scale that its coordinate system names. Without a zone and
without another scale it is UTC (VOEvent 2.0, section 3.4). What cannot be made into UTC for certain is no
time at all.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ]\s*(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?)?\s*"
    r"(Z|UTC|[+-]\d{2}(?::?\d{2})?)?",
    re.IGNORECASE | re.ASCII,
)
#: How most packets write a time, which Python reads by itself, save second 60.
_USUAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
#: TAI - UTC in seconds from 00:00 UTC of each date on: IERS Bulletin C and its table of leap seconds. The
#: last one was announced in Bulletin C 52 of 2016-07-06; none has been since, up to Bulletin C 70 of
#: 2025-07-07.
_LEAP_SECONDS = tuple(
    (datetime(year, month, 1, tzinfo=UTC), offset)
    for offset, (year, month) in enumerate(
        (
            (1972, 1), (1972, 7), (1973, 1), (1974, 1), (1975, 1), (1976, 1), (1977, 1), (1978, 1),
            (1979, 1), (1980, 1), (1981, 7), (1982, 7), (1983, 7), (1985, 7), (1988, 1), (1990, 1),
            (1991, 1), (1992, 7), (1993, 7), (1994, 7), (1996, 1), (1997, 7), (1999, 1), (2006, 1),
            (2009, 1), (2012, 7), (2015, 7), (2017, 1),
        ),
        start=10,
    )
)  # fmt: skip
#: What to take from a time of each scale to have TAI, in seconds. TT = TAI + 32.184 s by definition (IAU
#: 1991, resolution A4); TDB keeps within 2 ms of TT (IAU 2006, resolution B3) and is read as TT; GPS = TAI -
#: 19 s (IS-GPS-200).
_AHEAD_OF_TAI = {"TAI": 0.0, "IAT": 0.0, "TT": 32.184, "TDT": 32.184, "TDB": 32.184, "GPS": -19.0}
#: The time scales that can be made into UTC.
SCALES = frozenset({"UTC", *_AHEAD_OF_TAI})


def iso_utc(text: str) -> str | None:
    """Give a time that `parse_utc` reads as Python writes it, in UTC; None for what is no time."""
    if _USUAL.fullmatch(text) is not None:
        written = f"{text}+00:00"
        try:
            datetime.fromisoformat(written)
        except ValueError:
            pass  # second 60, or no time at all
        else:
            return written
    moment = parse_utc(text)
    return None if moment is None else moment.isoformat()


def parse_utc(text: str, scale: str | None = "UTC") -> datetime | None:
    """Read an ISO 8601 time as packets write it.

    With `T` or a blank, with fractions of any length, with or without seconds, time of day and zone.

    Args:
        text: the time. Second 60 of a leap second is read as the first of the next minute.
        scale: the time scale that it is in, one of `SCALES`, in capitals; None where it is unknown, and then
            only a text that says its zone is UTC's.

    Returns:
        The time in UTC, to the microsecond; None where it is no time, or none that can be had in UTC.
    """
    if scale == "UTC" and _USUAL.fullmatch(text) is not None:
        try:
            return datetime.fromisoformat(f"{text}+00:00")
        except ValueError:
            pass  # second 60, or no time at all
    found = _ISO.fullmatch(text.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    leap = second == "60"
    try:
        moment = datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            59 if leap else int(second or 0),
            tzinfo=UTC,
        )
        if leap or fraction:
            # Digits beyond the ninth cannot change a microsecond, and there may be a million of them.
            part = round(float(f"0.{(fraction or '0')[:9]}") * 1e6)
            moment += timedelta(seconds=int(leap), microseconds=part)
        if zone is not None and zone[0] in "+-":
            moment -= _zone_offset(zone)
        if scale == "UTC" or (scale is None and zone):
            return moment
        return None if scale is None else _utc_from(moment, scale)
    except (ValueError, OverflowError):
        return None


def _zone_offset(zone: str) -> timedelta:
    digits = zone[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return -offset if zone[0] == "-" else offset


def _utc_from(moment: datetime, scale: str) -> datetime | None:
    """UTC of a time in another scale, given as if it were UTC; None before UTC began in 1972."""
    if scale not in _AHEAD_OF_TAI:
        return None
    tai = moment - timedelta(seconds=_AHEAD_OF_TAI[scale])
    for since, offset in reversed(_LEAP_SECONDS):
        utc = tai - timedelta(seconds=offset)
        if utc >= since:
            return utc
    return None
