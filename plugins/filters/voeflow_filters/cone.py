"""The `cone` filter: whether an event lies near a place in the sky."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

import voeflow


@attrs.frozen
class Target:
    """A place in the sky; angles in degrees."""

    name: str
    ra: float
    dec: float
    radius: float


def _within(low: float, high: float, text: str) -> Callable[[object, Any, Any], None]:
    def check(instance: object, attribute: object, value: float | None) -> None:
        if value is not None and not low <= value <= high:
            raise ValueError(f"expected degrees {text}, got {value:g}")

    return check


_RA = _within(0, math.nextafter(360, 0), "from 0 to below 360")
_DEC = _within(-90, 90, "from -90 to 90")
_RADIUS = _within(math.nextafter(0, 1), 180, "above 0, to 180")


# Not `inline`: a list may hold a survey's fields, and each takes two microseconds.
@attrs.frozen
class Cone:
    """Pass events whose position is within `radius` of a place in the sky, or of one of a list of places.

    The place is `ra` and `dec`, in degrees, J2000. A list of them is a file of comma-separated values with a
    heading: the columns `name`, `ra` and `dec`, and if some differ, `radius`. It is read when the node starts
    and at each reload.

    An event without a position does not pass. With `overlap = true` it is enough that the event's error
    circle reaches into the cone; one without an error is then taken for a point.

        [filters.near_crab]
        plugin = "cone"
        ra     = 83.633
        dec    = 22.0145
        radius = 2.5

        [filters.our_targets]
        plugin  = "cone"
        targets = "targets.csv"
        radius  = 0.5
    """

    radius: float = attrs.field(
        validator=_RADIUS, metadata={"help": "the radius of the cone in degrees, above 0, to 180"}
    )
    ra: float | None = attrs.field(
        default=None, validator=_RA, metadata={"help": "right ascension of its axis in degrees"}
    )
    dec: float | None = attrs.field(
        default=None, validator=_DEC, metadata={"help": "declination of its axis in degrees"}
    )
    targets: Path | None = attrs.field(
        default=None, metadata={"help": "a CSV file with columns name, ra, dec (degrees) and maybe radius"}
    )
    overlap: bool = attrs.field(
        default=False, metadata={"help": "whether an event passes whose error circle reaches into the cone"}
    )
    _targets: tuple[Target, ...] = attrs.field(init=False, repr=False)

    @_targets.default
    def _read(self) -> tuple[Target, ...]:
        if self.targets is None:
            if self.ra is None or self.dec is None:
                raise ValueError("expected ra and dec, or targets")
            return (Target("", self.ra, self.dec, self.radius),)
        if self.ra is not None or self.dec is not None:
            raise ValueError("expected either targets, or ra and dec, not both")
        return read_targets(self.targets, self.radius)

    def matches(self, event: voeflow.Event) -> voeflow.Verdict:
        """Say whether the event's position lies in one of the cones, and how far off the nearest axis."""
        position = event.position
        if position is None:
            return voeflow.Verdict(False, "no position")
        slack = (position.error or 0.0) if self.overlap else 0.0
        distance, target = min(
            ((separation(position.ra, position.dec, each.ra, each.dec), each) for each in self._targets),
            key=lambda found: found[0] - found[1].radius,
        )
        of = f" from {voeflow.printable(target.name, 60)}" if target.name else ""
        error = f", error {position.error:.3g} deg" if slack else ""
        return voeflow.Verdict(distance <= target.radius + slack, f"{distance:.3g} deg{of}{error}")


def separation(ra: float, dec: float, other_ra: float, other_dec: float) -> float:
    """Give the angle between two directions, all in degrees: exact at every distance (Vincenty's formula)."""
    a, b = math.radians(dec), math.radians(other_dec)
    between = math.radians(other_ra - ra)
    across = math.hypot(
        math.cos(b) * math.sin(between),
        math.cos(a) * math.sin(b) - math.sin(a) * math.cos(b) * math.cos(between),
    )
    along = math.sin(a) * math.sin(b) + math.cos(a) * math.cos(b) * math.cos(between)
    return math.degrees(math.atan2(across, along))


def read_targets(path: Path, radius: float) -> tuple[Target, ...]:
    """Read a list of targets.

    Args:
        path: a CSV file in UTF-8 with a heading: `name`, `ra`, `dec`, and maybe `radius`; angles in degrees.
        radius: of those that have none of their own, in degrees.

    Returns:
        At least one.

    Raises:
        ValueError: it cannot be read, or a line of it is not a target; the message says which.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, skipinitialspace=True)
            if missing := {"name", "ra", "dec"} - set(rows.fieldnames or ()):
                raise ValueError(
                    f"{path}: expected a first line with the columns name, ra, dec; "
                    f"there is no {', '.join(sorted(missing))}"
                )
            found = []
            for row in rows:
                try:
                    own = row.get("radius")
                    found.append(
                        _target(
                            (row["name"] or "").strip(),
                            float(row["ra"]),
                            float(row["dec"]),
                            float(own) if own and own.strip() else radius,
                        )
                    )
                except (TypeError, ValueError) as error:
                    raise ValueError(f"{path}, line {rows.line_num}: {error}") from None
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no CSV file in UTF-8: {error}") from None
    if not found:
        raise ValueError(f"{path} holds no target")
    return tuple(found)


def _target(name: str, ra: float, dec: float, radius: float) -> Target:
    for column, value, check in (("ra", ra, _RA), ("dec", dec, _DEC), ("radius", radius, _RADIUS)):
        try:
            check(None, None, value)
        except ValueError as error:
            raise ValueError(f"{column}: {error}") from None
    return Target(name, ra, dec, radius)
