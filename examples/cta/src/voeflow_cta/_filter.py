"""The `ctao-observable` filter: can a CTAO site point to an event?"""

from __future__ import annotations

from datetime import UTC, datetime

import attrs

import voeflow

from ._sites import SITES
from ._windows import Limits, judge

#: A whole day of minutes is looked at: after that the sky is where it was.
_DAY = 24 * 60


def _moment(text: str) -> datetime | None:
    """Read `now`; None where it is empty."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f'expected a time such as "2026-11-24T02:00Z", got "{text}"') from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _check_site(instance: object, attribute: attrs.Attribute[str], site: str) -> None:
    if site not in SITES:
        raise ValueError(f'expected one of {", ".join(SITES)}, got "{site}"')


def _check_moment(instance: object, attribute: attrs.Attribute[str], text: str) -> None:
    _moment(text)


@attrs.frozen
class ObservableFromCTAO:
    """Pass events that a CTAO site can observe at once or soon.

    An event passes if its position stands within `max_zenith` of the zenith, with the Sun below `sun_below`,
    for at least `min_duration`, beginning no later than `max_wait` after the event was received. What is
    refused, each with its reason: all but observations (tests above all), retractions, events without a
    position, positions whose error is unknown (missing, zero and negative ones are) or above `max_error`.

    The Moon, the weather and what the telescopes are busy with are not looked at.

        [filters.observable]
        plugin = "ctao-observable"
        site = "north"
        max_wait = "30 min"
    """

    site: str = attrs.field(
        default="north",
        validator=_check_site,
        metadata={"help": '"north" for La Palma, "south" for Paranal'},
    )
    max_zenith: float = attrs.field(
        default=60.0,
        validator=[attrs.validators.gt(0), attrs.validators.le(90)],
        metadata={"help": "the greatest angle from the zenith, in degrees"},
    )
    sun_below: float = attrs.field(
        default=-18.0,
        validator=[attrs.validators.ge(-90), attrs.validators.le(90)],
        metadata={
            "help": "the altitude that the Sun's centre must be below, in degrees; -18 is astronomical night"
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
    max_error: float = attrs.field(
        default=2.5,
        validator=attrs.validators.gt(0),
        metadata={
            "help": "the greatest radius of the position's error circle in degrees: the field of view's"
        },
    )
    now: str = attrs.field(
        default="",
        validator=_check_moment,
        metadata={
            "help": "to try a pipeline out: judge as if it were this time (UTC) and the event just came"
        },
    )

    def __attrs_post_init__(self) -> None:
        """Load astropy, and its tables, while the pipeline is read: not with the first alert."""
        from ._sky import altitudes

        altitudes(SITES[self.site], 0.0, 0.0, _moment(self.now) or self.clock(), 1)

    def matches(self, event: voeflow.Event) -> voeflow.Verdict:
        """Say whether the event can be observed, when, or why not. Runs in a worker thread."""
        if unfit := self._unfit(event):
            return voeflow.Verdict(False, unfit)
        assert event.position is not None
        begin = _moment(self.now) or self.clock()
        waited = 0.0 if self.now else max(0.0, (begin - event.received).total_seconds())
        if waited > self.max_wait:
            ago, limit = voeflow.show_seconds(waited), voeflow.show_seconds(self.max_wait)
            return voeflow.Verdict(False, f"received {ago} ago, more than {limit}")
        from ._sky import altitudes

        target, sun = altitudes(SITES[self.site], event.position.ra, event.position.dec, begin, _DAY)
        limits = Limits(
            max_zenith=self.max_zenith,
            sun_below=self.sun_below,
            max_wait=int((self.max_wait - waited) // 60),
            min_duration=-int(-self.min_duration // 60),
        )
        outcome = judge(target, sun, begin, limits)
        return voeflow.Verdict(outcome.possible, outcome.reason)

    @staticmethod
    def clock() -> datetime:
        """Say what time it is; tests put another in its place."""
        return datetime.now(UTC)

    def _unfit(self, event: voeflow.Event) -> str:
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
        if event.position.error > self.max_error:
            return f"error of the position {event.position.error:.3g} deg, above {self.max_error:g} deg"
        return ""
