"""What telescopes can do: how far from the zenith, how much of the sky at once, by how much light."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs


@attrs.frozen
class Moonlight:
    """How much of the Moon a telescope stands.

    The Moon does not count while it is below the horizon. Above it, it must be no brighter and no nearer than
    this.

    Attributes:
        max_illumination: the greatest part of its disk that may be lit, 0 to 1.
        min_separation: the least angle between it and the position, in degrees.
    """

    max_illumination: float
    min_separation: float

    @property
    def any(self) -> bool:
        """Whether the Moon is never looked at."""
        return self.max_illumination >= 1 and self.min_separation <= 0


#: The rules that `moon` knows by name. "dark" and "grey" are what CTA's simulations of burst follow-up use as
#: `strictmoonveto` and `moonlight`: none at all; at most 60 % lit and at least 30 deg away (SoHAPPy,
#: visibility.yaml).
MOON: Mapping[str, Moonlight] = MappingProxyType(
    {
        "dark": Moonlight(max_illumination=0.0, min_separation=180.0),
        "grey": Moonlight(max_illumination=0.6, min_separation=30.0),
        "any": Moonlight(max_illumination=1.0, min_separation=0.0),
    }
)

#: The Moon is down when its centre is lower than this, in degrees: its radius (SoHAPPy, visibility.yaml).
MOON_DOWN = -0.25


@attrs.frozen
class Telescope:
    """A kind of telescope.

    Attributes:
        name: what people call it.
        max_error: the greatest error of a position that it is pointed to, in degrees: the radius of its field
            of view, or what is useful of that.
        max_zenith: the greatest angle from the zenith that it observes at, in degrees.
        sun_below: the altitude that the Sun's centre must be below, in degrees.
        moon: how much of the Moon it stands; a name in `MOON`.
    """

    name: str
    max_error: float
    max_zenith: float = 60.0
    sun_below: float = -18.0
    moon: str = "dark"


#: CTAO's telescopes by the name that `telescope` takes. LST-1 takes alerts up to 70 deg from the zenith and
#: prefers those within 60 deg, in dark nights (LST-1's public wiki, TRAN02); its camera sees 4.5 deg (Cortina
#: 2019, PoS ICRC2019 653), and 2.5 deg is what its positions are asked to be known to. The medium-sized
#: telescopes see 7 to 8 deg, the small-sized ones more than 8; half of the lesser figure is taken.
TELESCOPES: Mapping[str, Telescope] = MappingProxyType(
    {
        "lst": Telescope("Large-Sized Telescope", max_error=2.5),
        "mst": Telescope("Medium-Sized Telescope", max_error=3.5),
        "sst": Telescope("Small-Sized Telescope", max_error=4.0),
    }
)
