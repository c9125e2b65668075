from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voeflow._utc import iso_utc, parse_utc


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2018-11-01T22:22:46", datetime(2018, 11, 1, 22, 22, 46, tzinfo=UTC)),
        (" 2018-11-01 22:22:46.5 \n", datetime(2018, 11, 1, 22, 22, 46, 500000, tzinfo=UTC)),
        ("2018-11-01T22:22:46.654437Z", datetime(2018, 11, 1, 22, 22, 46, 654437, tzinfo=UTC)),
        ("2018-11-01T22:22:46.6544374999999", datetime(2018, 11, 1, 22, 22, 46, 654437, tzinfo=UTC)),
        ("2018-11-01T22:22:59.9999999", datetime(2018, 11, 1, 22, 23, tzinfo=UTC)),
        ("2018-11-01T22:22:46+00:00", datetime(2018, 11, 1, 22, 22, 46, tzinfo=UTC)),
        ("2018-11-01T22:22:46 -0530", datetime(2018, 11, 2, 3, 52, 46, tzinfo=UTC)),
        ("2018-11-01T22:22:46 UTC", datetime(2018, 11, 1, 22, 22, 46, tzinfo=UTC)),
        ("2018-11-01T22:22", datetime(2018, 11, 1, 22, 22, tzinfo=UTC)),
        ("2018-11-01", datetime(2018, 11, 1, tzinfo=UTC)),
        ("2016-12-31T23:59:60.25", datetime(2017, 1, 1, 0, 0, 0, 250000, tzinfo=UTC)),
        ("", None),
        ("not a time", None),
        ("2018-13-01T00:00:00", None),
        ("2018-11-01T25:00:00", None),
        ("2018-11-01T22:22:61", None),
        ("0001-01-01T00:00:00+05:00", None),
        ("58423.5", None),
        ("\uff12018-11-01", None),
    ],
)
def test_a_time_is_read_as_packets_write_it(text: str, expected: datetime | None) -> None:
    assert parse_utc(text) == expected


@pytest.mark.parametrize(
    ("scale", "text", "utc"),
    [
        ("TT", "2018-05-27T03:18:43.184", "2018-05-27T03:17:34"),
        ("TDB", "2018-05-27T03:18:43.184", "2018-05-27T03:17:34"),
        ("TAI", "2017-01-01T00:00:37", "2017-01-01T00:00:00"),
        ("TAI", "2017-01-01T00:00:35", "2016-12-31T23:59:59"),
        ("TAI", "1972-01-01T00:00:10", "1972-01-01T00:00:00"),
        ("GPS", "2020-06-01T00:00:18", "2020-06-01T00:00:00"),
        ("GPS", "1980-01-06T00:00:00", "1980-01-06T00:00:00"),
        ("TT", "2000-01-01T12:00:00", "2000-01-01T11:58:55.816"),
    ],
)
def test_other_scales_become_utc(scale: str, text: str, utc: str) -> None:
    assert parse_utc(text, scale) == parse_utc(utc)


def test_a_time_whose_utc_is_not_known_is_none() -> None:
    assert parse_utc("1971-01-01T00:00:00", "TAI") is None
    assert parse_utc("2020-01-01T00:00:00", "TCB") is None
    assert parse_utc("2020-01-01T00:00:00", None) is None


def test_a_zone_says_what_time_it_is_where_the_scale_is_unknown() -> None:
    assert parse_utc("2020-01-01T00:00:00Z", None) == datetime(2020, 1, 1, tzinfo=UTC)


@given(
    st.from_regex(
        r"(\d{4}-\d\d-\d\d|\d{4}-W\d\d-\d|\d{4}-[01]\d-[0-3]\d)[T ][012]\d:[0-6]\d:[0-6][\d\u0664]",
        fullmatch=True,
    )
)
def test_a_time_is_the_same_whether_python_reads_it_by_itself(text: str) -> None:
    moment = parse_utc(f" {text}")  # the blank keeps it from being read in the quick way
    assert parse_utc(text) == moment
    assert iso_utc(text) == iso_utc(f" {text}") == (moment.isoformat() if moment is not None else None)


@given(st.datetimes(min_value=datetime(1972, 1, 2)), st.integers(-14 * 60, 14 * 60))
def test_what_python_writes_is_read_back(moment: datetime, minutes: int) -> None:
    sign = "-" if minutes < 0 else "+"
    hours, rest = divmod(abs(minutes), 60)
    read = parse_utc(f"{moment.isoformat()}{sign}{hours:02}:{rest:02}")
    try:
        expected = moment.replace(tzinfo=UTC) - timedelta(minutes=minutes)
    except OverflowError:
        assert read is None
    else:
        assert read == expected


@given(st.text(alphabet="0123456789-:.TZ+ ", max_size=40), st.sampled_from(["UTC", "TT", "GPS", None]))
def test_any_text_is_a_time_or_none(text: str, scale: str | None) -> None:
    moment = parse_utc(text, scale)
    assert moment is None or moment.tzinfo is UTC
