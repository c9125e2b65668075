"""What it takes to observe, as options that the filter and the handler share, and the judging of an event."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

import voeflow

from ._profiles import Profiles, check_profiles, expected, one_of, read_profiles
from ._sites import Site
from ._telescopes import MOON
from ._windows import Limits

if TYPE_CHECKING:
    from ._sky import Sky

#: A whole day of minutes is looked at: after that the sky is where it was.
DAY = 24 * 60


def read_moment(text: str) -> datetime | None:
    """Read `now`; None where it is empty.

    Raises:
        ValueError: it is no time.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f'expected a time such as "2026-12-10T02:00Z", got "{text}"') from None


def _check_moment(instance: object, attribute: attrs.Attribute[str], text: str) -> None:
    read_moment(text)


def _check_moon(instance: object, attribute: attrs.Attribute[str], moon: str) -> None:
    if moon and moon not in MOON:
        raise ValueError(expected(moon, MOON))


def _degrees(least: float, most: float) -> Callable[[Any, Any, Any], None]:
    """Make a validator of degrees; None, which is left out, stands for the telescope's own."""

    def check(instance: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
        if value is not None and not least <= value <= most:
            raise ValueError(f"expected {least:g} to {most:g} degrees, got {value:g}")

    return check


@attrs.frozen(kw_only=True)
class Observing:
    """The options, with the telescope's own limits where the pipeline sets none."""

    site: str = attrs.field(
        default="north",
        validator=one_of(lambda profiles: profiles.sites),
        metadata={"help": '"north" for La Palma, "south" for Paranal, or a site of your profiles'},
    )
    telescope: str = attrs.field(
        default="lst",
        validator=one_of(lambda profiles: profiles.telescopes),
        metadata={"help": "lst, mst or sst, or a telescope of your profiles: whose limits hold"},
    )
    profiles: Path | None = attrs.field(
        default=None,
        validator=check_profiles,
        metadata={"help": "a TOML file with sites, telescopes and alerts of your own"},
    )
    max_zenith: float | None = attrs.field(
        default=None,
        validator=_degrees(1, 90),
        metadata={"help": "the greatest angle from the zenith, in degrees; the telescope's if left out"},
    )
    sun_below: float | None = attrs.field(
        default=None,
        validator=_degrees(-90, 90),
        metadata={
            "help": "the altitude that the Sun's centre must be below, in degrees; -18 is astronomical night"
        },
    )
    moon: str = attrs.field(
        default="",
        validator=_check_moon,
        metadata={
            "help": "dark: no Moon above the horizon; grey: at most 60 % lit and 30 deg away; any; the "
            "telescope's if left out"
        },
    )
    max_wait: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(3600.0),
        validator=attrs.validators.le(voeflow.Seconds(86400.0 / 2)),
        metadata={"help": "how long after it was received the observation may begin; at most 12 hours"},
    )
    min_duration: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(600.0),
        validator=attrs.validators.le(voeflow.Seconds(86400.0 / 4)),
        metadata={"help": "how long it must be observable without a break; at most 6 hours"},
    )
    max_error: float | None = attrs.field(
        default=None,
        validator=_degrees(0.0001, 180),
        metadata={
            "help": "the greatest radius of the position's error circle, in degrees; if left out, the "
            "telescope's: that of its field of view"
        },
    )
    max_age: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(86400.0),
        metadata={"help": "how long ago the event itself may have happened"},
    )
    now: str = attrs.field(
        default="",
        validator=_check_moment,
        metadata={
            "help": "to try a pipeline out: judge as if it were this time (UTC) and the event just came"
        },
    )
    _read: Profiles = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        """Read the profiles, and load astropy with its tables: now, and not with the first alert."""
        object.__setattr__(self, "_read", read_profiles(self.profiles))
        from ._sky import sky_over

        sky_over(self.place, 0.0, 0.0, self.moment(), 1)

    @property
    def place(self) -> Site:
        """Where the telescope stands."""
        return self._read.sites[self.site]

    @property
    def widest_error(self) -> float:
        """The greatest error of a position, in degrees."""
        return self._read.telescopes[self.telescope].max_error if self.max_error is None else self.max_error

    def limits(self, waited: float = 0.0) -> Limits:
        """What makes an observation possible, for an event that was received `waited` seconds ago."""
        telescope = self._read.telescopes[self.telescope]
        return Limits(
            max_zenith=telescope.max_zenith if self.max_zenith is None else self.max_zenith,
            sun_below=telescope.sun_below if self.sun_below is None else self.sun_below,
            moon=MOON[self.moon or telescope.moon],
            max_wait=int((self.max_wait - waited) // 60),
            min_duration=-int(-self.min_duration // 60),
        )

    def moment(self) -> datetime:
        """The moment to judge at."""
        return read_moment(self.now) or self.clock()

    @staticmethod
    def clock() -> datetime:
        """Say what time it is; tests put another in its place."""
        return datetime.now(UTC)

    def unfit(self, event: voeflow.Event, now: datetime) -> str:
        """Say what forbids to observe an event, wherever it stands in the sky; empty if nothing."""
        if reason := self._unfit(event, now):
            return reason
        waited = self.waited(event, now)
        if waited > self.max_wait:
            ago, limit = voeflow.show_seconds(waited), voeflow.show_seconds(self.max_wait)
            return f"received {ago} ago, more than {limit}"
        return ""

    def waited(self, event: voeflow.Event, now: datetime) -> float:
        """How long ago an event was received, in seconds."""
        return 0.0 if self.now else max(0.0, (now - event.received).total_seconds())

    def sky(self, position: voeflow.Position, begin: datetime) -> Sky:
        """What stands where for a day, minute by minute; takes some tenths of a second."""
        from ._sky import sky_over

        return sky_over(self.place, position.ra, position.dec, begin, DAY)

    def _unfit(self, event: voeflow.Event, now: datetime) -> str:
        """Say what in the packet forbids to observe it, wherever it stands in the sky; empty if nothing."""
        if event.role != "observation":
            return f"role is {voeflow.printable(event.role, 40)}: only observations are followed"
        for citation in event.citations:
            if citation.kind == "retraction":
                return f"retracts {voeflow.printable(citation.ivorn, 100)}"
        if event.position is None:
            return "no position"
        if event.position.error is None:
            return "error of the position unknown"
        if event.position.error > self.widest_error:
            return f"error of the position {event.position.error:.3g} deg, above {self.widest_error:g} deg"
        happened = event.time or event.date
        if happened is None:
            return "age unknown: it says neither when it happened nor when it was written"
        age = (now - happened).total_seconds()
        if age > self.max_age:
            return f"happened {voeflow.show_seconds(age)} ago, more than {voeflow.show_seconds(self.max_age)}"
        return ""
