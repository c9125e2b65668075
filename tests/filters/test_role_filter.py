from __future__ import annotations

import pytest

import voeflow
from support.samples import voevent
from voeflow.testing import make_event
from voeflow_filters.role import Role


@pytest.mark.parametrize("role", ["observation", "prediction", "utility", "test"])
def test_passes_the_roles_asked_for_and_no_others(role: str) -> None:
    event = make_event(role=role)
    assert Role((role,)).matches(event)
    others = tuple({"observation", "prediction", "utility", "test"} - {role})
    assert not Role(others).matches(event)


def test_a_packet_without_a_role_is_an_observation() -> None:
    assert Role(("observation",)).matches(voeflow.Event.parse(voevent(role=None)))


def test_says_what_the_role_is() -> None:
    verdict = Role(("test",)).matches(make_event(role="utility"))
    assert verdict == voeflow.Verdict(False, "role is utility")


def test_a_hostile_role_is_shown_printable_and_short() -> None:
    verdict = Role(("test",)).matches(voeflow.Event.parse(voevent(role="&#x202e;" + "x" * 1000)))
    assert verdict.reason.isprintable()
    assert len(verdict.reason) < 60


def test_a_misspelt_role_is_told_with_those_there_are_and_the_nearest() -> None:
    with pytest.raises(ValueError, match=r'observation, prediction, utility, test, got "tests".*"test"'):
        Role(("tests",))


def test_no_role_at_all_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Role(())
