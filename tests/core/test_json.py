"""JSON from outside: strict where readers differ, bounded, and never an error of another kind."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.effort import effort
from voeflow import EventError
from voeflow._json import MAX_CONTAINERS, MAX_DEPTH, MAX_JSON, parse_json

text = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner) | st.dictionaries(text, inner),
)


@given(values, st.booleans(), st.sampled_from(["utf-8", "utf-8-sig"]))
def test_what_is_json_is_read_as_it_was_written(value: Any, ascii_only: bool, encoding: str) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode(encoding)) == value


@given(
    st.binary()
    | st.text('[]{}":,\\ud800/0123456789eE+-.tfn\x00').map(lambda s: s.encode("utf-8", "surrogatepass"))
)
def test_what_is_none_is_an_event_error_and_what_is_read_can_be_written(content: bytes) -> None:
    try:
        value = parse_json(content)
    except EventError:
        return
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "line 1, column 1: no JSON: Expecting value"),
        (b'{"a": 1', "line 1, column 8: no JSON: Expecting ',' delimiter"),
        (b"{} {}", "line 1, column 4: no JSON: Extra data"),
        (b"NaN", "no JSON: NaN is no number there; write null"),
        (b'{"a": -Infinity}', "no JSON: -Infinity is no number there"),
        (b"1e999", "beyond what a double can hold: 1e999"),
        (b"-" + b"9" * 5000, "an integer of 5001 characters: at most 100"),
        (b'{"a": 1, "b": 2, "a": 3}', "ambiguous JSON: an object has the name 'a' twice"),
        (b'{"\\u202e": 1, "\\u202e": 3}', r"an object has the name '\\u202e' twice"),
        (b'["\\ud800"]', "a string has half a character, a lone surrogate"),
        (b'{"\\udc00\\ud800": 1}', "a string has half a character"),
        (b'"\xed\xa0\x80"', "the bytes are no UTF-8: invalid continuation byte at byte 1"),
        ('{"a": 1}'.encode("utf-16"), "the bytes are no UTF-8"),
        (b'["\x01"]', "no JSON: Invalid control character"),
        (b"[" * 100_000, f"nested deeper than {MAX_DEPTH}"),
        (b'{"a":' * 100_000, f"nested deeper than {MAX_DEPTH}"),
        (b"[" + b"[]," * MAX_CONTAINERS + b"[]]", f"more than {MAX_CONTAINERS} arrays and objects"),
        (b" " * (MAX_JSON + 1), f"{MAX_JSON + 1} bytes are too long: at most {MAX_JSON}"),
    ],
)
def test_what_is_refused_is_told(content: bytes, reason: str) -> None:
    with pytest.raises(EventError) as raised:
        parse_json(content)
    assert reason in str(raised.value)


def test_brackets_in_strings_are_no_nesting() -> None:
    value = {"a": "[" * 1000 + '\\"{' * 1000, "b": ['"', "\\", "\\\\"]}
    assert parse_json(json.dumps(value).encode()) == value


def test_escaped_text_that_looks_like_half_a_character_is_none() -> None:
    assert parse_json(b'["\\\\ud800", "\\ud83d\\ude00"]') == ["\\ud800", "\U0001f600"]


def test_depth_is_counted_as_it_nests() -> None:
    assert parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    assert len(parse_json(b"[" + b"[[]]," * 1000 + b"1]")) == 1001
    with pytest.raises(EventError, match="nested deeper"):
        parse_json(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


@pytest.mark.parametrize(
    "content",
    [
        b'"' + b"\\" * (MAX_JSON - 2) + b'"',
        b'"' * MAX_JSON,
        b"[" + b"1," * (MAX_JSON // 2 - 1) + b"1",
        b'{"' + b"a" * (MAX_JSON - 10),
        b"]" * MAX_JSON,
        b'"\\u' * (MAX_JSON // 4),
    ],
    ids=["backslashes", "quotes", "numbers", "a string without end", "closing brackets", "escapes"],
)
def test_what_is_as_large_as_may_be_is_judged_in_a_moment(content: bytes) -> None:
    def judge(content: bytes) -> None:
        with contextlib.suppress(EventError):
            parse_json(content)

    assert effort(judge, lambda: content, below=5) < 5
