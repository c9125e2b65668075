"""What is said of altitudes, with altitudes made by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import numpy as np
import pytest
from voeflow_cta._sky import Sky
from voeflow_cta._telescopes import MOON
from voeflow_cta._windows import Limits, Outcome, judge

BEGIN = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
LIMITS = Limits(max_zenith=60, sun_below=-18, moon=MOON["dark"], max_wait=60, min_duration=10)
DAY = 1441
HIGH, LOW, NIGHT, NOON = 70.0, 20.0, -40.0, 40.0


def sky(otherwise: float, *spans: tuple[int, int, float]) -> np.ndarray:
    """Altitudes of `otherwise`, but for each span's value from its first to its last minute."""
    values = np.full(DAY, otherwise)
    for first, last, value in spans:
        values[first : last + 1] = value
    return values


def judged(
    target: np.ndarray,
    sun: np.ndarray,
    moon: np.ndarray | float = LOW - 90,
    *,
    separation: float = 90.0,
    illumination: float = 0.5,
    rule: str = "dark",
) -> Outcome:
    """Judge what stands where; the Moon is down if nothing is said of it."""
    sky = Sky(
        target,
        sun,
        np.broadcast_to(moon, DAY),
        np.full(DAY, separation),
        np.full(DAY, illumination),
    )
    return judge(sky, BEGIN, attrs.evolve(LIMITS, moon=MOON[rule]))


@pytest.mark.parametrize(
    ("target", "sun", "possible", "reason"),
    [
        pytest.param(
            sky(LOW, (0, 99, HIGH)), sky(NOON, (0, 300, NIGHT)),
            True, "zenith angle 20 to 20 deg from 02:00 to 03:39 UTC",
            id="at once, until it sets",
        ),
        pytest.param(
            sky(LOW, (60, 120, HIGH)), sky(NIGHT),
            True, "zenith angle 20 to 20 deg from 03:00 to 04:00 UTC",
            id="rises in the last minute of the wait",
        ),
        pytest.param(
            sky(LOW, (61, 120, HIGH)), sky(NIGHT),
            False, "zenith angle 70 deg, above 60 deg until 03:01 UTC",
            id="rises a minute too late",
        ),
        pytest.param(
            sky(LOW, (0, 10, HIGH)), sky(NIGHT),
            True, "zenith angle 20 to 20 deg from 02:00 to 02:10 UTC",
            id="just long enough",
        ),
        pytest.param(
            sky(LOW, (0, 9, HIGH)), sky(NIGHT),
            False, "only 9 min, from 02:00 to 02:09 UTC; at least 10 min are needed",
            id="a minute too short",
        ),
        pytest.param(
            sky(LOW, (0, 5, HIGH), (30, 90, HIGH)), sky(NIGHT),
            True, "zenith angle 20 to 20 deg from 02:30 to 03:30 UTC",
            id="a first window too short, a second long enough",
        ),
        pytest.param(
            sky(HIGH), sky(NOON, (192, 800, NIGHT)),
            False, "Sun above -18 deg until 05:12 UTC",
            id="day",
        ),
        pytest.param(
            sky(HIGH), sky(NOON),
            False, "Sun above -18 deg all day",
            id="a night that never gets dark",
        ),
        pytest.param(
            sky(-7.0), sky(NIGHT),
            False, "never within 60 deg of the zenith, 97 deg at best",
            id="never rises",
        ),
        pytest.param(
            sky(LOW, (300, 400, HIGH)), sky(NOON, (192, 800, NIGHT)),
            False, "Sun above -18 deg until 05:12 UTC; zenith angle 70 deg, above 60 deg until 07:00 UTC",
            id="neither dark nor high",
        ),
        pytest.param(
            sky(LOW, (0, 20, HIGH)), sky(NOON, (40, 600, NIGHT)),
            False,
            "never all at once in time: Sun below -18 deg from 02:40 to 12:00 UTC,"
            " position high enough from 02:00 to 02:20 UTC",
            id="sets before it is dark",
        ),
    ],
)  # fmt: skip
def test_says_whether_it_can_be_observed_and_why(
    target: np.ndarray, sun: np.ndarray, possible: bool, reason: str
) -> None:
    outcome = judged(target, sun)
    assert (outcome.possible, outcome.reason) == (possible, reason)


def test_the_limit_itself_is_high_enough_for_a_position_and_too_high_for_the_sun() -> None:
    assert judged(sky(30.0), sky(NIGHT)).possible
    assert not judged(sky(HIGH), sky(-18.0)).possible


def test_says_from_which_minute_to_which() -> None:
    assert judged(sky(LOW, (30, 90, HIGH)), sky(NIGHT)).window == (30, 90)
    assert judged(sky(LOW), sky(NIGHT)).window is None


@pytest.mark.parametrize(
    ("rule", "separation", "illumination", "possible"),
    [
        ("dark", 180.0, 0.01, False),
        ("grey", 30.0, 0.60, True),
        ("grey", 29.9, 0.60, False),
        ("grey", 30.0, 0.61, False),
        ("any", 0.0, 1.00, True),
    ],
)
def test_the_moon_may_stand_as_near_and_bright_as_its_rule_says(
    rule: str, separation: float, illumination: float, possible: bool
) -> None:
    outcome = judged(sky(HIGH), sky(NIGHT), HIGH, separation=separation, illumination=illumination, rule=rule)
    assert outcome.possible is possible
    if not possible:
        assert outcome.reason == f"Moon {100 * illumination:.0f}% lit, {separation:.0f} deg away all day"


def test_a_moon_that_sets_in_time_is_waited_for() -> None:
    assert not judged(sky(HIGH), sky(NIGHT), sky(LOW - 90, (0, 60, HIGH))).possible
    assert judged(sky(HIGH), sky(NIGHT), sky(LOW - 90, (0, 59, HIGH))).window == (60, DAY - 1)


def test_a_moon_that_sets_too_late_is_the_reason() -> None:
    assert judged(sky(HIGH), sky(NIGHT), sky(LOW - 90, (0, 200, HIGH))).reason == (
        "Moon 50% lit, 90 deg away, until 05:21 UTC"
    )


def test_by_day_the_moon_is_not_spoken_of() -> None:
    assert judged(sky(HIGH), sky(NOON, (192, 800, NIGHT)), HIGH).reason == "Sun above -18 deg until 05:12 UTC"
