"""The filters: is it an alert that CTA follows, and can a CTAO site point to it?"""

from __future__ import annotations

from pathlib import Path

import attrs

import voeflow

from ._alerts import all_params
from ._observing import Observing
from ._profiles import Profiles, check_profiles, one_of, read_profiles
from ._windows import judge


@attrs.frozen(kw_only=True)
class ObservableFromCTAO(Observing):
    """Pass events that a CTAO site can observe at once or soon.

    An event passes if its position stands within `max_zenith` of the zenith, with the Sun below `sun_below`
    and no more Moon than `moon` allows, for at least `min_duration`, beginning no later than `max_wait` after
    the event was received. What is refused, each with its reason: all but observations (tests above all),
    retractions, events without a position, positions whose error is unknown (missing, zero and negative ones
    are) or above `max_error`, and events that happened longer than `max_age` ago.

    The weather and what the telescopes are busy with are not looked at.

        [filters.observable]
        plugin = "ctao-observable"
        site = "north"
        telescope = "lst"
        max_wait = "30 min"
    """

    def matches(self, event: voeflow.Event) -> voeflow.Verdict:
        """Say whether the event can be observed, when, or why not. Runs in a worker thread."""
        now = self.moment()
        if unfit := self.unfit(event, now):
            return voeflow.Verdict(False, unfit)
        assert event.position is not None
        outcome = judge(self.sky(event.position, now), now, self.limits(self.waited(event, now)))
        return voeflow.Verdict(outcome.possible, outcome.reason)


@attrs.frozen(kw_only=True)
class CTAAlert:
    """Pass alerts of the kinds that CTA follows: bursts, gravitational waves, neutrinos, flares.

    Which packets these are, `voeflow plugins` cannot list: see the README. A packet passes if it comes from a
    stream of one of `kinds`, with a type of notice that is an alert there, and its Params say what they have
    to: that it is a burst, say, or significant. Tests and retractions never pass. An update passes as the
    alert did, unless `updates` is `"refuse"`.

        [filters.alert]
        plugin = "cta-alert"
        kinds = ["burst", "neutrino"]
        profiles = "cta-profiles.toml"
    """

    kinds: tuple[str, ...] = attrs.field(
        default=("burst", "wave", "neutrino", "flare"),
        validator=one_of(lambda profiles: profiles.kinds()),
        metadata={"one_or_many": True, "help": "burst, wave, neutrino, flare, or kinds of your profiles"},
    )
    profiles: Path | None = attrs.field(
        default=None,
        validator=check_profiles,
        metadata={"help": "a TOML file with alerts of your own, asked before the built-in ones"},
    )
    updates: str = attrs.field(
        default="pass",
        validator=attrs.validators.in_(("pass", "refuse")),
        metadata={"help": '"pass" or "refuse" what supersedes or follows up an event before it'},
    )
    _read: Profiles = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        """Read the profiles."""
        object.__setattr__(self, "_read", read_profiles(self.profiles))

    def matches(self, event: voeflow.Event) -> voeflow.Verdict:
        """Say what kind of alert it is, or why it is none. Runs in a worker thread."""
        if event.role != "observation":
            return voeflow.Verdict(
                False, f"role is {voeflow.printable(event.role, 40)}: only observations are followed"
            )
        earlier = ""
        for citation in event.citations:
            cited = voeflow.printable(citation.ivorn, 100)
            if citation.kind == "retraction":
                return voeflow.Verdict(False, f"retracts {cited}")
            earlier = earlier or f", after {cited}"
        params = all_params(event)
        wanting = ""
        for alert in self._read.alerts:
            if alert.kind not in self.kinds or not alert.comes_from(event, params):
                continue
            unmet = alert.unmet(params)
            if not unmet:
                refused = bool(earlier) and self.updates == "refuse"
                return voeflow.Verdict(not refused, f"{alert.kind}: {alert.name}{earlier}")
            wanting = wanting or f"{alert.name}, but {unmet}"
        return voeflow.Verdict(False, wanting or f"no alert of the kinds {', '.join(self.kinds)}")
