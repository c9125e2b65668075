"""Notices in GCN's unified schema become VOEvents, whatever the mission."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from support.notices import NAMES, Mapper, changed, notice
from voeflow import EventError, Notice, Position
from voeflow_mappings import UnifiedNotice

GCN = "ivo://nasa.gsfc.gcn"


def local(name: str) -> str:
    return Mapper().event(name).ivorn.removeprefix(f"{GCN}/")


@pytest.mark.parametrize(
    ("name", "ivorn"),
    [
        ("einstein-probe", "EinsteinProbe#WXT_01700000042_notice_20260201T030405.67Z_"),
        ("gbm-ground", "Fermi#GBM_790000001_update_3_20260115T120130Z_"),
        ("icecube-first", "IceCube#IC86_140001-777_initial_1_20260210T081000Z_"),
        ("chime-retraction", "CHIME#frb_430000777_retraction_20260401T101112.345678Z_"),
        ("guano-retraction", "Swift#BAT-GUANO_800000002_retraction_2_20260901T010000Z_"),
        ("burstcube-test", "BurstCube#test_260701000_initial_1_20260701T000500Z_"),
    ],
)
def test_an_ivorn_tells_mission_instrument_event_type_number_and_time(name: str, ivorn: str) -> None:
    made = local(name)
    assert made.startswith(ivorn)
    assert made.removeprefix(ivorn) == notice(name).digest.hex()[:8]


def test_a_name_that_is_a_number_is_a_name() -> None:
    event = Mapper().event(changed("gbm-ground", id=[790000001]))
    assert event.ivorn.startswith(f"{GCN}/Fermi#GBM_790000001_update_3_")


def test_the_topic_is_not_in_the_ivorn_where_the_notice_names_its_schema() -> None:
    one = notice("gbm-alert")
    moved = attrs.evolve(one, topic="gcn.notices.elsewhere.other")
    assert Mapper().mapped(moved) == Mapper().mapped(one)


def test_a_notice_without_a_schema_is_known_by_its_topic() -> None:
    one = changed("chime-detection", **{"$schema": ...})
    event = Mapper().event(attrs.evolve(one, topic="gcn.notices.newmission.thing.alert"))
    assert event.ivorn.startswith(f"{GCN}/newmission#alert_430000777_initial_")
    assert event.author == f"{GCN}/newmission"


def test_a_trigger_has_position_time_and_their_errors() -> None:
    event = Mapper().event("chime-detection")
    moment = datetime(2026, 4, 1, 10, 11, 12, 345678, tzinfo=UTC)
    assert event.position == Position(200.25, 33, 0.4, "ICRS", moment, "UTC-ICRS-TOPO")
    assert event.date == moment  # CHIME's notices do not say when they were made
    assert event.xpath("number(//Time/Error)") == 0.008
    assert event.xpath("string(//Why/@importance)") == "0.96875"
    assert event.xpath("string(//ObservatoryLocation/@id)") == "CHIME"
    assert event.description == "Made up for a test."


def test_fields_become_params_with_the_units_and_ucds_that_the_schema_gives() -> None:
    params = Mapper().event("chime-detection").params
    told = {p.name: (p.value, p.unit, p.data_type) for p in params}
    assert told["dm"] == ("500.5", "pc/cm3", "float")
    assert told["sampling_time"] == ("0.983", "ms", "float")
    assert told["spectral_band"] == ("400 800", "MHz", "string")
    assert told["ra_dec_error"] == ("0.2 0.4 0", "deg", "string")
    assert told["npol"] == ("2", "", "int")
    assert told["trigger_time_inf_freq"] == ("2026-04-01 10:11:00.5+00:00", "", "string")
    assert told["containment_probability"] == ("0.9", "", "float")
    assert params["dm"].ucd == "phys.dispMeasure"
    params = Mapper().event("gbm-flight").params
    assert (params["flux"].value, params["flux"].unit) == ("12.5", "ph/cm2/s")
    assert params["containment_probability"].value == "0.68"
    assert params["ra_dec_error"].value == "6.0"
    assert params["systematic_included"].value == "true"
    assert params["id"].value == "790000001,bn260115500"
    assert not {"$schema", "ra", "dec"} & set(params.names())


def test_without_a_position_nothing_is_said_of_its_containment() -> None:
    event = Mapper().event("gbm-alert")
    assert event.position is None
    assert "containment_probability" not in event.params
    assert event.time == datetime(2026, 1, 15, 12, 0, 0, 250000, tzinfo=UTC)


def test_objects_become_groups_and_deeper_ones_dotted_names() -> None:
    groups = Mapper().event("km3net").groups
    assert [group.name for group in groups] == ["event_details", "event_details"]
    assert [[p.name for p in group.params] for group in groups] == [
        ["id", "ra", "ra_dec_error", "energy_measured"],
        ["id", "ra", "deep.cos_zenith"],
    ]


def test_classes_are_a_group_and_inferences() -> None:
    event = Mapper().event("gbm-flight")
    assert [(p.name, p.number) for p in event.groups[0].params] == [("GRB", 0.75), ("SOLAR_FLARE", 0.25)]
    assert event.xpath("string(//Inference[Name='GRB']/@probability)") == "0.75"


def test_the_names_of_an_event_are_in_why() -> None:
    assert Mapper().event("icecube-first").xpath("string(//Why/Name)") == "IceCube-260210A"


def test_the_error_of_a_box_is_its_farthest_corner() -> None:
    position = Mapper().event("maxi-box").position
    assert position is not None
    assert position.error == pytest.approx(2**0.5, abs=2e-4)


@pytest.mark.parametrize(
    ("error", "radius"),
    [(None, None), (0, None), (2, 2.0), ([3], 3.0), ([1, 2], 2.0), ([2, 1, 45], 2.0)],
)
def test_the_error_radius_contains_the_ellipse(error: object, radius: float | None) -> None:
    position = Mapper().event(changed("gbm-ground", ra_dec_error=error)).position
    assert position is not None
    assert position.error == radius


def test_the_newer_names_of_an_ellipse_are_understood() -> None:
    one = changed("gbm-ground", ra_dec_error=..., position_a_error=3, position_b_error=1.5)
    position = Mapper().event(one).position
    assert position is not None
    assert position.error == 3


@pytest.mark.parametrize(
    ("changes", "role"),
    [
        ({}, "observation"),
        ({"alert_tense": "archival"}, "observation"),
        ({"alert_tense": None}, "observation"),
        ({"alert_tense": "brand new word"}, "observation"),
        ({"alert_tense": "planned"}, "prediction"),
        ({"alert_tense": "commanded"}, "utility"),
        ({"alert_tense": "test"}, "test"),
        ({"alert_tense": "injection"}, "test"),
        ({"alert_tense": "mock"}, "test"),
        ({"alert_type": "test"}, "test"),
        ({"alert_type": "TEST"}, "test"),
        ({"alert_tense": " Test"}, "test"),
        ({"$schema": "https://gcn.nasa.gov/schema/main/gcn/notices/icecube/test/a.schema.json"}, "test"),
    ],
)
def test_the_role_follows_tense_and_schema(changes: dict[str, Any], role: str) -> None:
    assert Mapper().event(changed("gbm-ground", **changes)).role == role


def test_a_topic_for_tests_makes_tests() -> None:
    one = attrs.evolve(notice("gbm-ground"), topic="gcn.notices.fermi.gbm.test")
    assert Mapper().event(one).role == "test"


def test_updates_supersede_and_retractions_retract_what_came_before() -> None:
    mapper = Mapper()
    alert, flight, ground = [mapper.event(f"gbm-{name}") for name in ("alert", "flight", "ground")]
    assert alert.citations == ()
    assert [(c.kind, c.ivorn) for c in flight.citations] == [("supersedes", alert.ivorn)]
    assert [(c.kind, c.ivorn) for c in ground.citations] == [
        ("supersedes", flight.ivorn), ("supersedes", alert.ivorn),
    ]  # fmt: skip
    first, revision = mapper.event("icecube-first"), mapper.event("icecube-revision")
    assert [c.ivorn for c in revision.citations] == [first.ivorn]
    detection, retraction = mapper.event("chime-detection"), mapper.event("chime-retraction")
    assert [(c.kind, c.ivorn) for c in retraction.citations] == [("retraction", detection.ivorn)]


def test_a_notice_that_comes_late_or_again_cites_the_same() -> None:
    mapper = Mapper()
    names = ("gbm-alert", "gbm-flight", "gbm-ground")
    expected = mapper.one_after_another(*names)
    assert [mapper.mapped(notice(name)) for name in names] == expected


def test_a_later_record_without_a_type_is_an_update() -> None:
    mapper = Mapper()
    first = mapper.event(changed("icecube-first", alert_type=...))
    second = mapper.event(changed("icecube-revision", alert_type=...))
    assert first.citations == ()
    assert [c.ivorn for c in second.citations] == [first.ivorn]


def test_another_burst_of_a_known_source_and_another_event_cite_nothing() -> None:
    mapper = Mapper()
    mapper.event("chime-detection")
    mapper.event(changed("chime-detection", id=...))
    assert mapper.event(changed("chime-detection", alert_type="subsequent", snr=9)).citations == ()
    assert mapper.event(changed("chime-retraction", id="43000077")).citations == ()
    assert mapper.event(changed("chime-retraction", id=...)).citations == ()


def test_a_sky_map_is_kept_beside_the_packet() -> None:
    made = Mapper().mapped(notice("burstcube-test"))
    assert [(each.name, each.media_type) for each in made.attachments] == [
        ("healpix.fits", "application/fits")
    ]
    assert b"healpix_file" not in made.packet


def test_json_that_is_not_of_gcn_is_for_another_mapping() -> None:
    mapping, earlier = UnifiedNotice(), Mapper().earlier
    assert mapping.map(Notice(b'{"ra": 1}', topic="site.alerts"), earlier) is None
    assert mapping.map(Notice(b'{"$schema": "https://example.org/gcn/notices/a"}'), earlier) is None
    assert mapping.map(Notice(b"[]", topic="gcn.circulars"), earlier) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alert_datetime": ..., "trigger_time": ...}, "$: expected a time in one of alert_datetime, "),
        ({"trigger_time": 5}, "$.trigger_time: expected a text, got 5"),
        ({"trigger_time": "noon"}, "$.trigger_time: expected a time in UTC such as"),
        ({"ra": 361}, "$.ra: expected a number from 0 to 360, got 361"),
        ({"dec": "5"}, "$.dec: expected a number from -90 to 90, got '5'"),
        ({"dec": None}, "$.dec: expected a number, as there is the other coordinate, got null"),
        ({"ra_dec_error": -1}, "$.ra_dec_error: expected a number of at least 0, got -1"),
        ({"ra_dec_error": []}, "$.ra_dec_error: expected a radius, or one to three numbers"),
        ({"ra_dec_error": [1, "2"]}, "$.ra_dec_error: expected a radius, or one to three numbers"),
        ({"trigger_time_error": ["x"]}, "$.trigger_time_error: expected a number, or a list"),
        ({"rectangular_error_corners": [[1]], "ra_dec_error": ...}, "expected a list of pairs of ra and dec"),
        ({"rectangular_error_corners": [[1, 91]], "ra_dec_error": ...}, "a list of pairs of ra and dec"),
        ({"id": 5.5}, "$.id: expected a text, or a list of them, got 5.5"),
        ({"alert_type": {}}, "$.alert_type: expected a text, got an object"),
        ({"record_number": "1"}, "$.record_number: expected a number, got '1'"),
        ({"classification": []}, "$.classification: expected an object, got a list"),
    ],
)
def test_a_broken_notice_is_refused_with_what_is_wrong_and_where(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(EventError) as caught:
        Mapper().mapped(changed("gbm-ground", **changes))
    assert message in str(caught.value)


def test_something_else_by_a_topic_of_gcn_is_refused() -> None:
    with pytest.raises(EventError, match="expected an object, got a list"):
        UnifiedNotice().map(Notice(b"[]", topic="gcn.notices.fermi.gbm"), Mapper().earlier)


def test_what_is_too_much_for_a_packet_is_counted_and_left_to_the_notice() -> None:
    much = {f"extra_{n}": n for n in range(600)}
    event = Mapper().event(changed("gbm-ground", **much, essay="x" * 20_000, many=list(range(1_000_000))))
    assert event.valid
    assert len(event.params) <= 501
    left_out = len(json.loads(notice("gbm-ground").content)) + 600 + 2
    assert 100 < int(event.params["left_out"].value) < left_out
    assert "essay" not in event.params


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_notice_becomes_a_valid_packet(name: str) -> None:
    event = Mapper().event(name)
    assert event.valid
    assert event.ivoid is not None
    assert event.author == event.ivoid.stream
