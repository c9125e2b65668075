"""The altitudes, against textbook formulas that share nothing with astropy, and facts of geometry."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from voeflow_cta import SITES, Site
from voeflow_cta._sky import sky_over

NORTH, SOUTH = SITES["north"], SITES["south"]
OBLIQUITY = 23.436  # of the ecliptic in 2026, degrees
STARS = {
    "Sirius": (101.2872, -16.7161),
    "Vega": (279.2347, 38.7837),
    "Betelgeuse": (88.7929, 7.4071),
    "Crab": (83.6331, 22.0145),
    "Achernar": (24.4285, -57.2368),
    "Sgr A*": (266.4168, -29.0078),
}
NIGHTS = [
    datetime(2024, 2, 22, 3, 17, tzinfo=UTC),
    datetime(2025, 7, 1, 23, 5, tzinfo=UTC),
    datetime(2026, 11, 24, 2, 0, tzinfo=UTC),
]


def altitudes(
    site: Site, ra: float, dec: float, begin: datetime, minutes: int
) -> tuple[np.ndarray, np.ndarray]:
    sky = sky_over(site, ra, dec, begin, minutes)
    return sky.target, sky.sun


def days_since_j2000(moment: datetime) -> float:
    return (moment - datetime(2000, 1, 1, 12, tzinfo=UTC)).total_seconds() / 86400


def altitude(site: Site, ra: float, dec: float, moment: datetime) -> float:
    """Spherical trigonometry with mean sidereal time; `ra` and `dec` are of date, in degrees."""
    sidereal = 280.46062 + 360.98564737 * days_since_j2000(moment) + site.longitude
    hour_angle, latitude, declination = (math.radians(x) for x in (sidereal - ra, site.latitude, dec))
    return math.degrees(
        math.asin(
            math.sin(latitude) * math.sin(declination)
            + math.cos(latitude) * math.cos(declination) * math.cos(hour_angle)
        )
    )


def precessed(ra: float, dec: float, moment: datetime) -> tuple[float, float]:
    """Annual precession times the years since J2000: good to 0.01 deg for decades, away from the poles."""
    years = days_since_j2000(moment) / 365.25
    alpha = math.radians(ra)
    m, n = 46.12 / 3600, 20.04 / 3600  # degrees a year
    rate = m + n * math.sin(alpha) * math.tan(math.radians(dec))
    return ra + rate * years, dec + n * math.cos(alpha) * years


def sun(moment: datetime) -> tuple[float, float]:
    """The low-precision Sun of the Astronomical Almanac, page C5: good to 0.01 deg until 2050."""
    n = days_since_j2000(moment)
    anomaly = math.radians(357.528 + 0.9856003 * n)
    longitude = math.radians(
        280.460 + 0.9856474 * n + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly)
    )
    obliquity = math.radians(23.439 - 0.0000004 * n)
    ra = math.atan2(math.cos(obliquity) * math.sin(longitude), math.cos(longitude))
    return math.degrees(ra), math.degrees(math.asin(math.sin(obliquity) * math.sin(longitude)))


@pytest.mark.parametrize("begin", NIGHTS, ids=lambda moment: f"{moment:%Y-%m-%d}")
@pytest.mark.parametrize("site", [NORTH, SOUTH], ids=["north", "south"])
@pytest.mark.parametrize("star", STARS)
def test_a_star_stands_where_spherical_trigonometry_puts_it(star: str, site: Site, begin: datetime) -> None:
    computed, _ = altitudes(site, *STARS[star], begin, 600)
    for minute in (0, 1, 137, 598, 600):  # on the coarse grid and between
        moment = begin + timedelta(minutes=minute)
        expected = altitude(site, *precessed(*STARS[star], moment), moment)
        assert computed[minute] == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("begin", NIGHTS, ids=lambda moment: f"{moment:%Y-%m-%d}")
@pytest.mark.parametrize("site", [NORTH, SOUTH], ids=["north", "south"])
def test_the_sun_stands_where_the_almanacs_formula_puts_it(site: Site, begin: datetime) -> None:
    _, computed = altitudes(site, 0.0, 0.0, begin, 1440)
    for minute in range(0, 1441, 97):
        moment = begin + timedelta(minutes=minute)
        assert computed[minute] == pytest.approx(altitude(site, *sun(moment), moment), abs=0.05)


@pytest.mark.parametrize("begin", NIGHTS, ids=lambda moment: f"{moment:%Y-%m-%d}")
@pytest.mark.parametrize("site", [NORTH, SOUTH], ids=["north", "south"])
def test_astronomical_night_begins_and_ends_in_the_minutes_of_the_almanacs_formula(
    site: Site, begin: datetime
) -> None:
    _, computed = altitudes(site, 0.0, 0.0, begin, 1440)
    moments = [begin + timedelta(minutes=minute) for minute in range(1441)]
    expected = np.array([altitude(site, *sun(moment), moment) for moment in moments])
    crossings = np.flatnonzero(np.diff(computed < -18))
    assert len(crossings) == 2
    assert np.abs(crossings - np.flatnonzero(np.diff(expected < -18))).max() <= 1


def test_polaris_stands_within_its_polar_distance_of_the_latitude_all_day() -> None:
    up, _ = altitudes(NORTH, 37.9546, 89.2641, NIGHTS[2], 1440)
    assert up.max() == pytest.approx(NORTH.latitude + 0.62, abs=0.03)  # 0.62 deg from the pole of 2026
    assert up.min() == pytest.approx(NORTH.latitude - 0.62, abs=0.03)


@pytest.mark.parametrize(
    ("site", "day", "noon"),
    [
        (NORTH, datetime(2026, 6, 21, tzinfo=UTC), 90 - NORTH.latitude + OBLIQUITY),
        (NORTH, datetime(2026, 12, 21, tzinfo=UTC), 90 - NORTH.latitude - OBLIQUITY),
        (SOUTH, datetime(2026, 6, 21, tzinfo=UTC), 90 + SOUTH.latitude - OBLIQUITY),
    ],
    ids=["north in June", "north in December", "south in June"],
)
def test_the_sun_at_a_solstice_culminates_an_obliquity_from_the_equator(
    site: Site, day: datetime, noon: float
) -> None:
    _, computed = altitudes(site, 0.0, 0.0, day, 1440)
    assert computed.max() == pytest.approx(noon, abs=0.02)


def test_the_arrays_stand_on_their_mountains() -> None:
    # Paranal itself is at 24.63 S 70.40 W; the array is less than 10 km to its south-east.
    assert (NORTH.latitude, NORTH.longitude) == pytest.approx((28.7622, -17.8920), abs=1e-4)
    assert (SOUTH.latitude, SOUTH.longitude) == pytest.approx((-24.6834, -70.3163), abs=1e-4)
