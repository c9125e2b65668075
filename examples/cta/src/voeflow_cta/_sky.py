"""How high a position and the Sun stand over a site: the only module that uses astropy.

The Earth's rotation comes from the tables that are installed with astropy; nothing is fetched, for a filter
must answer without the network. Beyond the end of those tables astropy's own approximation is taken: UT1 is
then up to 0.9 s off, and so the sky 0.004 deg, far below what matters here.
"""

from __future__ import annotations

from datetime import datetime

import astropy.units as u
import numpy as np
import numpy.typing as npt
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_sun
from astropy.time import Time, TimeDelta
from astropy.utils import iers

from ._sites import Site

# For the whole process: astropy has no other way that is safe with several threads.
iers.conf.auto_download = False
iers.conf.auto_max_age = None
iers.conf.iers_degraded_accuracy = "ignore"

#: Altitudes are computed every so many minutes, and in a straight line between: wrong by at most 0.004 deg
#: below an altitude of 70 deg, 0.03 deg at the zenith, where no limit is near.
COARSE = 5

Degrees = npt.NDArray[np.float64]


def altitudes(site: Site, ra: float, dec: float, begin: datetime, minutes: int) -> tuple[Degrees, Degrees]:
    """Compute how high a fixed position and the Sun's centre stand, minute by minute, without refraction.

    Args:
        site: from where.
        ra: right ascension in degrees (ICRS).
        dec: declination in degrees (ICRS).
        begin: the first moment, with a time zone.
        minutes: how many minutes from there.

    Returns:
        Two arrays of shape (minutes + 1,): the altitudes of the position and of the Sun in degrees.
    """
    fine = np.arange(minutes + 1, dtype=np.float64)
    coarse = np.arange(0, minutes + COARSE, COARSE, dtype=np.float64)
    times = Time(begin) + TimeDelta(coarse * 60, format="sec")
    location = EarthLocation.from_geodetic(site.longitude * u.deg, site.latitude * u.deg, site.height * u.m)
    frame = AltAz(obstime=times, location=location)
    target = SkyCoord(ra * u.deg, dec * u.deg, frame="icrs").transform_to(frame).alt.deg
    sun = get_sun(times).transform_to(frame).alt.deg
    return np.interp(fine, coarse, target), np.interp(fine, coarse, sun)
