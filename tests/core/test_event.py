from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.samples import NAMESPACES, voevent
from voeflow import Citation, Event, EventError
from voeflow._event import MAX_IVORN
from voeflow._utc import parse_utc


def written(
    attributes: str = "ivorn='ivo://org.example/a#b'", body: str = "", name: str = "VOEvent"
) -> bytes:
    return f"<{name} {attributes}>{body}</{name}>".encode()


@pytest.mark.parametrize("version", NAMESPACES)
def test_the_basic_facts_of_every_version_are_read(version: str) -> None:
    raw = voevent(version=version, role="test")
    event = Event.parse(raw, source="authors")
    assert event.raw == raw
    assert event.source == "authors"
    assert event.ivorn == "ivo://obspm.gepi/svom#trigger-1"
    assert event.role == "test"
    assert event.version == version
    assert event.author == "ivo://obspm.gepi/svom"
    assert event.date == datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC)
    assert event.description is None
    assert event.ivoid is not None
    assert event.ivoid.local == "trigger-1"


def test_what_is_missing_is_none_or_the_standards_default() -> None:
    event = Event.parse(written())
    assert (event.role, event.version, event.author, event.source) == ("observation", "", None, "")
    assert (event.date, event.description, event.position, event.time) == (None, None, None, None)
    assert event.citations == ()


@pytest.mark.parametrize("namespace", ["", "xmlns='https://www.ivoa.net/xml/VOEvent/v2.0'", "xmlns='urn:x'"])
def test_a_namespace_may_be_absent_or_wrong(namespace: str) -> None:
    event = Event.parse(
        written(
            f"ivorn='ivo://org.example/a#b' {namespace}", "<Who><AuthorIVORN> ivo://x.yz </AuthorIVORN></Who>"
        )
    )
    assert event.author == "ivo://x.yz"


WHO = (
    "<AuthorIVORN>ivo://a.bc</AuthorIVORN>",
    "<AuthorIVORN> ivo://<b>d.ef</b> </AuthorIVORN>",
    "<v:AuthorIVORN xmlns:v='urn:v'>ivo://g.hi</v:AuthorIVORN>",
    "<Date>2026-01-02T03:04:05</Date>",
    "<Date/>",
    "<Date xmlns='urn:d'>2027-01-02</Date>",
    "<Author><Date>2028-01-02</Date></Author>",
    "<!-- <Date>2029-01-02</Date> -->",
    "<?Date 2030-01-02?>",
    "<Description/>",
    "text",
)


@given(
    st.sampled_from(
        ["<Who>{}</Who>", "<v:Who xmlns:v='urn:v'>{}</v:Who>", "<!-- x --><Who>{}</Who>", "<Whom>{}</Whom>"]
    ),
    st.lists(st.sampled_from(WHO), max_size=8),
)
def test_author_and_date_are_the_first_of_their_names_wherever_they_stand_in_who(
    outer: str, inner: list[str]
) -> None:
    event = Event.parse(written(body=outer.format("".join(inner))))
    assert (event.author or "", event.date) == (
        first_text(event, "AuthorIVORN"),
        parse_utc(first_text(event, "Date")),
    )


def first_text(event: Event, name: str) -> str:
    found = event.xpath(f"normalize-space(*[local-name() = 'Who'][1]/*[local-name() = '{name}'][1])")
    assert isinstance(found, str)
    return found


def test_an_unknown_role_is_kept_as_written() -> None:
    assert Event.parse(voevent(role="drill")).role == "drill"


@pytest.mark.parametrize(
    ("attributes", "version"),
    [
        ("version='1.0'", "1.0"),
        ("version='2.0' xmlns='http://www.ivoa.net/xml/VOEvent/v2.1'", "2.0"),
        ("xmlns='http://www.ivoa.net/xml/VOEvent/v1.1'", "1.1"),
        ("version='' xmlns='http://www.ivoa.net/xml/VOEvent/v2.1'", "2.1"),
    ],
)
def test_the_version_is_the_attributes_or_else_the_namespaces(attributes: str, version: str) -> None:
    assert Event.parse(written(f"ivorn='ivo://org.example/a#b' {attributes}")).version == version


def test_citations_keep_their_kind_as_written() -> None:
    body = (
        "<Citations><EventIVORN cite='retraction'>ivo://org.example/a#1\n</EventIVORN>"
        "<EventIVORN>ivo://org.example/a#2</EventIVORN><EventIVORN cite='odd'/>"
        "<Description>x</Description></Citations>"
    )
    assert Event.parse(written(body=body)).citations == (
        Citation("ivo://org.example/a#1", "retraction"),
        Citation("ivo://org.example/a#2", ""),
        Citation("", "odd"),
    )


def test_the_description_is_the_packets_own() -> None:
    body = "<Who><Description>of who</Description></Who><Description>\n of <b>all</b>\n</Description>"
    assert Event.parse(written(body=body)).description == "of all"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"hello", "no XML"),
        (written(name="Transport"), "no VOEvent: the root element is Transport"),
        (b"<voevent ivorn='ivo://org.example/a#b'/>", "no VOEvent"),
        (b"<VOEvent/>", "no IVORN"),
        (b"<VOEvent ivorn=' '/>", "no IVORN"),
        (b"<VOEvent xmlns:v='urn:v' v:ivorn='ivo://a'/>", "no IVORN"),
        (b"<VOEvent ivorn='http://org.example/a'/>", "bad IVORN"),
        (b"<VOEvent ivorn='org.example/a#b'/>", "expected ivo://"),
        (b"<VOEvent ivorn='ivo://org.example/a#b&#10;c'/>", "control"),
        (written(f"ivorn='ivo://{'x' * MAX_IVORN}'"), "2006 characters"),
        (b"<!DOCTYPE VOEvent><VOEvent ivorn='ivo://org.example/a#b'/>", "DOCTYPE"),
    ],
)
def test_what_is_no_event_is_refused_with_the_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(EventError) as caught:
        Event.parse(raw)
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "ivorn",
    [
        "ivo://ab/c#d",
        "ivo://org.example/a/#b",
        "ivo://org.example/a b#c",
        "ivo://org.example/a::v1",
        "IVO://",
    ],
)
def test_an_untidy_ivorn_is_an_event_without_an_ivoid(ivorn: str) -> None:
    event = Event.parse(written(f"ivorn='{ivorn}'"))
    assert event.ivorn == ivorn
    assert event.ivoid is None


def test_an_event_too_long_is_refused() -> None:
    raw = voevent()
    assert Event.parse(raw, max_bytes=len(raw)).raw == raw
    with pytest.raises(EventError, match="too long"):
        Event.parse(raw, max_bytes=len(raw) - 1)


def test_the_time_of_receipt_is_utc() -> None:
    before = datetime.now(UTC)
    assert before <= Event.parse(voevent()).received <= datetime.now(UTC)
    there = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    received = Event.parse(voevent(), received=there).received
    assert received == there
    assert received.tzinfo is UTC


def test_an_event_does_not_change() -> None:
    event = Event.parse(voevent())
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event.role = "test"  # type: ignore[misc]  # that is the point
    assert event.params is event.params


def test_a_packet_is_held_to_the_grammar_of_its_version() -> None:
    assert Event.parse(voevent()).valid
    untidy = Event.parse(voevent(body="<Foreign/>"))
    assert not untidy.valid
    assert "Foreign" in untidy.defects[0].message


def test_a_representation_is_one_short_printable_line() -> None:
    shown = repr(
        Event.parse(written(f"ivorn='ivo://org.example/&#x202e;{'x' * 500}' role='&#10;'"), source="a\nb")
    )
    assert shown.isprintable()
    assert len(shown) < 250


def test_signatures_around_the_element_are_kept() -> None:
    raw = b"<!-- before -->\n" + voevent(
        declaration="", tail="\n<!-- -BEGIN PGP SIGNATURE- </voe:VOEvent> -->\n"
    )
    event = Event.parse(raw)
    assert event.raw == raw
    assert event.element == voevent(declaration="", tail="")
