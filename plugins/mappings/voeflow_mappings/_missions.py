"""What is one mission's own in GCN's unified notices: its name, where its notices come from, its fields."""

from __future__ import annotations

import math
import re

import attrs

from ._reading import Fields, is_number

#: The folders of GCN's schema, which are also the third part of its topics, and the missions' own names.
_NAMES = {
    "blackcat": "BlackCAT",
    "burstcube": "BurstCube",
    "chime": "CHIME",
    "dsa110": "DSA-110",
    "einstein_probe": "EinsteinProbe",
    "fermi": "Fermi",
    "icecube": "IceCube",
    "km3net": "KM3NeT",
    "maxi": "MAXI",
    "superk": "Super-Kamiokande",
    "svom": "SVOM",
    "swift": "Swift",
}
_TOPIC = re.compile(r"gcn\.notices\.([A-Za-z0-9_.-]+)", re.ASCII)
_SCHEMA = re.compile(
    r"https://gcn\.nasa\.gov/schema/(?:[^/]+/)?gcn/notices/([A-Za-z0-9_./-]+)\.schema\.json", re.ASCII
)


@attrs.frozen
class Source:
    """Where a notice is from, by its schema or its topic.

    Attributes:
        mission: its name; empty where it is not known.
        kind: what its notices are called, as `frb`, for an IVORN where they name no instrument.
        test: whether it is a schema or topic for tests.
    """

    mission: str
    kind: str
    test: bool


def source(topic: str, schema: str) -> Source | None:
    """Tell where a notice is from; None where it is none of GCN's.

    The schema decides, which is in the notice itself: so a notice has the same IVORN whatever the topic that
    brings it. The topic counts for whether it is a test.
    """
    by_schema, by_topic = _SCHEMA.fullmatch(schema), _TOPIC.fullmatch(topic)
    parts = [each for each in re.split(r"[/.]", (by_schema or by_topic or [""] * 2)[1]) if each]
    if not parts:
        return None
    test = "test" in re.split(
        r"[/._-]", f"{by_schema[1] if by_schema else ''}.{by_topic[1] if by_topic else ''}".lower()
    )
    return Source(_NAMES.get(parts[0], parts[0]), re.sub(r"[^A-Za-z0-9-]", "-", parts[-1])[:60], test)


def radius_of_corners(fields: Fields, ra: float, dec: float) -> float | None:
    """The distance to the farthest corner of MAXI's error box, in degrees; None where there is none.

    Raises:
        EventError: the corners are none.
    """
    corners = fields.values.get("rectangular_error_corners")
    if corners is None:
        return None
    if not isinstance(corners, list) or not 1 <= len(corners) <= 100 or not all(map(_is_corner, corners)):
        raise fields.wrong("rectangular_error_corners", "a list of pairs of ra and dec")
    # Rounded up to 0.0001 deg, far above what mathematical libraries differ by: the same bytes everywhere.
    return math.ceil(max(_distance(ra, dec, *corner) for corner in corners) * 1e4 - 1e-3) / 1e4


def _is_corner(corner: object) -> bool:
    return (
        isinstance(corner, list)
        and len(corner) == 2
        and all(map(is_number, corner))
        and 0 <= corner[0] <= 360
        and -90 <= corner[1] <= 90
    )


def _distance(ra1: float, dec1: float, ra2: float, dec2: float) -> float:
    """The angle between two directions, all in degrees (the haversine formula, good at small angles)."""
    a, b = math.radians(dec1), math.radians(dec2)
    half = math.sin((b - a) / 2) ** 2
    half += math.cos(a) * math.cos(b) * math.sin(math.radians(ra2 - ra1) / 2) ** 2
    return math.degrees(2 * math.asin(math.sqrt(min(1.0, half))))
