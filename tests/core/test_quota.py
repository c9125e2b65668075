from __future__ import annotations

from voeflow._quota import Quota


def test_the_first_lines_of_an_interval_are_said_and_the_rest_is_counted() -> None:
    quota = Quota(lines=2, interval=60.0)
    assert [quota.ask("a", now) for now in (0.0, 1.0, 2.0, 59.0)] == [0, 0, None, None]
    assert [quota.ask("a", now) for now in (60.0, 61.0, 62.0)] == [2, 0, None]


def test_each_thing_has_a_quota_of_its_own() -> None:
    quota = Quota(lines=1, interval=60.0)
    assert [quota.ask(thing, 0.0) for thing in "aabb"] == [0, None, 0, None]


def test_things_without_number_take_bounded_memory() -> None:
    quota = Quota(lines=1, interval=60.0)
    for number in range(10_000):
        quota.ask(str(number), 0.0)
    assert len(quota._spent) <= 4096
