"""What the filter answers to packets."""

from __future__ import annotations

from datetime import timedelta

import pytest
from made import EXAMPLE, MOONLIT, NIGHT, NOON, packet
from voeflow_cta import ObservableFromCTAO

import voeflow

RADIUS = "<Error2Radius>0.13</Error2Radius>"


@pytest.fixture(autouse=True)
def at_night(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ObservableFromCTAO, "clock", staticmethod(lambda: NIGHT))


def test_a_burst_high_in_a_dark_sky_is_observable_until_dawn() -> None:
    verdict = ObservableFromCTAO().matches(packet(1))
    assert verdict == voeflow.Verdict(True, "zenith angle 9 to 60 deg from 02:00 to 05:59 UTC")


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (2, "never within 60 deg of the zenith, 97 deg at best"),
        (3, "zenith angle 95 deg, above 60 deg until 04:41 UTC"),
        (4, "error of the position 14.5 deg, above 2.5 deg"),
        (5, "error of the position unknown"),
        (6, "retracts ivo://org.example/bursts#burst_4711-initial"),
        (7, "role is test: only observations are followed"),
    ],
)
def test_what_cannot_be_observed_is_refused_with_the_reason(number: int, reason: str) -> None:
    assert ObservableFromCTAO().matches(packet(number)) == voeflow.Verdict(False, reason)


@pytest.mark.parametrize("error", ["0", "0.0", "-1", "NaN", ""])
def test_an_error_that_says_nothing_is_unknown_however_it_is_written(error: str) -> None:
    event = packet(1, (RADIUS, f"<Error2Radius>{error}</Error2Radius>"))
    assert ObservableFromCTAO().matches(event).reason == "error of the position unknown"


def test_a_missing_error_is_unknown() -> None:
    assert ObservableFromCTAO().matches(packet(1, (RADIUS, ""))).reason == "error of the position unknown"


def test_an_error_exactly_at_the_limit_passes() -> None:
    assert ObservableFromCTAO(max_error=0.13).matches(packet(1)).holds
    assert not ObservableFromCTAO(max_error=0.129).matches(packet(1)).holds


def test_a_packet_without_a_position_is_refused() -> None:
    event = packet(1, ("Position2D", "PositionElsewhere"))
    assert ObservableFromCTAO().matches(event) == voeflow.Verdict(False, "no position")


@pytest.mark.parametrize("role", ["test", "utility", "prediction"])
def test_only_observations_are_followed(role: str) -> None:
    event = packet(1, ('role="observation"', f'role="{role}"'))
    assert ObservableFromCTAO().matches(event).reason == f"role is {role}: only observations are followed"


def test_a_citation_that_retracts_nothing_is_no_reason_to_refuse() -> None:
    assert ObservableFromCTAO().matches(packet(6, ('cite="retraction"', 'cite="followup"'))).holds


def test_the_southern_site_sees_what_the_northern_cannot() -> None:
    assert ObservableFromCTAO(site="south").matches(packet(2)).holds
    northern = packet(1, ("<C2>22.0145</C2>", "<C2>72.0145</C2>"))
    assert ObservableFromCTAO(site="north").matches(northern).holds
    assert not ObservableFromCTAO(site="south").matches(northern).holds


def test_a_full_moon_keeps_a_telescope_away_that_wants_it_dark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ObservableFromCTAO, "clock", staticmethod(lambda: MOONLIT))
    event = packet(1, ("2026-12-10T01:57:45.5", "2026-12-24T01:57:45.5"), received=MOONLIT)
    for moon, holds in (("dark", False), ("grey", False), ("any", True)):
        verdict = ObservableFromCTAO(moon=moon).matches(event)
        assert verdict.holds is holds
        assert verdict.reason.startswith("zenith angle" if holds else "Moon 100% lit")


def test_a_telescope_brings_its_own_limits_and_an_option_goes_before_them() -> None:
    wide = packet(1, (RADIUS, "<Error2Radius>3.2</Error2Radius>"))
    assert not ObservableFromCTAO(telescope="lst").matches(wide).holds
    assert ObservableFromCTAO(telescope="mst").matches(wide).holds
    assert not ObservableFromCTAO(telescope="mst", max_error=3.0).matches(wide).holds


def test_a_telescope_and_a_site_of_one_s_own_are_read_from_profiles() -> None:
    own = ObservableFromCTAO(profiles=EXAMPLE / "cta-profiles.toml", site="namibia", telescope="lst-deep")
    assert own.place.name == "H.E.S.S. site"
    assert own.limits().max_zenith == 70
    assert own.matches(packet(2)).holds


def test_an_event_that_happened_too_long_ago_is_refused_whenever_it_came() -> None:
    old = packet(1, ("2026-12-10T01:57:45.5", "2026-12-08T01:57:45.5"))
    assert ObservableFromCTAO().matches(old).reason == "happened 2 days ago, more than 1 day"
    assert ObservableFromCTAO(max_age=voeflow.Seconds(3 * 86400.0)).matches(old).holds


def test_waiting_longer_lets_a_position_rise() -> None:
    patient = ObservableFromCTAO(max_wait=voeflow.Seconds(4 * 3600))
    assert patient.matches(packet(3)) == voeflow.Verdict(
        True, "zenith angle 39 to 60 deg from 04:41 to 06:29 UTC"
    )


def test_a_longer_observation_than_is_left_of_the_night_is_refused() -> None:
    long = ObservableFromCTAO(max_wait=voeflow.Seconds(4 * 3600), min_duration=voeflow.Seconds(7200))
    assert long.matches(packet(3)).reason == (
        "only 108 min, from 04:41 to 06:29 UTC; at least 120 min are needed"
    )


def test_in_the_day_the_sun_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ObservableFromCTAO, "clock", staticmethod(lambda: NOON))
    verdict = ObservableFromCTAO().matches(packet(3, received=NOON))
    assert verdict == voeflow.Verdict(False, "Sun above -18 deg until 19:40 UTC")


def test_the_wait_counts_from_when_the_event_was_received() -> None:
    earlier = NIGHT - timedelta(minutes=50)
    # At 02:00 it rises in 2 h 41 min: a wait of three hours that began at 01:10 is over at 04:10.
    patient = ObservableFromCTAO(max_wait=voeflow.Seconds(3 * 3600))
    assert patient.matches(packet(3)).holds
    assert not patient.matches(packet(3, received=earlier)).holds


def test_an_event_that_waited_too_long_in_the_store_is_refused() -> None:
    event = packet(1, received=NIGHT - timedelta(hours=3))
    assert ObservableFromCTAO().matches(event) == voeflow.Verdict(
        False, "received 3 hours ago, more than 1 hour"
    )


def test_a_clock_behind_the_receivers_does_not_lengthen_the_wait() -> None:
    event = packet(3, received=NIGHT + timedelta(hours=3))
    assert not ObservableFromCTAO().matches(event).holds


@pytest.mark.parametrize("now", ["2026-12-10T12:00Z", "2026-12-10 12:00", "2026-12-10T13:00+01:00"])
def test_now_stands_in_for_the_clock_whatever_the_event_was_received(now: str) -> None:
    verdict = ObservableFromCTAO(now=now).matches(packet(3))
    assert verdict.reason == "Sun above -18 deg until 19:40 UTC"


@pytest.mark.parametrize(
    "option",
    [
        {"site": "west"},
        {"max_zenith": 0.0},
        {"max_zenith": 91.0},
        {"sun_below": -91.0},
        {"max_error": 0.0},
        {"telescope": "vlt"},
        {"moon": "gray"},
        {"max_wait": 86400.0},
        {"min_duration": 86400.0},
        {"now": "tonight"},
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(option: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=str(next(iter(option.values()))).removesuffix(".0")):
        ObservableFromCTAO(**option)
