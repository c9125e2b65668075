"""What the node tells of a source's silence, and of its end: events of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import attrs

from voeflow._event import Citation
from voeflow._hearing import Alarm, Heard
from voeflow._quantities import show_seconds
from voeflow._what import Param


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Silence:
    """A source that has heard nothing for too long, or did so until now.

    Attributes:
        ivoid: of the node.
        source: the name of the transport.
        plugin: of the transport's plugin.
        silent_after: how long it may be silent, in seconds; None where nobody watches it any more.
        lasted: how long it has heard nothing, in seconds of the node's running time.
        heard: what it heard last.
        now: when this is told, in seconds since 1970, UTC.
    """

    ivoid: str
    source: str
    plugin: str
    silent_after: float | None
    lasted: float
    heard: Heard
    now: float

    def ivorn(self, what: str) -> str:
        """Give the IVORN of an event that tells of it; one source has no two alarms in a second."""
        return f"{self.ivoid}#{what}-{self.source}-{datetime.fromtimestamp(self.now, UTC):%Y%m%dT%H%M%S}"


def tell_silent(silence: Silence, ivorn: str) -> bytes:
    """Make the event that raises an alarm."""
    since = f"since {show_moment(silence.heard.last)}" if silence.heard.last is not None else "at all"
    return _compose(
        silence,
        ivorn,
        f"transports.{silence.source} of {silence.ivoid} has heard nothing {since}, neither an event nor a "
        f"sign of life, in {show_seconds(silence.lasted)} of running.",
    )


def tell_heard(silence: Silence, alarm: Alarm) -> bytes:
    """Make the event that clears an alarm: something was heard."""
    return _compose(
        silence,
        silence.ivorn("heard"),
        f"transports.{silence.source} of {silence.ivoid} hears again, since "
        f"{show_moment(silence.heard.last)}, after {show_seconds(silence.lasted)} of silence.",
        alarm,
    )


def tell_unwatched(silence: Silence, alarm: Alarm) -> bytes:
    """Make the event that ends an alarm because the pipeline has that source, or its key, no more."""
    return _compose(
        silence,
        silence.ivorn("unwatched"),
        f"transports.{silence.source} of {silence.ivoid} is no longer watched. When that ended it had been "
        f"silent since before {show_moment(alarm.since)}.",
        alarm,
    )


def show_moment(seconds: float | None) -> str:
    """Give seconds since 1970 as a time in UTC, to the second."""
    if seconds is None:
        return "never"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _compose(silence: Silence, ivorn: str, description: str, alarm: Alarm | None = None) -> bytes:
    """Make an event; what ends an alarm supersedes it.

    It is no retraction: that would say that the alarm was wrong (VOEvent 2.0, section 3.7).
    """
    from voeflow._compose import compose  # which most nodes never do

    return compose(
        ivorn=ivorn,
        role="utility",
        author=silence.ivoid,
        date=datetime.fromtimestamp(int(silence.now), UTC),
        description=description,
        params=_params(silence),
        citations=() if alarm is None else [Citation(alarm.ivorn, "supersedes")],
    )


def _params(silence: Silence) -> Iterator[Param]:
    yield Param("source", silence.source, ucd="meta.id")
    yield Param("plugin", silence.plugin, ucd="meta.code.class")
    if silence.silent_after is not None:
        yield Param("silent_after", f"{silence.silent_after:g}", "s", "time.duration", "float")
    yield Param("silent_for", f"{silence.lasted:.0f}", "s", "time.duration", "float")
    for name, moment in (("last_heard", silence.heard.last), ("last_event", silence.heard.event)):
        if moment is not None:
            yield Param(name, show_moment(moment).removesuffix("Z"), ucd="time.epoch")
