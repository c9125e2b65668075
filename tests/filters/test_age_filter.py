from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import voeflow
import voeflow_filters.age
from support.samples import voevent
from voeflow_filters.age import Age

OBSERVED = datetime(2026, 11, 24, 1, 1, 30, 250_000, tzinfo=UTC)  # the sample's WhereWhen
WRITTEN = datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC)  # its Who/Date
EVENT = voeflow.Event.parse(voevent())
TEN_MINUTES = voeflow.Seconds(600)


def at(moment: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voeflow_filters.age, "_now", lambda: moment)


def test_passes_up_to_the_greatest_age(monkeypatch: pytest.MonkeyPatch) -> None:
    at(OBSERVED + timedelta(minutes=10), monkeypatch)
    assert Age(TEN_MINUTES).matches(EVENT) == voeflow.Verdict(True, "10 min old")
    at(OBSERVED + timedelta(minutes=10, microseconds=1), monkeypatch)
    assert not Age(TEN_MINUTES).matches(EVENT)


def test_counts_from_the_writing_of_the_packet_if_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    at(WRITTEN + timedelta(minutes=10), monkeypatch)
    assert Age(TEN_MINUTES, since="packet").matches(EVENT)
    assert not Age(TEN_MINUTES, since="event").matches(EVENT)


def test_a_time_in_the_future_passes_only_as_far_as_clocks_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    at(OBSERVED - timedelta(seconds=60), monkeypatch)
    assert Age(TEN_MINUTES).matches(EVENT) == voeflow.Verdict(True, "its time is 1 min in the future")
    at(OBSERVED - timedelta(seconds=61), monkeypatch)
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
