"""The `age` filter: whether an event is still news."""

from __future__ import annotations

from typing import ClassVar, Literal

import attrs

import voeflow


@attrs.frozen
class Age:
    """Pass events that are not older than `at_most`.

    The age counts from when the event happened in the sky (`since = "event"`, the time in its `WhereWhen`) or
    from when its author wrote the packet (`since = "packet"`, its `Who/Date`), until the filter is asked. So
    what comes late, out of a queue or a replay, is not taken for news. An event without that time does not
    pass, nor does one that lies more than `ahead` in the future: a clock is wrong somewhere.

        [filters.fresh]
        plugin  = "age"
        at_most = "10 min"
    """

    inline: ClassVar[bool] = True

    at_most: voeflow.Seconds = attrs.field(
        validator=attrs.validators.gt(voeflow.Seconds(0)), metadata={"help": "the greatest age that passes"}
    )
    since: Literal["event", "packet"] = attrs.field(
        default="event",
        metadata={"help": '"event" counts from when it was observed, "packet" from when it was written'},
    )
    ahead: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(60.0),
        metadata={"help": "how far in the future its time may lie; clocks differ"},
    )

    def matches(self, event: voeflow.Event) -> voeflow.Verdict:
        """Say whether the event is young enough now."""
        moment = event.time if self.since == "event" else event.date
        if moment is None:
            where = "WhereWhen" if self.since == "event" else "Who/Date"
            return voeflow.Verdict(False, f"no time in {where}")
        age = (voeflow.utcnow() - moment).total_seconds()
        if age < 0:
            return voeflow.Verdict(
                -age <= self.ahead, f"its time is {voeflow.show_seconds(-age)} in the future"
            )
        return voeflow.Verdict(age <= self.at_most, f"{voeflow.show_seconds(age)} old")
