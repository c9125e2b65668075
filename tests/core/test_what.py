from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voeflow import Event, Param, Params
from voeflow._what import parse_number

BODY = """<What>
  <Param name="TrigID" value="532871" ucd="meta.id" dataType="int"/>
  <Param name="Flux" unit="erg/cm2/s" dataType="float"><Description> in 15-50 keV
  </Description><Value> 2.5e-7 </Value></Param>
  <Param name="TrigID" value="second"/>
  <Group name="Solution" type="best"><Param name="SNR" value="12.5"/><Description>of it</Description></Group>
  <Param/>
  <Param name="Both" value=""><Value>not this</Value></Param>
  <Group><Param name="SNR" value="x"/></Group>
</What>"""
EVENT = Event.parse(f"<VOEvent ivorn='ivo://org.example/a#b'>{BODY}</VOEvent>".encode())


def test_params_keep_their_order_and_are_found_by_name() -> None:
    params = EVENT.params
    assert [param.name for param in params] == ["TrigID", "Flux", "TrigID", "", "Both"]
    assert params.names() == ("TrigID", "Flux", "", "Both")
    assert params["TrigID"] is params[0]
    assert params["TrigID"] == Param("TrigID", "532871", ucd="meta.id", data_type="int")
    assert params["Flux"] == Param(
        "Flux", "2.5e-7", "erg/cm2/s", data_type="float", description="in 15-50 keV"
    )
    assert params[-1].value == ""
    assert params[1:3] == Params([params[1], params[2]])
    assert "Flux" in params
    assert params[1] in params
    assert "SNR" not in params
    assert params.get("SNR") is None
    assert params.get("SNR", "none") == "none"


def test_a_missing_name_tells_the_nearest_ones() -> None:
    with pytest.raises(KeyError, match="TrigID"):
        EVENT.params["Trig_ID"]
    with pytest.raises(KeyError, match="5 others"):
        EVENT.params["\x1b[31m"]


def test_groups_have_their_own_params() -> None:
    first, second = EVENT.groups
    assert (first.name, first.type, first.params["SNR"].number) == ("Solution", "best", 12.5)
    assert (second.name, second.type) == ("", "")
    assert math.isnan(second.params["SNR"].number)


def test_an_event_without_what_has_none() -> None:
    event = Event.parse(b"<VOEvent ivorn='ivo://org.example/a#b'/>")
    assert not event.params
    assert event.groups == ()


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1.0), (" -2.5e3 ", -2500.0), ("INF", math.inf), ("1_0", math.nan), ("0x10", math.nan)],
)
def test_a_number_is_one_of_xml_schema(text: str, number: float) -> None:
    assert parse_number(text) == pytest.approx(number, nan_ok=True)


@given(st.text())
def test_a_value_always_has_a_number(text: str) -> None:
    assert isinstance(Param("x", text).number, float)


def test_a_representation_is_one_printable_line() -> None:
    assert repr(Params([Param("a\nb", "1")])).isprintable()
