"""The filter `shadow-path`: whether the shadow of an occultation comes near an observing site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

import voeflow

from ._path import Closest, NoPathError, closest, read_path


def _within(low: float, high: float) -> Callable[[object, Any, float], None]:
    def check(instance: object, attribute: object, value: float) -> None:
        if not low <= value <= high:
            raise ValueError(f"expected degrees from {low:g} to {high:g}, got {value:g}")

    return check


# Not `inline`: a long path takes some hundredths of a second.
@attrs.frozen
class ShadowPath:
    """Pass predictions of occultations whose shadow comes near an observing site.

    The packet has the central line in a Table `Shadow_Path` with the Fields `Time`, `Longitude` and
    `Latitude`. The distance is that of the site from the line, along the WGS 84 ellipsoid. Half the body's
    diameter, and what the prediction is uncertain by, are for you to put into `max_distance`.

        [filters.near]
        plugin       = "shadow-path"
        latitude     = 43.9308
        longitude    = 5.7133
        max_distance = 60
    """

    latitude: float = attrs.field(
        validator=_within(-90, 90),
        metadata={"help": "geodetic latitude of the site in degrees"},
    )
    longitude: float = attrs.field(
        validator=_within(-180, 360),
        metadata={"help": "longitude of the site in degrees, east"},
    )
    max_distance: float = attrs.field(
        validator=attrs.validators.gt(0),
        metadata={"help": "how far the central line may pass from the site, in km"},
    )

    def matches(self, event: voeflow.Event) -> voeflow.Verdict:
        """Say whether the shadow comes near, how near, and when."""
        try:
            found = self.closest(event)
        except NoPathError as error:
            return voeflow.Verdict(False, str(error))
        return voeflow.Verdict(
            found.distance <= self.max_distance,
            f"the central line passes at {found.distance:.1f} km, {found.time:%Y-%m-%d %H:%M:%S} UTC",
        )

    def closest(self, event: voeflow.Event) -> Closest:
        """Give where the shadow is nearest.

        Raises:
            NoPathError: the packet has no path that can be read.
        """
        return closest(read_path(event), self.longitude, self.latitude)
