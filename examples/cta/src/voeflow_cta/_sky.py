"""Where a position, the Sun and the Moon stand over a site: the only module that uses astropy.

The Earth's rotation comes from the tables that are installed with astropy; nothing is fetched, for a filter
must answer without the network. Beyond the end of those tables astropy's own approximation is taken: UT1 is
then up to 0.9 s off, and so the sky 0.004 deg, far below what matters here. The Sun and the Moon are those of
astropy's built-in ephemeris.
"""

from __future__ import annotations

from datetime import datetime

import astropy.units as u
import attrs
import numpy as np
import numpy.typing as npt
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_body, get_sun
from astropy.time import Time, TimeDelta
from astropy.utils import iers

from ._sites import Site

# For the whole process: astropy has no other way that is safe with several threads.
iers.conf.auto_download = False
iers.conf.auto_max_age = None
iers.conf.iers_degraded_accuracy = "ignore"

#: All is computed every so many minutes, and in a straight line between: altitudes are wrong by at most 0.004
#: deg below an altitude of 70 deg, 0.03 deg at the zenith, where no limit is near.
COARSE = 5

Numbers = npt.NDArray[np.float64]


@attrs.frozen(eq=False)
class Sky:
    """What stands where, minute by minute: arrays of one length, one value a minute.

    Attributes:
        target: the altitude of the position in degrees, without refraction.
        sun: the altitude of the Sun's centre in degrees.
        moon: the altitude of the Moon's centre in degrees.
        separation: the angle between the position and the Moon in degrees, as seen from the site.
        illumination: the part of the Moon's disk that is lit, 0 to 1.
    """

    target: Numbers
    sun: Numbers
    moon: Numbers
    separation: Numbers
    illumination: Numbers


def sky_over(site: Site, ra: float, dec: float, begin: datetime, minutes: int) -> Sky:
    """Compute where a fixed position, the Sun and the Moon stand.

    Args:
        site: from where.
        ra: right ascension in degrees (ICRS).
        dec: declination in degrees (ICRS).
        begin: the first moment, with a time zone.
        minutes: how many minutes from there.

    Returns:
        Arrays of shape (minutes + 1,).
    """
    fine = np.arange(minutes + 1, dtype=np.float64)
    coarse = np.arange(0, minutes + COARSE, COARSE, dtype=np.float64)
    times = Time(begin) + TimeDelta(coarse * 60, format="sec")
    location = EarthLocation.from_geodetic(site.longitude * u.deg, site.latitude * u.deg, site.height * u.m)
    frame = AltAz(obstime=times, location=location)
    target = SkyCoord(ra * u.deg, dec * u.deg, frame="icrs").transform_to(frame)
    moon_seen = get_body("moon", times, location)
    sun_seen = get_sun(times)
    moon = moon_seen.transform_to(frame)
    # The Moon from the Earth's centre: what is said of its phase is said for there.
    moon_vector = moon_seen.cartesian + location.get_gcrs_posvel(times)[0]
    moon_away, sun_away = moon_vector.norm().to_value(u.km), sun_seen.distance.to_value(u.km)
    cosine = moon_vector.dot(sun_seen.cartesian).to_value(u.km**2) / (moon_away * sun_away)
    elongation = np.arccos(np.clip(cosine, -1, 1))
    # The angle at the Moon between the Sun and us, and the lit part of the disk (Meeus, Astronomical
    # Algorithms, chapter 48).
    phase = np.arctan2(sun_away * np.sin(elongation), moon_away - sun_away * np.cos(elongation))

    def each_minute(values: Numbers) -> Numbers:
        return np.interp(fine, coarse, values)

    return Sky(
        target=each_minute(target.alt.deg),
        sun=each_minute(sun_seen.transform_to(frame).alt.deg),
        moon=each_minute(moon.alt.deg),
        separation=each_minute(_angle(target.alt.rad, target.az.rad, moon.alt.rad, moon.az.rad)),
        illumination=each_minute((1 + np.cos(phase)) / 2),
    )


def _angle(altitude: Numbers, azimuth: Numbers, other_altitude: Numbers, other_azimuth: Numbers) -> Numbers:
    """The angle between two directions in degrees; by half-angles, which hold for small ones too."""
    half = (
        np.sin((altitude - other_altitude) / 2) ** 2
        + np.cos(altitude) * np.cos(other_altitude) * np.sin((azimuth - other_azimuth) / 2) ** 2
    )
    return np.asarray(np.degrees(2 * np.arcsin(np.sqrt(np.clip(half, 0, 1)))))
