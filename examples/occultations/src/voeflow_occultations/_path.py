"""The path of a shadow over the Earth, and how near it comes to a place.

Distances are along geodesics of the WGS 84 ellipsoid, by GeographicLib (C. F. F. Karney, "Algorithms for
geodesics", Journal of Geodesy 87, 43, 2013).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import attrs
from geographiclib.geodesic import Geodesic  # type: ignore[import-untyped]

import voeflow

#: The name of the Table that has the central line, and its Fields: `Time` in ISO 8601, UTC; `Longitude`,
#: east, and `Latitude`, geodetic, in degrees.
TABLE, FIELDS = "Shadow_Path", ("Time", "Longitude", "Latitude")

#: How many points of a path are looked at; a prediction has some tens.
POINTS_MAX = 1000

#: To which part of a segment the nearest place on it is found: metres on one of a thousand kilometres.
_PRECISION = 1e-6

_ROWS = voeflow.XPath(f'//Table[@name="{TABLE}"]/Data/TR')
_FIELDS = voeflow.XPath(f'//Table[@name="{TABLE}"]/Field/@name')


class NoPathError(ValueError):
    """A packet without a path that can be read, and why."""


@attrs.frozen
class Point:
    """Where the middle of the shadow is at a time.

    Attributes:
        time: in UTC.
        longitude: east, in degrees.
        latitude: geodetic, in degrees.
    """

    time: datetime
    longitude: float
    latitude: float


@attrs.frozen
class Closest:
    """Where a shadow comes nearest to a place.

    Attributes:
        distance: from the place to the central line, in km.
        time: when, in UTC.
    """

    distance: float
    time: datetime


def read_path(event: voeflow.Event) -> tuple[Point, ...]:
    """Read the central line out of a packet.

    Raises:
        NoPathError: there is none that can be read.
    """
    names, rows = event.xpath(_FIELDS), event.xpath(_ROWS)
    assert isinstance(names, list)
    assert isinstance(rows, list)
    order = [str(name) for name in names]
    if missing := [name for name in FIELDS if name not in order]:
        raise NoPathError(f"no Table {TABLE} with a Field {missing[0]}")
    columns = [order.index(name) for name in FIELDS]
    if len(rows) > POINTS_MAX:
        raise NoPathError(f"{len(rows)} points in the path, at most {POINTS_MAX} are read")
    points = []
    for number, row in enumerate(rows, 1):
        assert not isinstance(row, str)  # they are elements, by the question
        cells = [(cell.text or "").strip() for cell in row if cell.tag == "TD"]
        try:
            points.append(_point(*(cells[column] for column in columns)))
        except (ValueError, IndexError):
            raise NoPathError(f"row {number} of the path cannot be read") from None
    if len(points) < 2:
        raise NoPathError("a path of fewer than two points")
    return tuple(points)


def _point(time: str, longitude: str, latitude: str) -> Point:
    moment = voeflow.parse_utc(time)
    point = (float(longitude), float(latitude))
    if moment is None or not -360 <= point[0] <= 360 or not -90 <= point[1] <= 90:
        raise ValueError
    return Point(moment, *point)


def closest(path: Sequence[Point], longitude: float, latitude: float) -> Closest:
    """Find where a path comes nearest to a place; between its points it is a geodesic.

    Args:
        path: two points or more, at most some thousand kilometres apart.
        longitude: of the place, east, in degrees.
        latitude: of the place, geodetic, in degrees.
    """
    best = min(
        (
            Closest(_metres(point.longitude, point.latitude, longitude, latitude) / 1000, point.time)
            for point in path
        ),
        key=lambda found: found.distance,
    )
    for start, end in itertools.pairwise(path):
        line = Geodesic.WGS84.InverseLine(start.latitude, start.longitude, end.latitude, end.longitude)
        to_start = _metres(start.longitude, start.latitude, longitude, latitude)
        if to_start - line.s13 > best.distance * 1000:  # nowhere on it can be nearer
            continue
        part = _nearest_part(line, longitude, latitude)
        where = line.Position(part * line.s13)
        distance = _metres(where["lon2"], where["lat2"], longitude, latitude) / 1000
        if distance < best.distance:
            best = Closest(distance, start.time + part * (end.time - start.time))
    return best


def _nearest_part(line: Any, longitude: float, latitude: float) -> float:
    """Find the part of a segment, 0 to 1, that is nearest to a place: the distance has one minimum on it."""
    low, high = 0.0, 1.0

    def metres(part: float) -> float:
        where = line.Position(part * line.s13)
        return _metres(where["lon2"], where["lat2"], longitude, latitude)

    while high - low > _PRECISION:
        one, two = low + (high - low) / 3, high - (high - low) / 3
        if metres(one) < metres(two):
            high = two
        else:
            low = one
    return (low + high) / 2


def _metres(longitude: float, latitude: float, other_longitude: float, other_latitude: float) -> float:
    found = Geodesic.WGS84.Inverse(latitude, longitude, other_latitude, other_longitude, Geodesic.DISTANCE)
    return float(found["s12"])
