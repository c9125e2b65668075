from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import voeflow
from support.samples import voevent
from voeflow._places import PlacesInMemory, PlacesOf
from voeflow_filters.rate import Rate

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HOUR = voeflow.Seconds(3600)


@pytest.fixture
def places() -> voeflow.Places:
    return PlacesOf("rate", PlacesInMemory())


def event(
    number: int, after: float = 0, *, author: str = "ivo://a.bc/d", source: str = "in"
) -> voeflow.Event:
    return voeflow.Event.parse(
        voevent(f"ivo://a.bc/d#{number}", author=author),
        received=NOON + timedelta(seconds=after),
        source=source,
    )


def test_so_many_pass_in_each_stretch_and_say_which_they_are(places: voeflow.Places) -> None:
    asked = Rate(2, HOUR)
    verdicts = [asked.matches(event(n, n), places) for n in range(4)]
    assert [bool(each) for each in verdicts] == [True, True, False, False]
    assert verdicts[1].reason == "number 2 of at most 2 from 2026-11-24 12:00:00 to 13:00:00 UTC"
    assert verdicts[2].reason == "2 have passed from 2026-11-24 12:00:00 to 13:00:00 UTC"
    assert asked.matches(event(9, 3600), places)
    assert (
        Rate(1, voeflow.Seconds(86400))
        .matches(event(10), places)
        .reason.endswith("from 2026-11-24 00:00:00 to 2026-11-25 00:00:00 UTC")
    )


def test_the_same_event_asked_again_gets_the_same_answer(places: voeflow.Places) -> None:
    asked = Rate(1, HOUR)
    first, second = event(1), event(2, 1)
    assert [bool(asked.matches(each, places)) for each in (first, second, first, second)] == [True, False] * 2


def test_authors_or_sources_may_be_counted_apart(places: voeflow.Places) -> None:
    by_author, by_source = Rate(1, HOUR, each="author"), Rate(1, HOUR, each="source")
    assert by_author.matches(event(1), places)
    assert by_author.matches(event(2, author="ivo://a.bc/e"), places)
    assert not by_author.matches(event(3), places)
    places = PlacesOf("sources", PlacesInMemory())
    assert by_source.matches(event(1), places)
    assert by_source.matches(event(2, source="other"), places)
    assert not by_source.matches(event(3), places)


def test_limits_that_make_no_sense_are_refused() -> None:
    for at_most, per in ((0, HOUR), (1, voeflow.Seconds(0.5)), (10**6, HOUR)):
        with pytest.raises(ValueError, match="must be"):
            Rate(at_most, per)
