from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voeflow_transports.kafka._message import Message, Packet, Refused, Told, is_xml, understand
from voeflow_transports.kafka._start import Start, read_start
from voeflow_transports.kafka._topics import matches_none, subscription


def test_a_name_stays_a_name() -> None:
    assert subscription(("gcn.classic.voevent.SWIFT_BAT_GRB_POS_ACK",)) == (
        "gcn.classic.voevent.SWIFT_BAT_GRB_POS_ACK",
    )


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [
        ("gcn.classic.voevent.*", "gcn.classic.voevent.A", "gcnXclassic.voevent.A"),
        ("a?c", "abc", "abbc"),
        ("a[0-9]*", "a1b", "abb"),
        ("a[!0-9]", "ab", "a1"),
        ("re:^gcn\\..*", "gcn.heartbeat", "igwn.gwalert"),
        ("re:alert", "igwn.gwalert", "gcn.heartbeat"),
    ],
)
def test_a_pattern_becomes_a_regular_expression_that_begins_with_a_caret(
    pattern: str, fits: str, fits_not: str
) -> None:
    (expression,) = subscription((pattern,))
    assert expression.startswith("^")
    assert re.match(expression, fits)
    assert not re.match(expression, fits_not)


@given(st.from_regex(r"[a-z*?.]{1,20}", fullmatch=True), st.from_regex(r"[a-z.]{0,20}", fullmatch=True))
def test_a_glob_fits_what_fnmatch_says(glob: str, name: str) -> None:
    from fnmatch import fnmatchcase

    (expression,) = subscription((glob,))
    fits = re.match(expression, name) if expression.startswith("^") else expression == name
    assert bool(fits) == fnmatchcase(name, glob)


@pytest.mark.parametrize("topic", ["", "a b", "a/b", "re:(", "a[", "x" * 250, "ä"])
def test_what_is_neither_name_nor_pattern_is_a_mistake(topic: str) -> None:
    with pytest.raises(ValueError, match=r"expected|regular expression"):
        subscription((topic,))


def test_a_bare_regular_expression_is_told_how_to_be_written() -> None:
    with pytest.raises(ValueError, match='as "re:\\^gcn'):
        subscription(("^gcn.*",))


def test_no_topic_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one topic"):
        subscription(())


def test_patterns_that_fit_nothing_are_known() -> None:
    assert matches_none(("^a.*$", "^b.*$", "c"), ["alpha"]) == ["^b.*$"]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("latest", Start("latest")),
        ("earliest", Start("earliest")),
        ("1 hour ago", Start("", 3600.0)),
        ("2 days ago", Start("", 2 * 86400.0)),
    ],
)
def test_a_start_is_an_edge_or_a_time_ago(text: str, start: Start) -> None:
    assert read_start(text) == start


@pytest.mark.parametrize("text", ["", "newest", "1 hour", "ago", "an hour ago"])
def test_any_other_start_is_a_mistake(text: str) -> None:
    with pytest.raises(ValueError, match="1 hour ago"):
        read_start(text)


@pytest.mark.parametrize(
    "content",
    [
        b"<a/>",
        b"\n  <a/>",
        b"\xef\xbb\xbf<a/>",
        b"\xff\xfe" + "<a/>".encode("utf-16-le"),
        "<a/>".encode("utf-16"),
    ],
)
def test_what_begins_with_a_tag_is_a_packet(content: bytes) -> None:
    assert is_xml(content)
    assert understand(message(content)) == Packet(content)


@pytest.mark.parametrize("content", [b"", b'{"a": "<"}', b"text", b"\x00\x01"])
def test_anything_else_is_a_notice_for_the_mapping_that_was_named(content: bytes) -> None:
    meaning = understand(message(content), mapping="igwn")
    assert isinstance(meaning, Told)
    assert (meaning.notice.content, meaning.notice.topic, meaning.mapping) == (content, "t", "igwn")


def test_a_tombstone_is_refused() -> None:
    meaning = understand(message(None))
    assert isinstance(meaning, Refused)
    assert "tombstone" in meaning.reason


def message(content: bytes | None) -> Message:
    return Message(topic="t", partition=0, offset=1, value=content)
