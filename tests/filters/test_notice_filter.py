from __future__ import annotations

import pytest

import voeflow
from support.samples import voevent
from voeflow_filters._notice_types import NOTICE_TYPES
from voeflow_filters.notice import Notice

SWIFT_POSITION = voeflow.Event.parse(voevent(packet_type=61))


def of_type(value: str) -> voeflow.Event:
    return voeflow.Event.parse(voevent(body=f'<What><Param name="Packet_Type" value="{value}"/></What>'))


@pytest.mark.parametrize(
    "wanted", ["SWIFT_BAT_GRB_POS_ACK", "swift_bat_grb_pos_ack", "SWIFT_BAT_*", 61, "61"]
)
def test_passes_by_name_by_glob_and_by_number(wanted: str | int) -> None:
    assert Notice((wanted,)).matches(SWIFT_POSITION) == voeflow.Verdict(
        True, "type of notice is 61 (SWIFT_BAT_GRB_POS_ACK)"
    )


@pytest.mark.parametrize("wanted", ["SWIFT_BAT_GRB_POS_NACK", "FERMI_*", 6, 610])
def test_another_type_does_not_pass(wanted: str | int) -> None:
    assert not Notice((wanted,)).matches(SWIFT_POSITION)


def test_any_of_several_passes() -> None:
    assert Notice(("FERMI_*", 61)).matches(SWIFT_POSITION)


def test_an_event_without_a_type_does_not_pass() -> None:
    bare = voeflow.Event.parse(voevent(body="<What/>"))
    assert Notice(("*",)).matches(bare) == voeflow.Verdict(False, "no Param Packet_Type")


@pytest.mark.parametrize("value", ["", "61x", "nan", "inf", "-61", "1e400", "61.5", "6_1", "&#x202e;61"])
def test_what_is_no_type_passes_nothing_and_is_said_in_printable_text(value: str) -> None:
    verdict = Notice(("*",)).matches(of_type(value))
    assert not verdict
    assert verdict.reason.isprintable()


def test_a_number_that_no_name_is_known_for_passes_by_its_number() -> None:
    assert Notice((9999,)).matches(of_type("9999"))


def test_a_name_misspelt_is_a_mistake_that_names_the_nearest() -> None:
    with pytest.raises(ValueError, match='did you mean "SWIFT_BAT_GRB_POS_ACK"'):
        Notice(("SWIFT_BAT_POS_ACK",))


def test_every_name_is_that_of_one_type() -> None:
    assert len(set(NOTICE_TYPES.values())) == len(NOTICE_TYPES)
