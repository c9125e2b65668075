"""How the notices that a pipeline names become topics of GCN."""

from __future__ import annotations

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voeflow_transports.kafka._gcn_topics import remedy, topics_of
from voeflow_transports.kafka._topics import subscription


@pytest.mark.parametrize(
    ("notice", "topics"),
    [
        ("SWIFT_BAT_GRB_POS_ACK", ("gcn.classic.voevent.SWIFT_BAT_GRB_POS_ACK",)),
        ("svom.voevent.grm", ("gcn.notices.svom.voevent.grm",)),
        ("einstein_probe.wxt.alert", ("gcn.notices.einstein_probe.wxt.alert",)),
        ("dsa110.frb", ("gcn.notices.dsa110.frb",)),
        ("igwn.gwalert", ("igwn.gwalert",)),
        ("gcn.circulars", ("gcn.circulars",)),
        ("gcn.classic.text.MAXI_TEST", ("gcn.classic.text.MAXI_TEST",)),
        ("svom.*", ("gcn.notices.svom.*",)),
        ("FERMI_GBM_*", ("gcn.classic.voevent.FERMI_GBM_*",)),
        ("FERMI_GBM_???_POS", ("gcn.classic.voevent.FERMI_GBM_???_POS",)),
        ("gcn.notices.swift.*", ("gcn.notices.swift.*",)),
        ("*", ("gcn.classic.voevent.*", "gcn.notices.*", "igwn.gwalert")),
    ],
)
def test_a_notice_is_looked_for_where_gcn_has_it(notice: str, topics: tuple[str, ...]) -> None:
    assert topics_of([notice]) == topics


def test_a_topic_that_two_notices_name_is_there_once_in_the_order_of_the_notices() -> None:
    assert topics_of(["svom.*", "MAXI_TEST", "svom.*", "igwn.gwalert"]) == (
        "gcn.notices.svom.*",
        "gcn.classic.voevent.MAXI_TEST",
        "igwn.gwalert",
    )


@pytest.mark.parametrize(
    ("notice", "message"),
    [
        ("Swift_Bat_Grb_Pos_Ack", "did you mean SWIFT_BAT_GRB_POS_ACK"),
        ("Mission.Alert", "a mission in small letters"),
        ("LVC_PRELIMINARY", "igwn.gwalert"),
        ("SWIFT BAT", "got 'SWIFT BAT'"),
        ("", "got ''"),
        ("^gcn.*", "wildcards"),
        ("A" * 250, "expected a type of notice"),
    ],
)
def test_what_gcn_cannot_have_is_a_mistake_that_says_what_was_expected(notice: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        topics_of(["MAXI_TEST", notice])


@given(
    st.text("ABZ_0*?", min_size=1, max_size=8).filter(lambda text: any(map(str.isalpha, text))),
    st.text("ABZ_0.", max_size=8),
)
def test_a_pattern_finds_the_topics_that_its_wildcards_mean(notice: str, kind: str) -> None:
    (topic,) = subscription(topics_of([notice]))
    found = re.fullmatch(topic, "gcn.classic.voevent." + kind) is not None
    assert found == fnmatch.fnmatchcase(kind, notice)


def test_the_remedy_for_an_unknown_topic_names_the_nearest_type_of_notice() -> None:
    said = remedy(["gcn.classic.voevent.SWIFT_BAT_GRB_POS_AKC", "gcn.classic.voevent.MAXI_TEST", "a.topic"])
    assert said.endswith("; for SWIFT_BAT_GRB_POS_AKC write SWIFT_BAT_GRB_POS_ACK")
    assert "https://gcn.nasa.gov/notices" in remedy(["gcn.notices.svom.voevent.grn"])
