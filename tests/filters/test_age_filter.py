from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import voeflow
from support.samples import voevent
from voeflow.testing import make_event, time_is
from voeflow_filters.age import Age

OBSERVED = datetime(2026, 11, 24, 1, 1, 30, 250_000, tzinfo=UTC)  # its WhereWhen
WRITTEN = datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC)  # its Who/Date
EVENT = make_event(time=OBSERVED, date=WRITTEN)
TEN_MINUTES = voeflow.Seconds(600)


def test_passes_up_to_the_greatest_age() -> None:
    with time_is(OBSERVED + timedelta(minutes=10)):
        assert Age(TEN_MINUTES).matches(EVENT) == voeflow.Verdict(True, "10 min old")
    with time_is(OBSERVED + timedelta(minutes=10, milliseconds=1)):
        assert not Age(TEN_MINUTES).matches(EVENT)


def test_counts_from_the_writing_of_the_packet_if_asked() -> None:
    with time_is(WRITTEN + timedelta(minutes=10)):
        assert Age(TEN_MINUTES, since="packet").matches(EVENT)
        assert not Age(TEN_MINUTES, since="event").matches(EVENT)


def test_a_time_in_the_future_passes_only_as_far_as_clocks_differ() -> None:
    with time_is(OBSERVED - timedelta(seconds=60)):
        assert Age(TEN_MINUTES).matches(EVENT) == voeflow.Verdict(True, "its time is 1 min in the future")
    with time_is(OBSERVED - timedelta(seconds=61)):
        assert not Age(TEN_MINUTES).matches(EVENT)
        assert Age(TEN_MINUTES, ahead=voeflow.Seconds(3600)).matches(EVENT)


@pytest.mark.parametrize(("since", "where"), [("event", "WhereWhen"), ("packet", "Who/Date")])
def test_an_event_without_the_time_does_not_pass(since: str, where: str) -> None:
    bare = voeflow.Event.parse(voevent(body="<What/>"))
    filter_ = Age(TEN_MINUTES, since="event" if since == "event" else "packet")
    assert filter_.matches(bare) == voeflow.Verdict(False, f"no time in {where}")


def test_an_age_of_zero_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at_most"):
        Age(voeflow.Seconds(0))
