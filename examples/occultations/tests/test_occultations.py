"""Distances held against other ways to find them, and calendar entries against RFC 5545."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import icalendar
import pytest
from voeflow_occultations import OccultationCalendar, ShadowPath
from voeflow_occultations._path import NoPathError, Point, closest, read_path

import voeflow

FOLDER = Path(__file__).parents[1] / "packets"
PACKETS = {path.name[:2]: path.read_bytes() for path in sorted(FOLDER.glob("*.xml"))}
OHP = {"latitude": 43.9308, "longitude": 5.7133}

#: WGS 84 (NIMA TR8350.2): semi-major axis in km, and flattening.
A, F = 6378.137, 1 / 298.257223563


def event(number: str) -> voeflow.Event:
    return voeflow.Event.parse(PACKETS[number])


FIRST, UPDATE, FAR, SHALLOW, AWAY, RETRACTION = (event(f"0{n}") for n in range(1, 7))


def at(longitude: float, latitude: float, seconds: float = 0) -> Point:
    noon = voeflow.parse_utc("2026-12-11T12:00:00Z")
    assert noon is not None
    return Point(noon + timedelta(seconds=seconds), longitude, latitude)


# Distances


def test_a_degree_along_the_equator_and_along_a_meridian_is_as_long_as_geodesy_says() -> None:
    along_meridian = [at(0, -5), at(0, 5, 100)]
    assert closest(along_meridian, 1, 0).distance == pytest.approx(A * math.pi / 180, abs=1e-6)
    # The length of the meridian from 0 to 1 degree, by its series in the eccentricity (Snyder 1987, 3-21).
    e2 = F * (2 - F)
    phi = math.radians(1)
    meridian = A * (
        (1 - e2 / 4 - 3 * e2**2 / 64 - 5 * e2**3 / 256) * phi
        - (3 * e2 / 8 + 3 * e2**2 / 32 + 45 * e2**3 / 1024) * math.sin(2 * phi)
        + (15 * e2**2 / 256 + 45 * e2**3 / 1024) * math.sin(4 * phi)
    )
    assert meridian == pytest.approx(110.574, abs=0.001)
    found = closest([at(-5, 0), at(5, 0, 100)], 0, 1)
    assert found.distance == pytest.approx(meridian, abs=1e-4)
    assert abs((found.time - at(0, 0, 50).time).total_seconds()) < 0.01


def geocentric(longitude: float, latitude: float) -> tuple[float, float, float]:
    lon, lat = math.radians(longitude), math.radians(latitude)
    e2 = F * (2 - F)
    normal = A / math.sqrt(1 - e2 * math.sin(lat) ** 2)
    return (
        normal * math.cos(lat) * math.cos(lon),
        normal * math.cos(lat) * math.sin(lon),
        normal * (1 - e2) * math.sin(lat),
    )


def by_brute_force(path: tuple[Point, ...], longitude: float, latitude: float) -> float:
    """Walk along the chords, lifted onto the ellipsoid, in steps of some metres; no geodesy in it."""
    site = geocentric(longitude, latitude)
    least = math.inf
    for start, end in itertools.pairwise(path):
        one, two = (geocentric(point.longitude, point.latitude) for point in (start, end))
        if min(math.dist(one, site), math.dist(two, site)) > 400:
            continue
        for n in range(20001):
            x, y, z = (p + (q - p) * n / 20000 for p, q in zip(one, two, strict=True))
            lift = 1 / math.sqrt((x * x + y * y) / A**2 + z * z / (A * (1 - F)) ** 2)
            least = min(least, math.dist((x * lift, y * lift, z * lift), site))
    return least


@pytest.mark.parametrize("prediction", [FIRST, UPDATE, SHALLOW])
def test_the_distance_of_a_path_is_that_of_a_walk_along_it(prediction: voeflow.Event) -> None:
    found = ShadowPath(**OHP, max_distance=60).closest(prediction)
    # A chord of 40 km is 7 cm shorter than its arc, and the lifted chord 3 m off the geodesic at most.
    expected = by_brute_force(read_path(prediction), OHP["longitude"], OHP["latitude"])
    assert found.distance == pytest.approx(expected, abs=0.005)


def test_beyond_its_ends_a_path_is_as_far_as_its_end() -> None:
    found = closest([at(0, 0), at(10, 0, 100)], 11, 0)
    assert found.distance == pytest.approx(A * math.pi / 180, abs=1e-6)
    assert found.time == at(0, 0, 100).time


def test_a_path_over_the_date_line_and_one_over_a_pole_are_no_trouble() -> None:
    assert closest([at(179, 0), at(-179, 0, 10)], 180, 0).distance < 1e-3
    assert closest([at(0, 89), at(180, 89, 10)], 90, 90).distance < 1e-3


def test_the_filter_says_how_near_and_when() -> None:
    verdict = ShadowPath(**OHP, max_distance=60).matches(UPDATE)
    assert verdict == voeflow.Verdict(True, "the central line passes at 6.9 km, 2026-12-11 22:14:12 UTC")
    assert not ShadowPath(**OHP, max_distance=5).matches(UPDATE)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"Shadow_Path", b"Other", "no Table Shadow_Path with a Field Time"),
        (b'"Longitude"', b'"Lon"', "no Table Shadow_Path with a Field Longitude"),
        (b"<TD>5.2000</TD>", b"<TD>east</TD>", "row 5 of the path cannot be read"),
        (b"<TD>5.2000</TD>", b"<TD>nan</TD>", "row 5 of the path cannot be read"),
        (b"<TD>5.2000</TD><TD>44.2000</TD>", b"<TD>5.2000</TD>", "row 5 of the path cannot be read"),
        (b"<TD>44.2000</TD>", b"<TD>94.2</TD>", "row 5 of the path cannot be read"),
    ],
)
def test_a_path_that_cannot_be_read_does_not_pass_and_says_why(old: bytes, new: bytes, reason: str) -> None:
    assert old in FIRST.raw
    broken = voeflow.Event.parse(FIRST.raw.replace(old, new))
    assert ShadowPath(**OHP, max_distance=60).matches(broken) == voeflow.Verdict(False, reason)


def test_a_path_without_end_is_not_read() -> None:
    row = b"<TR><TD>2026-12-11T22:14:07</TD><TD>5</TD><TD>44</TD></TR>"
    long = voeflow.Event.parse(FIRST.raw.replace(b"<Data>", b"<Data>" + row * 1001))
    with pytest.raises(NoPathError, match="at most 1000 are read"):
        read_path(long)


# The calendar


@pytest.fixture
def calendar(tmp_path: Path) -> OccultationCalendar:
    handler = OccultationCalendar(
        **OHP,
        max_distance=60,
        directory=tmp_path / "calendar",
        location="OHP, dome 2; \\ north",
        min_drop=0.5,
    )
    handler.start()
    return handler


def shown(calendar: OccultationCalendar) -> list[Any]:
    """What a calendar program sees: the events of the files that do not begin with a dot."""
    events = []
    for path in sorted(calendar.directory.glob("[!.]*.ics")):
        content = path.read_bytes()
        assert b"\n" not in content.replace(b"\r\n", b""), "RFC 5545, section 3.1: lines end in CRLF"
        assert max(map(len, content.split(b"\r\n"))) <= 75, "section 3.1: lines of at most 75 octets"
        events += icalendar.Calendar.from_ical(content).walk("VEVENT")
    return events


def test_a_prediction_becomes_an_entry(calendar: OccultationCalendar) -> None:
    calendar.handle(FIRST)
    (entry,) = shown(calendar)
    assert entry["SUMMARY"] == "Occultation of EX2 0312-1847 by (94321) Elyna, drop 3.2 mag"
    assert entry["LOCATION"] == "OHP, dome 2; \\ north"
    assert (entry["STATUS"], entry["SEQUENCE"]) == ("TENTATIVE", 0)
    assert (entry["GEO"].latitude, entry["GEO"].longitude) == (43.9308, 5.7133)
    start, end = entry["DTSTART"].dt, entry["DTEND"].dt
    assert (end - start, start.isoformat()) == (timedelta(minutes=10), "2026-12-11T22:09:09+00:00")
    assert "Central line 37.7 km from the site at 2026-12-11 22:14:09 UTC" in entry["DESCRIPTION"]
    (alarm,) = entry.walk("VALARM")
    assert alarm["TRIGGER"].dt == timedelta(hours=-1)


def test_what_the_site_cannot_see_becomes_none(calendar: OccultationCalendar) -> None:
    for prediction in (FAR, SHALLOW):
        calendar.handle(prediction)
    assert shown(calendar) == []


def test_an_update_revises_the_same_entry_and_a_retraction_cancels_it(calendar: OccultationCalendar) -> None:
    uids = set()
    for given, sequence, status in (
        (FIRST, 0, "TENTATIVE"),
        (UPDATE, 1, "TENTATIVE"),
        (AWAY, 2, "CANCELLED"),
        (RETRACTION, 3, "CANCELLED"),
    ):
        calendar.handle(given)
        (entry,) = shown(calendar)
        uids.add(str(entry["UID"]))
        assert (entry["SEQUENCE"], entry["STATUS"]) == (sequence, status)
    assert len(uids) == 1
    assert entry["SUMMARY"].startswith("Cancelled: Occultation of EX2 0312-1847")
    assert entry["DESCRIPTION"].startswith("CANCELLED: the prediction was retracted\nCentral line 440.0 km")
    assert entry.walk("VALARM") == []


def test_the_same_again_changes_nothing(calendar: OccultationCalendar) -> None:
    for given in (FIRST, UPDATE, UPDATE, FIRST, UPDATE):
        calendar.handle(given)
    (entry,) = shown(calendar)
    assert (entry["SEQUENCE"], entry["DTSTAMP"].dt) == (1, UPDATE.date)


def test_in_whatever_order_alerts_come_the_newest_counts(tmp_path: Path) -> None:
    story = (FIRST, UPDATE, AWAY, RETRACTION)
    for number, order in enumerate(itertools.permutations(story)):
        handler = OccultationCalendar(**OHP, max_distance=60, directory=tmp_path / str(number), min_drop=0.5)
        handler.start()
        for n, given in enumerate(order):
            handler.handle(given)
            if n == number % 4:  # the node starts anew
                handler = attrs.evolve(handler)
                handler.start()
        assert all(entry["STATUS"] == "CANCELLED" for entry in shown(handler))


def test_a_retraction_of_what_was_never_shown_shows_nothing(calendar: OccultationCalendar) -> None:
    calendar.handle(RETRACTION)
    calendar.handle(FIRST)
    assert shown(calendar) == []


def test_nothing_that_a_packet_says_breaks_the_entry(calendar: OccultationCalendar) -> None:
    bad = "x&#13;&#10;STATUS:CONFIRMED&#10;END:VEVENT; \\n, &#x202e;" + "é" * 500
    hostile = FIRST.raw.replace(b"(94321) Elyna", bad.encode(), 1)
    calendar.handle(voeflow.Event.parse(hostile))
    (entry,) = shown(calendar)
    assert entry["STATUS"] == "TENTATIVE"
    assert "STATUS:CONFIRMED END:VEVENT; \\n, " in entry["SUMMARY"]
    assert str(entry["SUMMARY"]).isprintable()


def test_another_program_s_files_are_left_alone(calendar: OccultationCalendar) -> None:
    other = calendar.directory / "mine.ics"
    other.write_text("BEGIN:VCALENDAR\r\nnonsense")
    calendar.handle(FIRST)
    calendar.handle(UPDATE)
    assert other.read_text().endswith("nonsense")
    other.unlink()
    assert [entry["SEQUENCE"] for entry in shown(calendar)] == [1]


def test_the_times_of_an_entry_are_utc(calendar: OccultationCalendar) -> None:
    calendar.handle(FIRST)
    (path,) = calendar.directory.glob("*.ics")
    assert b"DTSTART:20261211T220909Z" in path.read_bytes()
    assert isinstance(FIRST.date, datetime)


def test_the_pipeline_does_what_it_says_that_it_does() -> None:
    folder = Path(__file__).parents[1]
    command = [sys.executable, "-m", "voeflow", "test", str(folder / "pipeline.toml")]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.splitlines()[-1] == "4 tests: 4 passed, 0 failed."
