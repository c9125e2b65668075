"""LVK's alerts become the VOEvents that LVK used to send."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from support.notices import Mapper, changed, notice
from voeflow import Citation, EventError, Notice
from voeflow_mappings import GwAlert

STREAM = "ivo://gwnet/LVC#S260304xy"
SEQUENCE = ("lvk-early-warning", "lvk-preliminary", "lvk-initial", "lvk-update", "lvk-retraction")
IVORNS = tuple(
    f"{STREAM}-{kind}"
    for kind in (
        "EarlyWarning-20260304T050601Z",
        "Preliminary-20260304T051030Z",
        "Initial-20260304T054000Z",
        "Update-20260305T010203Z",
        "Retraction-20260305T020000Z",
    )
)


def test_a_preliminary_alert_has_the_names_units_and_ucds_of_lvks_voevents() -> None:
    event = Mapper().event("lvk-preliminary")
    assert event.valid
    assert (event.ivorn, event.author, event.role) == (IVORNS[1], "ivo://gwnet/LVC", "observation")
    assert event.date == datetime(2026, 3, 4, 5, 10, 30, tzinfo=UTC)
    assert event.time == datetime(2026, 3, 4, 5, 6, 7, 125000, tzinfo=UTC)
    assert event.position is None
    assert event.description == "Report of a candidate gravitational wave event"
    told = {p.name: (p.value, p.unit, p.ucd, p.data_type) for p in event.params}
    assert told == {
        "Packet_Type": ("150", "", "", "int"),
        "internal": ("0", "", "", "int"),
        "GraceID": ("S260304xy", "", "meta.id", "string"),
        "AlertType": ("Preliminary", "", "meta.version", "string"),
        "OpenAlert": ("1", "", "meta.number", "int"),
        "EventPage": (
            "https://example.org/superevents/S260304xy/view/", "", "meta.ref.url", "string",
        ),
        "Instruments": ("H1,K1", "", "meta.code", "string"),
        "FAR": ("3.25e-09", "Hz", "arith.rate;stat.falsealarm", "float"),
        "Significant": ("1", "", "meta.number", "int"),
        "Group": ("CBC", "", "meta.code", "string"),
        "Pipeline": ("pycbc", "", "meta.code", "string"),
        "Search": ("AllSky", "", "meta.code", "string"),
    }  # fmt: skip
    groups = {g.name: {p.name: (p.value, p.ucd, p.data_type) for p in g.params} for g in event.groups}
    probability = ("stat.probability", "float")
    assert groups == {
        "Classification": {
            "BNS": ("0.125", *probability),
            "NSBH": ("0.375", *probability),
            "BBH": ("0.4", *probability),
            "Terrestrial": ("0.1", *probability),
        },
        "Properties": {
            "HasNS": ("0.5", *probability),
            "HasRemnant": ("0.0", *probability),
            "HasMassGap": ("0.25", *probability),
        },
    }
    assert [group.type for group in event.groups] == ["Classification", "Properties"]
    assert event.xpath("string(//ObservatoryLocation/@id)") == "LIGO Virgo KAGRA"
    assert event.xpath("string(//AstroCoords/@coord_system_id)") == "UTC-FK5-GEO"
    assert event.xpath("count(//How/Description)") == 5


@pytest.mark.parametrize(
    ("name", "packet_type", "description"),
    [
        ("lvk-early-warning", "163", "Early warning report of a candidate gravitational wave event"),
        ("lvk-preliminary", "150", "Report of a candidate gravitational wave event"),
        ("lvk-initial", "151", "Report of a candidate gravitational wave event"),
        ("lvk-update", "152", "Report of a candidate gravitational wave event"),
        ("lvk-retraction", "164", None),
    ],
)
def test_each_kind_has_gcns_number_and_lvks_description(
    name: str, packet_type: str, description: str | None
) -> None:
    event = Mapper().event(name)
    assert event.params["Packet_Type"].value == packet_type
    assert event.description == description


def test_each_alert_cites_all_before_it_the_latest_first() -> None:
    mapper = Mapper()
    events = [mapper.event(name) for name in SEQUENCE]
    assert tuple(event.ivorn for event in events) == IVORNS
    for place, event in enumerate(events):
        kind = "retraction" if place == 4 else "supersedes"
        assert event.citations == tuple(Citation(ivorn, kind) for ivorn in IVORNS[:place][::-1])
        assert event.valid
    assert events[1].xpath("string(//Citations/Description)") == (
        "Initial localization is now available (preliminary)"
    )


def test_an_alert_that_comes_late_or_again_cites_the_same() -> None:
    in_time, late = Mapper(), Mapper()
    expected = in_time.one_after_another(*SEQUENCE)
    # A mapping is asked again after all of them are in the store.
    assert [in_time.mapped(notice(name)) for name in SEQUENCE] == expected
    late.event("lvk-early-warning")
    late.event("lvk-update")
    late.event("lvk-retraction")
    assert late.mapped(notice("lvk-preliminary")) == expected[1]


def test_packets_of_others_with_a_like_name_are_not_cited() -> None:
    mapper = Mapper()
    mapper.log += [
        "ivo://gwnet/LVC#S260304xya-Preliminary-20260304T050602Z",
        "ivo://gwnet/LVC#S260304xy-1-EarlyWarning",
        "ivo://gwnet/LVC#S260304xy-Party-20260304T050602Z",
        "ivo://gwnet/LVC#S260304xy-Preliminary-20269999T050602Z",
    ]
    assert mapper.event("lvk-initial").citations == ()


def test_of_alerts_of_one_second_the_kind_tells_the_order() -> None:
    mapper = Mapper()
    mapper.event("lvk-initial")
    update = mapper.event(changed("lvk-update", time_created="2026-03-04T05:40:00Z"))
    assert [citation.ivorn for citation in update.citations] == [IVORNS[2]]


def test_a_retraction_says_only_what_is_retracted() -> None:
    event = Mapper().event("lvk-retraction")
    assert event.params.names() == (
        "Packet_Type", "internal", "GraceID", "AlertType", "OpenAlert", "EventPage",
    )  # fmt: skip
    assert event.groups == ()
    assert event.time is None
    assert event.xpath("boolean(//How | //WhereWhen)") is False


def test_a_coincidence_has_lvks_group_and_both_sky_maps_are_kept_beside_the_packet() -> None:
    made = Mapper().mapped(notice("lvk-update"))
    event = Mapper().event("lvk-update")
    group = event.groups[0]
    assert (group.name, group.type) == ("External Coincidence", "External Coincidence")
    assert {p.name: (p.value, p.unit, p.data_type) for p in group.params} == {
        "External_GCN_Notice_Id": ("987654321", "", "string"),
        "External_Ivorn": ("ivo://nasa.gsfc.gcn/Fermi#GBM_Fin_Pos_987654321", "", "string"),
        "External_Observatory": ("Fermi", "", "string"),
        "External_Search": ("GRB", "", "string"),
        "Time_Difference": ("1.75", "", "float"),
        "Time_Coincidence_FAR": ("2e-10", "Hz", "float"),
        "Time_Sky_Position_Coincidence_FAR": ("3e-12", "Hz", "float"),
    }
    assert [(each.name, each.media_type) for each in made.attachments] == [
        ("skymap.multiorder.fits", "application/fits"),
        ("combined.multiorder.fits", "application/fits"),
    ]
    assert all(each.content.startswith(b"SIMPLE  =") for each in made.attachments)
    assert b"U0lNUEx" not in made.packet


def test_a_burst_has_its_frequency_and_duration_and_no_empty_groups() -> None:
    event = Mapper().event("lvk-mock-burst")
    assert (event.params["CentralFreq"].value, event.params["CentralFreq"].unit) == ("120.0", "Hz")
    assert (event.params["Duration"].value, event.params["Duration"].ucd) == ("0.5", "time.duration")
    assert event.params["Significant"].value == "0"
    assert event.groups == ()
    assert event.ivorn == "ivo://gwnet/LVC#MS260306a-Preliminary-20260306T000000.5Z"


@pytest.mark.parametrize(
    ("changes", "role"),
    [
        ({}, "observation"),
        ({"superevent_id": "MS260304xy"}, "test"),
        ({"superevent_id": "TS260304xy"}, "test"),
        ({"event__search": "MDC"}, "test"),
        ({"event__search": "mdc"}, "test"),
        ({"event__group": "TEST"}, "test"),
        ({"alert_type": "Preliminary"}, "observation"),
        ({"event__group": "Test"}, "test"),
    ],
)
def test_mock_and_test_events_are_tests(changes: dict[str, Any], role: str) -> None:
    assert Mapper().event(changed("lvk-initial", **changes)).role == role


def test_a_sky_map_url_is_there_only_where_the_notice_has_one() -> None:
    url = "https://example.org/bayestar.multiorder.fits,0"
    event = Mapper().event(changed("lvk-initial", urls={"skymap": url}))
    group = next(group for group in event.groups if group.name == "GW_SKYMAP")
    assert group.params["skymap_fits"].value == url
    assert event.xpath("boolean(//Param[@name='EventPage'])") is False


def test_a_sky_map_that_is_none_is_left_out_and_the_alert_is_not() -> None:
    for broken in ("no base64", "AAAAA", 5, ["AAAA"]):
        assert Mapper().mapped(changed("lvk-initial", event__skymap=broken)).attachments == ()


def test_what_a_later_version_of_the_notices_adds_is_told_too() -> None:
    event = Mapper().event(changed("lvk-initial", event__luminosity=2.5, new={"a": 1}))
    assert event.params["luminosity"].value == "2.5"
    assert event.groups[-1].name == "new"


def test_json_that_is_no_alert_is_for_another_mapping() -> None:
    assert GwAlert().map(Notice(b'{"a": 1}', topic="site.alerts"), Mapper().earlier) is None
    assert GwAlert().map(Notice(b"[]", topic=""), Mapper().earlier) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"superevent_id": ...}, "$.superevent_id: expected the name of a superevent such as S190425z"),
        ({"superevent_id": ...}, "got none"),
        ({"superevent_id": "S26#1"}, "$.superevent_id: expected the name of a superevent"),
        ({"superevent_id": 7}, "$.superevent_id: expected a text, got 7"),
        ({"alert_type": "PARTY"}, "$.alert_type: expected EARLYWARNING or"),
        ({"time_created": "today"}, "$.time_created: expected a time in UTC such as"),
        ({"time_created": None}, "$.time_created: expected the time of the alert, got null"),
        ({"event": None}, "$.event: expected an object, which all alerts but a RETRACTION have, got null"),
        ({"event": []}, "$.event: expected an object, got a list"),
        ({"event__far": "low"}, "$.event.far: expected a number, got 'low'"),
        ({"event__far": True}, "$.event.far: expected a number, got True"),
        ({"event__significant": 1}, "$.event.significant: expected true or false, got 1"),
        ({"event__instruments": [None]}, "$.event.instruments: expected a text, or a list of them"),
        ({"event__classification": "BNS"}, "$.event.classification: expected an object, got a text"),
        ({"urls": 5}, "$.urls: expected an object, got a number"),
    ],
)  # fmt: skip
def test_a_broken_alert_is_refused_with_what_is_wrong_and_where(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(EventError) as caught:
        Mapper().mapped(changed("lvk-initial", **changes))
    assert message in str(caught.value)


def test_something_else_by_lvks_topic_is_refused() -> None:
    with pytest.raises(EventError, match="expected an object, got a list"):
        GwAlert().map(Notice(b"[]", topic="igwn.gwalert"), Mapper().earlier)
