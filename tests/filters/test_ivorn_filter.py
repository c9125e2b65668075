from __future__ import annotations

import pytest

import voeflow
from support.samples import voevent
from voeflow_filters.ivorn import Ivorn


def event(ivorn: str) -> voeflow.Event:
    return voeflow.Event.parse(voevent(ivorn))


@pytest.mark.parametrize(
    ("wanted", "ivorn"),
    [
        ("ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_1-2", "ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_1-2"),
        ("ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_*", "ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_1-2"),
        ("ivo://NASA.gsfc.gcn/swift#bat_*", "ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_1-2"),
        ("ivo://*/svom#trigger-?", "ivo://obspm.gepi/svom#trigger-1"),
        ("*#trigger-[12]", "ivo://obspm.gepi/svom#trigger-1"),
    ],
)
def test_passes(wanted: str, ivorn: str) -> None:
    assert Ivorn((wanted,)).matches(event(ivorn))


@pytest.mark.parametrize(
    ("wanted", "ivorn"),
    [
        ("ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_1", "ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_1-2"),
        ("ivo://nasa.gsfc.gcn/SWIFT#BAT", "ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_1-2"),
        ("ivo://nasa.gsfc.gcn/*", "ivo://nasaXgsfc.gcn/SWIFT#1"),
        ("*#trigger-[12]", "ivo://obspm.gepi/svom#trigger-3"),
        ("ivo://a.example/*", "ivo://b.example/x#ivo://a.example/x"),
    ],
)
def test_does_not_pass(wanted: str, ivorn: str) -> None:
    assert not Ivorn((wanted,)).matches(event(ivorn))


def test_any_of_several_passes() -> None:
    several = Ivorn(("ivo://a.example/*", "ivo://b.example/x#1"))
    assert several.matches(event("ivo://a.example/x#1"))
    assert several.matches(event("ivo://b.example/x#1"))
    assert not several.matches(event("ivo://b.example/x#2"))


@pytest.mark.parametrize("ivorns", [(), ("nasa.gsfc.gcn/SWIFT#*",), ("",)])
def test_what_is_no_ivorn_is_a_mistake(ivorns: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Ivorn(ivorns)
