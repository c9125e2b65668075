"""When a delivery is tried again, and when it is given up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voeflow._policy import MAX_RETRY_WAIT, Policy
from voeflow._when import parse_when

ALL = parse_when(None)


@pytest.mark.parametrize(
    ("retries", "give_up_after", "failures", "age", "given_up"),
    [
        (2, None, 2, 1e9, False),
        (2, None, 3, 0, True),
        (0, None, 1, 0, True),
        (None, 60, 1000, 59.9, False),
        (None, 60, 1, 60, True),
        (2, 60, 3, 0, True),
        (2, 60, 1, 60, True),
        (None, None, 10**6, 1e9, False),
    ],
)
def test_a_delivery_is_given_up_by_number_or_by_time(
    retries: int | None, give_up_after: float | None, failures: int, age: float, given_up: bool
) -> None:
    policy = Policy(ALL, None, retries, 5.0, give_up_after)
    assert policy.gives_up(failures, 1000.0, 1000.0 + age) is given_up


@given(failures=st.integers(1, 10**6), retry_wait=st.floats(0, 1e6))
def test_a_wait_is_never_beyond_its_bound(failures: int, retry_wait: float) -> None:
    assert 0 <= Policy(ALL, None, None, retry_wait).wait(failures, 0.0, 0.0) <= MAX_RETRY_WAIT * 1.2


def test_waits_double() -> None:
    policy = Policy(ALL, None, 9, 5.0)
    for failures, wait in ((1, 5), (2, 10), (3, 20), (6, 160)):
        assert wait * 0.8 <= policy.wait(failures, 0.0, 0.0) <= wait * 1.2


@given(failures=st.integers(1, 50), age=st.floats(0, 100))
def test_the_last_try_is_made_when_the_time_is_over(failures: int, age: float) -> None:
    policy = Policy(ALL, None, None, 30.0, 100.0)
    assert age + policy.wait(failures, 1000.0, 1000.0 + age) <= 100 + 1e-6
