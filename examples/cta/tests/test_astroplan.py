"""What is computed, against astroplan: the observer, the constraints and the Moon of another library."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import EarthLocation, SkyCoord
from astropy.time import Time
from voeflow_cta import SITES
from voeflow_cta._sky import sky_over
from voeflow_cta._telescopes import MOON, MOON_DOWN
from voeflow_cta._windows import Limits, dim_enough, high_enough

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of astroplan's own: it asks for tables from the network, or for plots
    import astroplan

MOMENTS = [
    datetime(2024, 2, 22, 21, 17, tzinfo=UTC),  # Moon nearly full
    datetime(2025, 7, 1, 23, 5, tzinfo=UTC),  # first quarter
    datetime(2026, 12, 10, 2, 0, tzinfo=UTC),  # new Moon
    datetime(2026, 12, 24, 2, 0, tzinfo=UTC),  # full Moon
]
TARGETS = {"Crab": (83.6331, 22.0145), "Sgr A*": (266.4168, -29.0078), "GRB 190114C": (54.5048, -26.9464)}
MINUTES = range(0, 1441, 45)  # where all is computed: what is in a straight line between, test_sky holds


def observer(name: str) -> astroplan.Observer:
    site = SITES[name]
    location = EarthLocation.from_geodetic(site.longitude * u.deg, site.latitude * u.deg, site.height * u.m)
    return astroplan.Observer(location=location, pressure=0 * u.hPa)


@pytest.mark.parametrize(
    ("begin", "name", "target"),
    [
        (MOMENTS[0], "north", "Crab"),
        (MOMENTS[1], "south", "Sgr A*"),
        (MOMENTS[2], "north", "GRB 190114C"),
        (MOMENTS[3], "south", "Crab"),
    ],
)
def test_position_sun_and_moon_stand_where_astroplan_has_them(
    begin: datetime, name: str, target: str
) -> None:
    ra, dec = TARGETS[target]
    sky = sky_over(SITES[name], ra, dec, begin, 1440)
    there, coordinate = observer(name), SkyCoord(ra * u.deg, dec * u.deg)
    times = Time([begin + timedelta(minutes=minute) for minute in MINUTES])
    at = list(MINUTES)
    moon = there.moon_altaz(times)
    seen = there.altaz(times, coordinate)
    assert sky.target[at] == pytest.approx(seen.alt.deg, abs=0.05)
    assert sky.sun[at] == pytest.approx(there.sun_altaz(times).alt.deg, abs=0.05)
    assert sky.moon[at] == pytest.approx(moon.alt.deg, abs=0.05)
    assert sky.separation[at] == pytest.approx(seen.separation(moon).deg, abs=0.05)
    assert sky.illumination[at] == pytest.approx(there.moon_illumination(times), abs=0.005)


@pytest.mark.parametrize(
    ("begin", "name"), [(MOMENTS[0], "south"), (MOMENTS[1], "south"), (MOMENTS[2], "north")]
)
def test_night_by_night_what_is_observable_is_what_astroplans_constraints_let_through(
    name: str, begin: datetime
) -> None:
    ra, dec = TARGETS["Crab"]
    sky = sky_over(SITES[name], ra, dec, begin, 1440)
    limits = Limits(max_zenith=60, sun_below=-18, moon=MOON["dark"], max_wait=60, min_duration=10)
    ours = high_enough(sky, limits) & (sky.sun < limits.sun_below) & dim_enough(sky, limits.moon)
    there = observer(name)
    times = Time([begin + timedelta(minutes=minute) for minute in range(0, 1441, 5)])
    target = astroplan.FixedTarget(SkyCoord(ra * u.deg, dec * u.deg))
    theirs = (
        astroplan.AltitudeConstraint(min=30 * u.deg)(there, target, times=times)
        & astroplan.AtNightConstraint(max_solar_altitude=-18 * u.deg)(there, target, times=times)
        & (there.moon_altaz(times).alt.deg < MOON_DOWN)
    )
    differing = np.flatnonzero(ours[::5] != np.asarray(theirs).ravel())
    edges = np.flatnonzero(np.diff(ours[::5].astype(int)))
    assert all(
        np.abs(edges - place).min() <= 1 for place in differing
    )  # at most in the five minutes of an edge
    assert len(differing) <= 2
