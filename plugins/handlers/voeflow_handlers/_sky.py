"""Places and times as astronomers read them."""

from __future__ import annotations

from datetime import UTC, datetime


def show_position(ra: float, dec: float) -> str:
    """Give a position in sexagesimal and in degrees: `05:34:31.92 +22:00:52.2 (83.6330, +22.0145 deg)`.

    Args:
        ra: right ascension in degrees.
        dec: declination in degrees.

    Returns:
        Right ascension in hours, minutes and seconds to 0.01 s, declination in degrees, minutes and seconds
        of arc to 0.1 arcsec, and both in degrees to 0.0001.
    """
    hours = _sexagesimal(ra / 15, digits=2, modulus=24)
    sign = "-" if dec < 0 else "+"
    return f"{hours} {sign}{_sexagesimal(abs(dec), digits=1)} ({ra:.4f}, {dec:+.4f} deg)"


def show_angle(degrees: float) -> str:
    """Give a small angle in the unit in which it is a number that one can picture: `3 arcmin`."""
    for factor, unit in ((1, "deg"), (60, "arcmin"), (3600, "arcsec")):
        if degrees * factor >= 1:
            return f"{degrees * factor:.3g} {unit}"
    return f"{degrees * 3_600_000:.3g} mas"


def show_time(moment: datetime) -> str:
    """Give a time in UTC, with as much of a second as it has: `2026-11-24 01:01:30.25 UTC`."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
    return f"{text.rstrip('0') if '.' in text else text} UTC"


def _sexagesimal(value: float, *, digits: int, modulus: int | None = None) -> str:
    """Give a number in sixtieths, rounded once so that no part of it is ever 60."""
    parts = 10**digits
    ticks = round(value * 3600 * parts)
    if modulus is not None:
        ticks %= modulus * 3600 * parts
    minutes, rest = divmod(ticks, 60 * parts)
    seconds, fraction = divmod(rest, parts)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}.{fraction:0{digits}d}"
