from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import voeflow
from voeflow.testing import make_event
from voeflow_filters.cone import Cone, separation

CRAB = make_event(position=(83.633, 22.0145, 0.05))
RA = st.floats(0, 360, exclude_max=True)
DEC = st.floats(-90, 90)


def test_passes_within_the_radius() -> None:
    assert Cone(0.1, ra=83.633, dec=22.1).matches(CRAB) == voeflow.Verdict(True, "0.0855 deg")
    assert not Cone(0.08, ra=83.633, dec=22.1).matches(CRAB)


def test_right_ascension_shrinks_towards_the_poles() -> None:
    assert separation(0, 60, 1, 60) == pytest.approx(0.49999, abs=2e-5)


def test_right_ascension_has_no_edge() -> None:
    assert separation(359.9, 0, 0.1, 0) == pytest.approx(0.2)


def test_small_and_great_distances_are_exact() -> None:
    assert separation(10, 20, 10, 20 + 1e-9) == pytest.approx(1e-9, rel=1e-4)
    assert separation(10, 20, 190, -20) == pytest.approx(180)


@given(RA, DEC, RA, DEC)
def test_distance_is_that_of_the_vectors_and_the_same_both_ways(
    ra: float, dec: float, other_ra: float, other_dec: float
) -> None:
    found = separation(ra, dec, other_ra, other_dec)
    assert 0 <= found <= 180
    assert found == pytest.approx(separation(other_ra, other_dec, ra, dec), abs=1e-9)

    def vector(a: float, d: float) -> tuple[float, float, float]:
        a, d = math.radians(a), math.radians(d)
        return math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d)

    chord = math.dist(vector(ra, dec), vector(other_ra, other_dec))
    assert 2 * math.sin(math.radians(found) / 2) == pytest.approx(chord, abs=1e-9)


def test_an_event_without_a_position_does_not_pass() -> None:
    nowhere = make_event()
    assert Cone(180, ra=0, dec=0).matches(nowhere) == voeflow.Verdict(False, "no position")


def test_the_error_circle_counts_where_overlap_is_asked_for() -> None:
    near = {"ra": 83.633, "dec": 22.1}
    assert not Cone(0.05, **near).matches(CRAB)
    assert Cone(0.05, overlap=True, **near).matches(CRAB)
    assert not Cone(0.03, overlap=True, **near).matches(CRAB)


def test_one_of_a_list_of_targets_is_enough_and_is_named(tmp_path: Path) -> None:
    listed = tmp_path / "targets.csv"
    listed.write_text("name,ra,dec,radius\nVela,128.8,-45.2,\nCrab, 83.63, 22.01, 0.2\n", encoding="utf-8")
    assert Cone(5, targets=listed).matches(CRAB) == voeflow.Verdict(True, "0.00529 deg from Crab")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected a first line with the columns name, ra, dec"),
        ("name,ra\nCrab,83.6\n", "there is no dec"),
        ("name,ra,dec\n", "holds no target"),
        ("name,ra,dec\nCrab,83.6\n", "line 2"),
        ("name,ra,dec\nVela,128.8,-45.2\nCrab,5h34,22\n", "line 3: could not convert"),
        ("name,ra,dec\nCrab,360,22\n", "line 2: ra: expected degrees from 0 to below 360, got 360"),
        ("name,ra,dec\nCrab,nan,22\n", "line 2: ra"),
        ("name,ra,dec,radius\nCrab,1,22,-1\n", "line 2: radius"),
    ],
)
def test_a_line_that_is_no_target_is_named(tmp_path: Path, text: str, reason: str) -> None:
    listed = tmp_path / "targets.csv"
    listed.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=reason):
        Cone(1, targets=listed)


def test_a_list_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot read .*: No such file"):
        Cone(1, targets=tmp_path / "none.csv")


@pytest.mark.parametrize(
    "place", [{}, {"ra": 1.0}, {"dec": 1.0}, {"ra": 1.0, "dec": 91.0}, {"ra": -1.0, "dec": 0.0}]
)
def test_half_a_place_or_one_off_the_sky_is_a_mistake(place: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Cone(1, **place)


def test_a_place_and_a_list_are_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not both"):
        Cone(1, ra=1, targets=tmp_path / "targets.csv")
