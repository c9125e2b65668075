"""The `rate` filter: a ceiling for storms."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import attrs

import voeflow

#: The most that can be asked for: each that passes is a row in the store.
AT_MOST_MAX = 100_000


@attrs.frozen
class Rate:
    """Pass at most so many events in a time: a ceiling for storms, in front of what must not be flooded.

    Time is cut into stretches of `per`, by the clock, from midnight UTC if it divides a day; in each the
    first `at_most` events pass that this filter is asked about, by when the node received them. In `burst and
    calm` only bursts count. The answer for an event stays the same when a delivery is tried again and after a
    restart. With `each = "author"` every author has a ceiling of its own, so that one in a loop does not shut
    out the others.

    What does not pass is not delivered to that sink, neither now nor later; it is in the store, and other
    sinks get it. Where nothing may be left out, use what holds back instead: `ceiling` or `digest` of
    `email`.

        [filters.calm]
        plugin  = "rate"
        at_most = 10
        per     = "1 hour"
        each    = "author"
    """

    at_most: int = attrs.field(
        validator=[attrs.validators.ge(1), attrs.validators.le(AT_MOST_MAX)],
        metadata={"help": "how many events pass in each stretch of time"},
    )
    per: voeflow.Seconds = attrs.field(
        validator=attrs.validators.ge(voeflow.Seconds(1)),
        metadata={"help": "how long a stretch is, at least 1 s"},
    )
    each: Literal["author", "source"] | None = attrs.field(
        default=None,
        metadata={"help": 'count those of each author, or of each "source", apart; all together if left out'},
    )

    def matches(self, event: voeflow.Event, places: voeflow.Places) -> voeflow.Verdict:
        """Say whether the event is among the first of its stretch."""
        number = int(event.received.timestamp() // self.per)
        whose = (
            event.author if self.each == "author" else event.source if self.each == "source" else ""
        ) or ""
        # `per` is in the key, so that another one, after a reload, counts anew.
        place = places.take(f"{self.per}\n{number}\n{whose.strip()}", event, limit=self.at_most)
        start, end = (datetime.fromtimestamp((number + n) * self.per, UTC) for n in (0, 1))
        stretch = f"from {start:%Y-%m-%d %H:%M:%S} to {_until(start, end)} UTC"
        if place is None:
            return voeflow.Verdict(False, f"{self.at_most} have passed {stretch}")
        return voeflow.Verdict(True, f"number {place} of at most {self.at_most} {stretch}")


def _until(start: datetime, end: datetime) -> str:
    return f"{end:%H:%M:%S}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M:%S}"
