"""Text from outside is one printable, bounded line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voeflow import printable


@given(st.text(), st.integers(min_value=1, max_value=300))
def test_is_always_printable_and_short_enough(text: str, limit: int) -> None:
    shown = printable(text, limit)

    assert shown.isprintable()
    assert len(shown) <= limit


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=200))
def test_leaves_printable_text_as_it_is(text: str) -> None:
    assert printable(text, 200) == text


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("two\nlines", r"two\nlines"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("right\u202eleft", r"right\u202eleft"),
        ("line\u2028separator", r"line\u2028separator"),
        ("a\u00a0b", "a b"),
        ("\x00", r"\x00"),
    ],
)
def test_shows_what_could_drive_a_terminal_as_an_escape(hostile: str, shown: str) -> None:
    assert printable(hostile) == shown


def test_says_that_it_cut() -> None:
    assert printable("x" * 300, 10) == "x" * 9 + "…"
