"""What reached each sink of a pipeline, without anything going in or out."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest

import voeflow.testing
from voeflow.testing import Outcome, UndeliveredError, make_event, run_pipeline, sample_packet

PIPELINE = """
ivoid = "ivo://org.example/voeflow"
[transports.authors]
plugin = "vtp-receive"
listen = "192.0.2.1:1"                  # an address that is no machine's: it could not be listened on
allow = ["192.0.2.0/24"]
[transports.upstream]
plugin = "vtp-subscribe"
remote = "broker.invalid"
[transports.public]
plugin = "vtp-broadcast"
listen = "192.0.2.1:2"
allow = ["192.0.2.0/24"]
when = "not test"
[filters.test]
plugin = "role"
roles = ["test"]
[handlers.archive]
plugin = "save"
directory = "events"
[handlers.slew]
plugin = "spawn"
command = ["./slew.sh"]
when = "not test"
sources = ["authors"]
"""


def test_what_reached_each_sink_is_told_in_order() -> None:
    events = [make_event("a"), make_event("b", role="test"), make_event("c", source="upstream")]
    outcome = run_pipeline(PIPELINE, events)

    assert {sink: [e.ivorn.partition("#")[2] for e in outcome[sink]] for sink in outcome.reached} == {
        "public": ["a", "c"],
        "archive": ["a", "b", "c"],
        "slew": ["a"],
    }
    assert [each.outcome for each in outcome.submissions] == ["accepted"] * 3
    assert outcome.failures == ()


def test_nothing_is_written_beside_the_pipeline(tmp_path: Path) -> None:
    run_pipeline(PIPELINE, [make_event()], directory=tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["pipeline.toml"]


def test_a_pipeline_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(PIPELINE)

    assert run_pipeline(path, [make_event("a")]).ivorns("slew") == ["ivo://org.example/testing#a"]


def test_duplicates_and_what_is_no_event_are_answered_as_by_a_node() -> None:
    event = make_event("a")
    outcome = run_pipeline(PIPELINE, [event, event.raw, sample_packet("doctype")])

    assert [each.outcome for each in outcome.submissions] == ["accepted", "duplicate", "refused"]
    assert len(outcome["archive"]) == 1


def test_a_source_s_own_strictness_counts() -> None:
    bad = sample_packet("bad-grammar")
    from_upstream = attrs.evolve(voeflow.Event.parse(bad), source="upstream")

    assert run_pipeline(PIPELINE, [bad]).submissions[0].outcome == "refused"
    assert run_pipeline(PIPELINE, [from_upstream]).submissions[0].outcome == "accepted"


def test_a_live_handler_does_its_work(tmp_path: Path) -> None:
    event = make_event("a")
    run_pipeline(PIPELINE, [event], live=["archive"], directory=tmp_path)

    (saved,) = (tmp_path / "events").rglob("*.xml")
    assert saved.read_bytes() == event.raw


def test_a_program_that_takes_its_time_is_waited_for(tmp_path: Path) -> None:
    script = tmp_path / "slew.sh"
    script.write_text('#!/bin/sh\nsleep 0.3; echo "$VOEVENT_IVORN" > slewed\n')
    script.chmod(0o755)
    toml = PIPELINE.replace('command = ["./slew.sh"]', 'command = ["./slew.sh"]\ntimeout = "1 s"')
    outcome = run_pipeline(toml, [make_event("a")], live=["slew"], directory=tmp_path)

    assert outcome.failures == ()
    assert (tmp_path / "slewed").read_text() == "ivo://org.example/testing#a\n"


def test_a_filter_that_gives_no_answer_fails_the_test_with_its_reason() -> None:
    @attrs.frozen
    class Broken:
        def matches(self, event: voeflow.Event) -> bool:
            raise ZeroDivisionError("no telescope")

    class Plugin:
        @voeflow.hookimpl
        def register_filters(self) -> dict[str, type]:
            return {"broken": Broken}

    toml = PIPELINE.replace('when = "not test"', 'when = "asked"') + '[filters.asked]\nplugin = "broken"\n'
    with pytest.raises(UndeliveredError, match="ZeroDivisionError: no telescope") as caught:
        run_pipeline(toml, [make_event("a")], plugins=[Plugin()])

    assert caught.value.outcome.ivorns("archive") == ["ivo://org.example/testing#a"]
    outcome = run_pipeline(toml, [make_event("a")], plugins=[Plugin()], may_fail=True)
    assert {failure.sink for failure in outcome.failures if failure.dead} == {"public", "slew"}


@attrs.define
class Dome:
    """A handler that can work only some time after it was first asked."""

    asked: list[int] = attrs.field(factory=list, init=False)

    def handle(self, event: voeflow.Event, delivery: voeflow.Delivery) -> None:
        self.asked.append(delivery.attempt)
        if len(self.asked) == 1:
            raise voeflow.Later(1800, "the dome is closed")
        if len(self.asked) == 2:
            raise RuntimeError("the dome is stuck")


class DomePlugin:
    @voeflow.hookimpl
    def register_handlers(self) -> dict[str, type]:
        return {"dome": Dome}


DOME = PIPELINE + '[handlers.dome]\nplugin = "dome"\n'


def test_retries_are_waited_for_and_what_failed_on_the_way_is_told() -> None:
    outcome = run_pipeline(DOME, [make_event("a")], live=["dome"], plugins=[DomePlugin()])

    assert outcome.ivorns("dome") == ["ivo://org.example/testing#a"]
    assert [(f.sink, f.dead) for f in outcome.failures] == [("dome", False)]
    assert "the dome is stuck" in str(outcome.failures[0])


def test_what_takes_too_long_is_told() -> None:
    with pytest.raises(UndeliveredError, match="not delivered within 60 s"):
        run_pipeline(DOME, [make_event("a")], live=["dome"], plugins=[DomePlugin()], within=60)


def test_events_are_received_at_the_beginning() -> None:
    outcome = run_pipeline(PIPELINE, [make_event("a")], start="2026-12-20T01:00:00")

    begin = datetime(2026, 12, 20, 1, tzinfo=UTC)
    assert 0 <= (outcome["archive"][0].received - begin).total_seconds() < 5


def test_misspelt_names_are_told_the_nearest() -> None:
    with pytest.raises(ValueError, match='did you mean "archive"'):
        run_pipeline(PIPELINE, [], live=["archiv"])
    with pytest.raises(KeyError, match="did you mean"):
        run_pipeline(PIPELINE, [])["archiv"]


def test_mistakes_in_the_pipeline_are_told() -> None:
    with pytest.raises(voeflow.PipelineError, match="no such key"):
        run_pipeline(PIPELINE + "[handlers.x]\nplugin='save'\ndirectry='y'\n", [])


def test_a_plugin_of_the_test_that_cannot_be_used_is_told() -> None:
    class Odd:
        @voeflow.hookimpl
        def register_filters(self) -> dict[str, type]:
            return {"odd": int}

    with pytest.raises(ExceptionGroup) as caught:
        run_pipeline(PIPELINE, [], plugins=[Odd()])
    assert "no attrs class" in str(caught.value.exceptions[0])


def test_the_fixtures_are_the_functions(
    make_event: Callable[..., voeflow.Event],
    run_pipeline: Callable[..., Outcome],
    sample_packets: dict[str, bytes],
    tmp_path: Path,
) -> None:
    outcome = run_pipeline(PIPELINE, [make_event("a"), *sample_packets.values()], live=["archive"])

    assert len(outcome["archive"]) == len(sample_packets)  # authors may not break the grammar
    assert (tmp_path / "pipeline.toml").exists()
    assert json.dumps(outcome.ivorns("slew"))


def test_help_does_not_show_the_environment() -> None:
    for function in (voeflow.testing.run_pipeline, voeflow.testing.running_node):
        assert inspect.signature(function).parameters["environ"].default is None
