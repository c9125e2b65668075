from __future__ import annotations

from importlib import resources

import pytest

import voeflow
from voeflow.testing import REFUSED_SAMPLES, SAMPLES, sample_event, sample_packet


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_an_event_that_says_it_is_made_up(name: str) -> None:
    event = sample_event(name)

    assert event.valid == (name != "bad-grammar")
    assert event.ivorn == f"ivo://org.example/testing#{name}"
    assert event.author == "ivo://org.example/testing"
    assert b"Made up" in event.raw


@pytest.mark.parametrize("name", REFUSED_SAMPLES)
def test_what_is_to_be_refused_is_no_event(name: str) -> None:
    with pytest.raises(voeflow.EventError):
        voeflow.Event.parse(sample_packet(name))


def test_every_packet_that_is_there_has_a_name() -> None:
    packets = resources.files("voeflow.testing") / "packets"

    assert {p.name for p in packets.iterdir() if p.is_file()} == {f"{name}.xml" for name in SAMPLES}
    assert {p.name for p in (packets / "refused").iterdir()} == {f"{name}.xml" for name in REFUSED_SAMPLES}


def test_there_is_every_role_and_version_and_a_story_told_by_citations() -> None:
    events = {name: sample_event(name) for name in SAMPLES}

    assert {event.role for event in events.values()} == {"observation", "prediction", "utility", "test"}
    assert {event.version for event in events.values()} == {"1.1", "2.0", "2.1"}
    cited = {(c.kind, c.ivorn.partition("#")[2]) for event in events.values() for c in event.citations}
    assert cited == {("supersedes", "burst"), ("retraction", "burst"), ("retraction", "burst-refined")}


def test_a_misspelt_sample_is_told_the_nearest() -> None:
    with pytest.raises(ValueError, match='did you mean "burst"'):
        sample_packet("brust")
