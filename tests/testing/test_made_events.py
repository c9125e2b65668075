"""Events made for tests are valid, say what they are told to, and are the same for the same keywords."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import voeflow
from voeflow.testing import PacketKeywords, make_event, make_packet


def test_an_event_of_nothing_is_valid() -> None:
    event = make_event()

    assert event.valid
    assert event.role == "observation"
    assert event.position is None
    assert event.received == event.date == datetime(2026, 1, 1, tzinfo=UTC)


def test_an_event_says_what_it_is_told() -> None:
    event = make_event(
        "burst-1",
        role="test",
        author="ivo://a.example/b",
        position=(83.633, 22.014, 0.05),
        time="2026-11-24T01:02:03.25",
        params={
            "SNR": 12.5,
            "Flux": (3.2e-7, "erg/cm2/s", "phot.flux"),
            "Id": 4711,
            "Real": True,
            "Name": "x",
        },
        groups={"Sun": {"Distance": (94.2, "deg")}},
        citations={"ivo://org.example/testing#first": "supersedes"},
        description="made up",
        received="2026-11-24T02:00:00",
        source="authors",
    )

    assert event.valid
    assert event.ivorn == "ivo://org.example/testing#burst-1"
    assert (event.role, event.author, event.source) == ("test", "ivo://a.example/b", "authors")
    assert event.position is not None
    assert (event.position.ra, event.position.dec, event.position.error) == (83.633, 22.014, 0.05)
    assert event.time == datetime(2026, 11, 24, 1, 2, 3, 250000, tzinfo=UTC)
    assert [(p.name, p.value, p.unit, p.ucd, p.data_type) for p in event.params] == [
        ("SNR", "12.5", "", "", "float"),
        ("Flux", "3.2e-07", "erg/cm2/s", "phot.flux", "float"),
        ("Id", "4711", "", "", "int"),
        ("Real", "true", "", "", ""),
        ("Name", "x", "", "", ""),
    ]
    assert event.groups[0].name == "Sun"
    assert event.groups[0].params["Distance"].unit == "deg"
    assert event.citations == (voeflow.Citation("ivo://org.example/testing#first", "supersedes"),)
    assert event.description == "made up"
    assert event.received == datetime(2026, 11, 24, 2, tzinfo=UTC)


def test_a_full_ivorn_is_taken_as_it_is() -> None:
    assert make_event("ivo://a.example/b#c").ivorn == "ivo://a.example/b#c"


def test_a_position_without_an_error_has_an_unknown_one() -> None:
    position = make_event(position=(10, -20)).position

    assert position is not None
    assert position.error is None


def test_what_a_packet_says_can_be_given_as_it_was_read() -> None:
    first = make_event(
        position=(10, -20, 1),
        params={"a": 1},
        groups={"g": {"b": (2, "s")}},
        citations={"ivo://a/b#c": "followup"},
    )
    again = make_event(
        position=first.position, params=first.params, groups=first.groups, citations=first.citations
    )

    assert again.raw == first.raw


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c"]), st.floats(allow_nan=False) | st.integers() | st.booleans()
    )
)
def test_the_same_keywords_make_the_same_event_and_others_another(params: dict[str, Any]) -> None:
    assert make_packet(params=params) == make_packet(params=dict(params))
    assert make_event(params=params).ivorn != make_event(params={**params, "d": 1}).ivorn
    assert make_event(params=params).valid


def test_iterators_are_read_once_and_used_whole() -> None:
    event = make_event(how=iter(["by eye"]), params=iter([voeflow.Param("a", "1")]))

    assert event.params["a"].value == "1"
    assert event.xpath("string(//How/Description)") == "by eye"


@pytest.mark.parametrize(
    ("keywords", "reason"),
    [
        ({"role": "rumour"}, "role: expected observation"),
        ({"position": (1,)}, r"position: expected \(ra, dec\)"),
        ({"position": (400, 0)}, "position.ra"),
        ({"received": "yesterday"}, "received: expected a time"),
        ({"received": datetime(2026, 1, 1)}, "received: expected a time with a time zone"),
        ({"params": {"a": (1, "s", "u", "more")}}, "params: expected a value"),
        ({"citations": {"ivo://a/b#c": "sequel"}}, "citation: expected followup"),
    ],
)
def test_what_cannot_be_is_told(keywords: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make_event(**keywords)


def test_the_moment_of_receipt_may_be_given_as_a_time() -> None:
    moment = datetime(2026, 12, 20, 1, tzinfo=UTC)

    assert make_event(received=moment + timedelta(hours=1)).received - moment == timedelta(hours=1)


def test_the_keywords_that_are_passed_on_are_those_that_there_are() -> None:
    own = set(inspect.signature(make_packet).parameters) - {"ivorn"}

    assert own == set(PacketKeywords.__annotations__)
