"""`voeflow.compose`: what is put in is read back, and what cannot be valid is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import voeflow
from support.samples import voevent
from voeflow import Citation, Contact, Event, Group, Inference, Param, Params, Position, Reference, Why

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
FULL: dict[str, Any] = {
    "ivorn": "ivo://org.example/stream#2026-1",
    "author": "ivo://org.example/stream",
    "date": NOON,
    "role": "test",
    "contact": Contact("Title", "Short", "https://example.org/logo", "Name", "a@example.org", "1", "More"),
    "description": "What <it> is & more\nin two lines",
    "params": [Param("SNR", "12.5", "", "stat.snr", "float", "Ratio"),
               Param('odd "name"\t', " a\nb\r\u2028")],
    "groups": [Group("g", "t", Params([Param("n", "-1", "s", data_type="int")]), "Together")],
    "position": Position(83.633, -22.0145, 0.05, "FK5", NOON, "UTC-FK5-TOPO"),
    "time_error": 1e-7,
    "observatory": "Fermi",
    "how": ["One", "Two"],
    "references": [Reference("https://example.org/?a=b&c", "https://example.org/what", "text/html")],
    "why": Why(0.5, NOON, ("GRB 1",), ("process.variation.burst",),
               (Inference(0.25, "associated", ("X",)),), "y"),
    "citations": [Citation("ivo://org.example/stream#0", "supersedes"), Citation("IVO://a#b", "followup")],
    "citations_description": "Better",
}  # fmt: skip
LEAST = {name: FULL[name] for name in ("ivorn", "author", "date")}


def composed(**changes: Any) -> Event:
    return Event.parse(voeflow.compose(**{**FULL, **changes}))


def test_what_was_put_in_is_read_back() -> None:
    event = composed()
    assert event.valid
    assert (event.ivorn, event.author, event.role, event.version) == (
        FULL["ivorn"], FULL["author"], "test", "2.0",
    )  # fmt: skip
    assert event.date == NOON
    assert event.description == FULL["description"]
    assert list(event.params) == FULL["params"]
    assert list(event.groups) == FULL["groups"]
    assert event.position == FULL["position"]
    assert event.time == NOON
    assert list(event.citations) == FULL["citations"]
    assert event.xpath("string(//ObservatoryLocation/@id)") == "Fermi"
    assert event.xpath("number(//Time/Error)") == 1e-7
    assert event.xpath("string(//How/Description[2])") == "Two"
    assert event.xpath("string(//How/Reference/@uri)") == "https://example.org/?a=b&c"
    assert event.xpath("string(//How/Reference/@mimetype)") == "text/html"
    assert event.xpath("string(//Why/@importance)") == "0.5"
    assert event.xpath("string(//Why/@expires)") == "2026-11-24T12:00:00"
    assert event.xpath("number(//Why/Inference/@probability)") == 0.25
    assert event.xpath("string(//Citations/Description)") == "Better"
    assert event.xpath("string(//Who/Author/contributor)") == "More"


def test_the_least_that_can_be_said_is_a_valid_packet() -> None:
    event = Event.parse(voeflow.compose(**LEAST))
    assert event.valid
    assert event.role == "observation"
    assert event.xpath("boolean(/*/*[name()!='Who'])") is False


def test_every_part_may_be_left_out() -> None:
    for name in set(FULL) - set(LEAST):
        rest = {key: value for key, value in FULL.items() if key != name}
        assert Event.parse(voeflow.compose(**rest)).valid, name


def test_what_a_packet_says_can_be_said_again() -> None:
    old = Event.parse(voevent())
    new = composed(
        params=old.params, groups=old.groups, position=old.position, citations=old.citations, coord_system=""
    )
    assert (new.params, new.groups, new.position, new.citations) == (
        old.params, old.groups, old.position, old.citations,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (NOON, "2026-11-24T12:00:00"),
        (NOON + timedelta(milliseconds=250), "2026-11-24T12:00:00.25"),
        (NOON.astimezone(timezone(timedelta(hours=2))), "2026-11-24T12:00:00"),
        ("2026-11-24T12:00:00.250", "2026-11-24T12:00:00.250"),
        ("2026-11-24T12:00:00.123456789Z", "2026-11-24T12:00:00.123456789Z"),
    ],
)
def test_times_keep_the_precision_that_they_are_given_with(given: datetime | str, written: str) -> None:
    event = composed(date=given, time=given)
    assert event.xpath("string(//Who/Date)") == written
    assert event.xpath("string(//ISOTime)") == written


def test_a_position_alone_has_no_time_and_a_time_alone_no_position() -> None:
    event = composed(position=Position(1, 2), time_error=None)
    assert event.position == Position(1, 2, None, "ICRS", None, "UTC-ICRS-GEO")
    assert event.time is None
    event = composed(position=None, time=NOON)
    assert (event.position, event.time) == (None, NOON)


def test_an_unknown_error_is_written_as_zero_and_read_as_unknown() -> None:
    event = composed(position=Position(1, 2, None))
    assert event.xpath("string(//Error2Radius)") == "0.0"
    assert event.position is not None
    assert event.position.error is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ivorn": "http://example.org/#1"}, "ivorn: an IVOID begins with ivo://"),
        ({"ivorn": "ivo://org.example/stream"}, "expected one #"),
        ({"ivorn": "ivo://org.example/stream#"}, "expected one #"),
        ({"ivorn": "ivo://org.example/stream#a#b"}, "expected one #"),
        ({"ivorn": "ivo://org.example/stream?a"}, "expected one #"),
        ({"ivorn": "ivo://org.example/stream#a b"}, "the characters of a URI"),
        ({"ivorn": "ivo://org.example/stream#" + "a" * 2000}, "at most 2000"),
        ({"author": "org.example"}, "author: an IVOID begins with ivo://"),
        ({"role": "drill"}, "role: expected observation, prediction, utility, test, got 'drill'"),
        ({"role": ""}, "role: expected"),
        ({"date": datetime(2026, 1, 1)}, "date: expected a time with a time zone"),
        ({"date": "2026-01-01"}, "date: expected a time in UTC"),
        ({"date": "2026-13-01T00:00:00"}, "date: expected a time in UTC"),
        ({"date": "2026-01-01T00:00:00+01:00"}, "date: expected a time in UTC"),
        ({"time": "now"}, "time: expected a time in UTC"),
        ({"description": "a\x00"}, "Description: XML cannot write the character"),
        ({"description": "\ud800"}, "XML cannot write the character"),
        ({"description": 5}, "Description: expected text, got int"),
        ({"params": [Param("a\x1b", "")]}, "attribute name of Param: XML cannot write"),
        ({"params": [Param("", "1")]}, "a Param needs a name"),
        ({"params": [Param("a", "1.5", data_type="int")]}, "Param a: its dataType is int"),
        ({"params": [Param("a", "x", data_type="float")]}, "Param a: its dataType is float"),
        ({"params": [Param("a", "x", data_type="bool")]}, "Param a: dataType: expected string, int, float"),
        ({"position": Position(361, 0)}, "position.ra: expected a number from 0 to 360, got 361"),
        ({"position": Position(0, -91)}, "position.dec: expected a number from -90 to 90"),
        ({"position": Position(math.nan, 0)}, "position.ra"),
        ({"position": Position(0, 0, math.inf)}, "position.error: expected a number of at least 0"),
        ({"position": Position(0, 0, -1)}, "position.error: expected a number of at least 0"),
        ({"time_error": -1}, "time_error: expected"),
        ({"coord_system": "TT-ICRS-GEO"}, "coord_system: expected UTC-ICRS-GEO"),
        ({"why": Why(importance=2)}, "importance: expected a number from 0 to 1"),
        ({"why": Why(inferences=(Inference(probability=1.5),))}, "probability: expected"),
        ({"why": Why(inferences=(Inference(probability=0.5),))}, "Why/Inference lacks"),
        ({"references": [Reference("")]}, "a Reference needs a URI"),
        ({"references": [Reference("http://[")]}, "grammar"),
        ({"citations": [Citation("ivo://a/b#c", "")]}, "citation: expected followup"),
        ({"citations": [Citation("http://a", "followup")]}, "citation: 'http://a' is no IVORN"),
        ({"citations": [Citation("ivo://a/b#c\n", "followup")]}, "is no IVORN"),
    ],
)  # fmt: skip
def test_what_cannot_be_valid_is_refused_and_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        voeflow.compose(**{**FULL, **changes})
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_text_too_long_to_be_read_back_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be read back"):
        voeflow.compose(**{**FULL, "description": "a" * 10_000_001})


CHARACTERS = st.characters(exclude_categories=["Cs"]) | st.sampled_from("<>&\"'\t\n\r ]#;")
TEXTS = st.text(CHARACTERS, max_size=20)


def in_xml(text: str) -> bool:
    return all(
        c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" for c in text
    )


@given(
    params=st.lists(st.builds(Param, name=TEXTS, value=TEXTS, unit=TEXTS, ucd=TEXTS), max_size=3),
    description=TEXTS,
    observatory=TEXTS,
)
def test_any_text_is_read_back_or_refused(params: list[Param], description: str, observatory: str) -> None:
    texts = [description, observatory, *(text for param in params for text in attrs.astuple(param))]
    changes = {"params": params, "description": description, "observatory": observatory}
    if all(map(in_xml, texts)) and all(param.name for param in params):
        event = composed(**changes)
        assert event.valid
        assert list(event.params) == params
        assert (event.description or "") == description.strip()
        assert event.xpath("string(//ObservatoryLocation/@id)") == observatory
    else:
        with pytest.raises(ValueError, match=r"XML cannot write|needs a name"):
            composed(**changes)


@given(
    st.builds(
        Position,
        ra=st.floats(0, 360, exclude_max=True),
        dec=st.floats(-90, 90),
        error=st.floats(0, 180, exclude_min=True, exclude_max=True),
        frame=st.just("ICRS"),
        time=st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
        coord_system=st.just("UTC-ICRS-TOPO"),
    )
)
def test_any_position_is_read_back_to_the_last_digit(position: Position) -> None:
    assert composed(position=position).position == position


def test_the_same_arguments_give_the_same_bytes() -> None:
    make: Callable[[], bytes] = lambda: voeflow.compose(**FULL)  # noqa: E731
    assert make() == make()
    assert make().startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<voe:VOEvent xmlns:voe=')
