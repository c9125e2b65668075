"""Where the telescopes are."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs


@attrs.frozen
class Site:
    """A place on the Earth.

    Attributes:
        name: what people call it.
        latitude: geodetic latitude in degrees, north positive (WGS 84).
        longitude: longitude in degrees, east positive.
        height: above the ellipsoid in metres. An error of 100 m moves nothing here by as much as 0.001 deg.
    """

    name: str
    latitude: float
    longitude: float
    height: float


#: CTAO's two arrays by the name that `site` takes: the array coordinates that CTAO publishes on its pages
#: "CTAO-North" and "CTAO-South" (ctao.org, Array Sites). For the height the first gives 2,200 m; the second
#: gives none, and 2,150 m is what CTA's simulations of the site are made for.
SITES: Mapping[str, Site] = MappingProxyType(
    {
        "north": Site("CTAO-North", 28 + 45 / 60 + 43.7904 / 3600, -(17 + 53 / 60 + 31.218 / 3600), 2200.0),
        "south": Site("CTAO-South", -(24 + 41 / 60 + 0.34 / 3600), -(70 + 18 / 60 + 58.84 / 3600), 2150.0),
    }
)
