"""What is computed, against what others have published of real alerts and observations."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from made import packet
from voeflow_cta import SITES, ObservableFromCTAO, Site
from voeflow_cta._sky import sky_over

import voeflow

#: Where MASTER's robotic telescopes stand that the circulars below tell of.
TAVRIDA = Site("MASTER-Tavrida", 44.7270, 34.0126, 600)
IAC = Site("MASTER-IAC, Teide", 28.3003, -16.5119, 2390)
AMUR = Site("MASTER-Amur", 50.3186, 127.4822, 215)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_grb_190114c_stood_where_magic_observed_it_from_la_palma() -> None:
    # MAGIC, a hundred metres from the LSTs, began 57 s after T0 = 20:57:03 UTC at a zenith angle of 55.8 deg
    # (MAGIC Collaboration 2019, Nature 575, 455); position by the same paper.
    sky = sky_over(SITES["north"], 54.5048, -26.9464, utc("2019-01-14T20:58:00"), 1)
    assert 90 - sky.target[0] == pytest.approx(55.8, abs=0.1)


def test_grb_190114c_was_for_those_who_stand_the_moon() -> None:
    # The same paper: at large zenith angles and in moonlight. It was the day of the first quarter.
    event = packet(
        1,
        ("<C1>83.6331</C1><C2>22.0145</C2>", "<C1>54.5048</C1><C2>-26.9464</C2>"),
        ("2026-12-10T01:57:45.5", "2019-01-14T20:57:03"),
    )
    at = {"now": "2019-01-14T20:58", "max_zenith": 70.0}
    assert ObservableFromCTAO(**at, moon="grey").matches(event).reason.startswith("zenith angle 56 to 70 deg")
    refused = ObservableFromCTAO(**at, moon="dark").matches(event)
    assert refused.reason.startswith("Moon 5")
    assert not refused.holds


@pytest.mark.parametrize("day", ["2022-10-09", "2022-10-10"])
def test_grb_221009a_could_not_be_followed_in_a_dark_night_from_la_palma(day: str) -> None:
    # "Strong moonlight conditions" kept Cherenkov telescopes away in the first nights; LST-1 began on
    # 10 October all the same (CTAO-LST Project 2025, arXiv:2507.03077). Full Moon was on 9 October.
    event = packet(
        1,
        ("<C1>83.6331</C1><C2>22.0145</C2>", "<C1>288.2645</C1><C2>19.7735</C2>"),
        ("2026-12-10T01:57:45.5", "2022-10-09T13:16:59"),
    )
    night = {"now": f"{day}T20:30", "max_age": voeflow.Seconds(2 * 86400.0)}
    assert ObservableFromCTAO(**night, moon="any").matches(event).holds
    for rule in ("dark", "grey"):
        verdict = ObservableFromCTAO(**night, moon=rule).matches(event)
        assert not verdict.holds
        assert verdict.reason.startswith(("Moon 99% lit", "Moon 100% lit", "Moon 98% lit"))


@pytest.mark.parametrize(
    ("site", "moment", "ra", "dec", "zenith"),
    [
        pytest.param(TAVRIDA, "2023-08-16T19:12:28", 299.7767, 35.3408, 13, id="GCN Circular 34455"),
        pytest.param(IAC, "2020-10-31T20:32:04", 37.1228, 51.9327, 53, id="GCN Circular 28817"),
    ],
)
def test_zenith_distances_are_those_of_masters_circulars(
    site: Site, moment: str, ra: float, dec: float, zenith: int
) -> None:
    assert 90 - sky_over(site, ra, dec, utc(moment), 1).target[0] == pytest.approx(zenith, abs=1.0)


def test_sun_and_moon_are_those_of_masters_circular_on_grb_180720b() -> None:
    # GCN Circular 23023: 4.6 deg above the horizon, the Sun at -17.19 deg, the Moon 58 % lit, 143 deg away.
    sky = sky_over(AMUR, 0.5292, -2.9189, utc("2018-07-20T14:23:37"), 1)
    assert sky.target[0] == pytest.approx(4.6, abs=0.3)
    assert sky.sun[0] == pytest.approx(-17.19, abs=0.2)
    assert sky.illumination[0] == pytest.approx(0.58, abs=0.01)
    assert sky.separation[0] == pytest.approx(143, abs=1)


@pytest.mark.parametrize(
    ("moment", "ra", "dec", "separation", "illumination"),
    [
        ("2014-04-26T20:56:00", 166.1138, 38.2088, 134.23, 6.89),
        ("2017-10-23T20:57:24", 108.0, -35.0, 118.54, 15.23),
        ("2016-06-01T00:36:22", 324.0, 35.0, 55.77, 22.71),
        ("2015-11-20T03:55:40", 35.8329, -35.0716, 58.47, 60.16),
        ("2015-11-19T17:24:08", 163.1542, -39.2475, 131.54, 55.21),
        ("2017-10-25T18:02:43", 62.2589, -1.1601, 138.18, 29.93),
    ],
)
def test_the_moon_is_where_gcns_notices_say(
    moment: str, ra: float, dec: float, separation: float, illumination: float
) -> None:
    # MOON_Distance (deg) and Moon_Illum (%) of archived GCN notices of those moments. They are for the
    # Earth's centre: from the ground the Moon stands up to a degree elsewhere.
    sky = sky_over(SITES["north"], ra, dec, utc(moment), 1)
    assert sky.separation[0] == pytest.approx(separation, abs=1.0)
    assert 100 * sky.illumination[0] == pytest.approx(illumination, abs=0.3)
