"""Durations and sizes as they are written in a pipeline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voeflow._quantities import parse_bytes, parse_seconds, show_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30 s", 30),
        ("250 ms", 0.25),
        ("5 min", 300),
        ("1 hour", 3600),
        ("1.5 hours", 5400),
        ("30 days", 30 * 86400),
        ("2 weeks", 14 * 86400),
        ("0", 0),
        (12, 12),
        (0.5, 0.5),
    ],
)
def test_reads_a_duration(text: object, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    "wrong", ["30 secs", "0 secs", "30", "-1 s", "", "s", -1, float("nan"), float("inf"), True, None, "1 MiB"]
)
def test_refuses_what_is_no_duration_and_says_what_is(wrong: object) -> None:
    with pytest.raises(ValueError, match='expected a duration such as "30 s"'):
        parse_seconds(wrong)


@pytest.mark.parametrize(
    "long", ["365001 days", "9" * 400 + " s", "9" * 300 + " days", 1e300, pytest.param(10**400, id="10**400")]
)
def test_refuses_a_duration_that_leads_to_no_date(long: object) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_seconds(long)
    assert datetime.now(UTC) - timedelta(seconds=parse_seconds("365000 days"))


@pytest.mark.parametrize(
    "large", ["1073741825 GiB", "9" * 400 + " B", "9" * 300 + " GiB", pytest.param(10**400, id="10**400")]
)
def test_refuses_a_size_that_nothing_has(large: object) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        parse_bytes(large)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("1 hour 30 min", '"1 hour 30 min": expected one number and one unit, "90 min"'),
        ("1min 5s", '"1min 5s": expected one number and one unit, "65 s"'),
        ("1 hour 30 moons", 'got "1 hour 30 moons"'),
        ("-5 s", '"-5 s": it cannot be negative'),
        (-5, "-5: it cannot be negative"),
        ("30", '"30": the unit is missing, as in "30 s"'),
        ("30 secs", '"30 secs": no unit is called secs'),
        ("soon", 'got "soon"'),
        (True, "got True"),
    ],
)
def test_says_what_is_wrong_with_a_duration_where_that_can_be_told(wrong: object, why: str) -> None:
    with pytest.raises(ValueError, match="expected a duration") as told:
        parse_seconds(wrong)
    assert str(told.value).endswith(why)


@pytest.mark.parametrize(
    ("text", "size"), [("1 MiB", 2**20), ("512 kB", 512_000), ("1.5 KiB", 1536), ("7 B", 7), (99, 99)]
)
def test_reads_a_size(text: object, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("wrong", ["1 mib", "10", -1, 1.5, True, "5 min", None])
def test_refuses_what_is_no_size_and_says_what_is(wrong: object) -> None:
    with pytest.raises(ValueError, match="expected a size such as"):
        parse_bytes(wrong)


@given(st.floats(min_value=0.001, max_value=1e8))
def test_shows_a_duration_so_that_it_can_be_read_again(seconds: float) -> None:
    assert parse_seconds(show_seconds(seconds)) == pytest.approx(seconds, rel=0.01)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.25, "250 ms"), (30, "30 s"), (3600, "1 hour"), (5400, "1.5 hours"), (86400, "1 day")],
)
def test_shows_a_duration_as_a_person_would(seconds: float, text: str) -> None:
    assert show_seconds(seconds) == text
