from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.samples import voevent
from voeflow import Event, Position

NAMES = "<Name1>RA</Name1><Name2>Dec</Name2>"
STC = "http://www.ivoa.net/xml/STC/stc-v1.30.xsd"


def located(
    position: str = f"<Position2D unit='deg'>{NAMES}<Value2><C1>10</C1><C2>-20</C2></Value2></Position2D>",
    *,
    time: str = "<TimeInstant><ISOTime>2020-06-01T00:00:00</ISOTime></TimeInstant>",
    system: str | None = "UTC-ICRS-GEO",
    inside: str = "",
    xmlns: str = "",
) -> Event:
    """A packet with this position, time and coordinate system."""
    refers = f" coord_system_id='{system}'" if system is not None else ""
    named = f" id='{system}'" if system is not None else ""
    return Event.parse(
        f"<VOEvent ivorn='ivo://org.example/a#b'><WhereWhen><ObsDataLocation{xmlns}>"
        "<ObservatoryLocation><AstroCoordSystem id='UTC-GEOD-TOPO'/>"
        f"<AstroCoords coord_system_id='UTC-GEOD-TOPO'><Position2D>{NAMES}"
        "<Value2><C1>1</C1><C2>2</C2></Value2>"
        "</Position2D></AstroCoords></ObservatoryLocation><ObservationLocation>"
        f"<AstroCoordSystem{named}>{inside}</AstroCoordSystem><AstroCoords{refers}>"
        f"<Time>{time}</Time>{position}</AstroCoords></ObservationLocation></ObsDataLocation></WhereWhen></VOEvent>".encode()
    )


def at(first: str, second: str, *, unit: str | None = "deg", names: str = NAMES, rest: str = "") -> str:
    units = f" unit='{unit}'" if unit is not None else ""
    return f"<Position2D{units}>{names}<Value2><C1>{first}</C1><C2>{second}</C2></Value2>{rest}</Position2D>"


def place(event: Event) -> tuple[float, float] | None:
    return None if event.position is None else (event.position.ra, event.position.dec)


def test_position_and_time_are_those_of_the_observation() -> None:
    assert Event.parse(voevent()).position == Position(
        ra=83.633,
        dec=22.0145,
        error=0.05,
        frame="FK5",
        time=datetime(2026, 11, 24, 1, 1, 30, 250000, tzinfo=UTC),
        coord_system="UTC-FK5-GEO",
    )


@pytest.mark.parametrize("xmlns", ["", f" xmlns='{STC}'", " xmlns='urn:stray'"])
def test_the_namespace_below_does_not_matter(xmlns: str) -> None:
    event = located(xmlns=xmlns)
    assert place(event) == (10, -20)
    assert event.time == datetime(2020, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("system", "frame"),
    [
        ("UTC-ICRS-TOPO", "ICRS"),
        ("UTC-FK5-GEO", "FK5"),
        ("FK5-UTC-GEO", "FK5"),
        ("utc-fk5-geo", "FK5"),
        ("TDB-ICRS-BARY", "ICRS"),
        ("TCB-ICRS-BARY", "ICRS"),
        ("ivo://STClib/CoordSys#UTC-FK5-TOPO", "FK5"),
        (None, ""),
        ("", ""),
    ],
)
def test_equatorial_frames_are_reported(system: str | None, frame: str) -> None:
    event = located(system=system)
    assert event.position is not None
    assert event.position.frame == frame
    assert event.position.coord_system == (system or "")


@pytest.mark.parametrize("system", ["UTC-GAL-GEO", "UTC-ECLIPTIC-GEO", "UTC-HPC-TOPO", "UTC-FK4-GEO", "mine"])
def test_other_frames_are_no_position(system: str) -> None:
    assert located(system=system).position is None


def test_the_frame_and_scale_that_a_system_contains_are_read() -> None:
    inside = (
        "<TimeFrame><TimeScale>TT</TimeScale></TimeFrame>"
        "<SpaceFrame><SpaceRefFrame>ICRS</SpaceRefFrame></SpaceFrame>"
    )
    event = located(
        system="mine",
        inside=inside,
        time="<TimeInstant><ISOTime>2020-06-01T00:01:09.184</ISOTime></TimeInstant>",
    )
    assert event.position is not None
    assert event.position.frame == "ICRS"
    assert event.time == datetime(2020, 6, 1, tzinfo=UTC)
    assert located(system="mine", inside=inside.replace("ICRS", "GALACTIC")).position is None


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (at("10", "-20", unit=None), (10, -20)),
        (at("10", "-20", names=""), (10, -20)),
        (at("-20", "10", names="<Name1>Dec</Name1><Name2>RA</Name2>"), (10, -20)),
        (at("10", "-20", names="<Name1>Right Ascension</Name1><Name2>Declination</Name2>"), (10, -20)),
        (at("600", "-1200", unit="arcmin"), (10, -20)),
        (at("36000", "-72000", unit="arcsec"), (10, -20)),
        (at(str(math.pi / 2), str(-math.pi / 4), unit="rad"), (90, -45)),
        (at("10", "-20", unit="deg-deg"), (10, -20)),
        (at("2", "-20", unit="h deg"), (30, -20)),
        (at("360", "90"), (0, 90)),
        (at(" 10\n", "-2e1"), (10, -20)),
        (
            (
                "<Position2D unit='arcsec'><Value2><C1 pos_unit='hourangle'>2</C1>"
                "<C2 pos_unit='deg'>-20</C2></Value2></Position2D>"
            ),
            (30, -20),
        ),
    ],
)
def test_units_and_the_order_of_coordinates_are_honoured(
    position: str, expected: tuple[float, float]
) -> None:
    assert place(located(position)) == pytest.approx(expected)


@pytest.mark.parametrize(
    "position",
    [
        "",
        "<Position2D/>",
        f"<Position2D>{NAMES}<Value2><C1>10</C1></Value2></Position2D>",
        at("", ""),
        at("nan", "0"),
        at("inf", "0"),
        at("-1", "-1"),
        at("361", "0"),
        at("10", "90.1"),
        at("12:30:00", "10"),
        at("1_0", "10"),
        at("10", "20", unit="pixel"),
        at("10", "20", unit="hourangle"),
        at("10", "20", names="<Name1>l</Name1><Name2>b</Name2>"),
        at("10", "20", names="<Name1>RA</Name1><Name2>RA</Name2>"),
        at("10", "20", names="<Name1>RA</Name1>"),
        at("0.0", "0.0", rest="<Error2Radius>0</Error2Radius>"),
        at("0.0", "0.0"),
        at("0.0", "0.0", rest="<Error2Radius>360</Error2Radius>"),
    ],
)
def test_no_position_is_given_where_it_would_be_a_guess(position: str) -> None:
    event = located(position)
    assert event.position is None
    assert event.time == datetime(2020, 6, 1, tzinfo=UTC)


def test_coordinates_without_names_or_system_are_no_position() -> None:
    assert located(at("10", "20", names=""), system=None).position is None


def test_the_zero_point_of_the_sky_is_a_position_when_its_error_is_known() -> None:
    assert place(located(at("0", "0", rest="<Error2Radius>1</Error2Radius>"))) == (0, 0)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("<Error2Radius>0.5</Error2Radius>", 0.5),
        ("<Error2Radius pos_unit='arcmin'>30</Error2Radius>", 0.5),
        ("", None),
        ("<Error2Radius/>", None),
        ("<Error2Radius>0</Error2Radius>", None),
        ("<Error2Radius>-1.0</Error2Radius>", None),
        ("<Error2Radius>nan</Error2Radius>", None),
        ("<Error2Radius>none</Error2Radius>", None),
    ],
)
def test_an_error_that_says_nothing_is_unknown(error: str, expected: float | None) -> None:
    event = located(at("10", "20", rest=error))
    assert event.position is not None
    assert event.position.error == expected


def test_an_error_is_in_the_unit_of_the_position() -> None:
    event = located(at("600", "0", unit="arcmin", rest="<Error2Radius>30</Error2Radius>"))
    assert event.position is not None
    assert event.position.error == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("system", "seconds"),
    [
        ("UTC-ICRS-GEO", 0),
        ("TDB-ICRS-BARY", 69.184),
        ("TT-FK5-TOPO", 69.184),
        ("GPS-FK5-GEO", 18),
        ("ICRS", 0),
    ],
)
def test_times_of_other_scales_are_given_in_utc(system: str, seconds: float) -> None:
    shown = f"2020-06-01T00:01:{seconds:06.3f}" if seconds < 60 else f"2020-06-01T00:02:{seconds - 60:06.3f}"
    event = located(system=system, time=f"<TimeInstant><ISOTime>{shown}</ISOTime></TimeInstant>")
    assert event.time == datetime(2020, 6, 1, 0, 1, tzinfo=UTC)
    assert event.position is not None
    assert event.position.time == event.time


@pytest.mark.parametrize(
    ("system", "time"),
    [
        ("TCB-ICRS-BARY", "<TimeInstant><ISOTime>2020-06-01T00:00:00</ISOTime></TimeInstant>"),
        ("LST-FK5-TOPO", "<TimeInstant><ISOTime>2020-06-01T00:00:00</ISOTime></TimeInstant>"),
        ("XYZ-FK5-TOPO", "<TimeInstant><ISOTime>2020-06-01T00:00:00</ISOTime></TimeInstant>"),
        ("UTC-FK5-GEO", "<TimeInstant><ISOTime>soon</ISOTime></TimeInstant>"),
        ("UTC-FK5-GEO", "<TimeInstant/>"),
        ("UTC-FK5-GEO", ""),
        (
            "UTC-FK5-GEO",
            "<TimeInstant><ISOTime>2020-06-01T00:00:00</ISOTime><TimeOffset>5</TimeOffset></TimeInstant>",
        ),
        (
            "UTC-FK5-GEO",
            "<TimeInstant><ISOTime>2020-06-01T00:00:00</ISOTime><TimeScale>TCG</TimeScale></TimeInstant>",
        ),
    ],
)
def test_no_time_is_given_where_it_would_be_a_guess(system: str, time: str) -> None:
    event = located(system=system, time=time)
    assert event.time is None
    assert event.position is not None
    assert event.position.time is None


def test_an_instant_may_name_its_own_scale() -> None:
    event = located(
        time="<TimeInstant><ISOTime>2020-06-01T00:00:37</ISOTime><TimeScale>TAI</TimeScale></TimeInstant>"
    )
    assert event.time == datetime(2020, 6, 1, tzinfo=UTC)


def test_the_time_of_an_interval_is_its_start() -> None:
    event = located(
        time="<TimeInterval><ISOTimeStart>2020-06-01T00:00:00Z</ISOTimeStart>"
        "<ISOTimeStop>2020-06-02T00:00:00Z</ISOTimeStop></TimeInterval>"
    )
    assert event.time == datetime(2020, 6, 1, tzinfo=UTC)


def test_a_packet_without_a_place_has_neither() -> None:
    event = Event.parse(voevent(body="<WhereWhen/>"))
    assert event.position is None
    assert event.time is None


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12),
    st.floats(),
    st.floats(),
    st.text("RADec lb12", max_size=4),
)
def test_what_is_reported_is_always_in_the_sky(unit: str, first: float, second: float, name: str) -> None:
    safe = "".join(c for c in unit if c not in "<&'")
    position = located(at(str(first), str(second), unit=safe, names=f"<Name1>{name}</Name1>")).position
    assert position is None or (0 <= position.ra < 360 and -90 <= position.dec <= 90)
