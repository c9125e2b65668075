"""A pipeline is held to its `[[tests]]`, and every mistake in them is told."""

from __future__ import annotations

import os
from pathlib import Path

import attrs
import pytest
from click.testing import CliRunner, Result

import voeflow
from voeflow._command import main
from voeflow._expectations import Expectation
from voeflow._pipeline import load_pipeline
from voeflow._plugins import load_plugins
from voeflow.testing import sample_packet

PIPELINE = """
ivoid = "ivo://org.example/voeflow"
[transports.in]
plugin = "replay"
directory = "packets"
[transports.upstream]
plugin = "vtp-subscribe"
remote = "broker.invalid"
[transports.public]
plugin = "vtp-broadcast"
listen = "0"
[filters.test]
plugin = "role"
roles = ["test"]
[filters.fresh]
plugin = "age"
at_most = "10 min"
[filters.first]
plugin = "once"
param = "Trigger_Number"
[handlers.archive]
plugin = "save"
directory = "events"
sources = ["upstream"]
[handlers.act]
plugin = "spawn"
command = ["true"]
when = "fresh and not test"
"""

GOOD = """
[[tests]]
name = "a burst is acted on"
event = "burst.xml"
received = "2026-11-24T01:05:00"
source = "upstream"
holds = ["fresh"]
holds_not = "test"
reaches = ["act", "archive", "public"]

[[tests]]
name = "a test is not"
event = "test.xml"
source = "in"
reaches_not = ["act", "archive"]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    for name in ("burst", "burst-refined", "test"):
        (tmp_path / f"{name}.xml").write_bytes(sample_packet(name))
    return tmp_path / "pipeline.toml"


def run(path: Path, tests: str = "", command: str = "test") -> Result:
    path.write_text(PIPELINE + tests)
    return CliRunner(env={"COLUMNS": "200"}).invoke(main, [command, str(path)])


def test_a_pipeline_that_does_as_expected_passes(path: Path) -> None:
    result = run(path, GOOD)

    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert ["a", "burst", "is", "acted", "on", "burst.xml", "passed"] in lines
    assert result.output.splitlines()[-1] == "2 tests: 2 passed, 0 failed."
    assert not (path.parent / "events").exists()


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ('holds = ["test"]', "filter test: expected to hold, but it does not hold: role is observation"),
        ('holds_not = ["first"]', "filter first: expected not to hold, but it holds"),
        (
            'reaches = ["act"]',
            "sink act: expected to get the event, but it does not: fresh does not hold: ",
        ),
        (
            'reaches_not = ["public"]',
            "sink public: expected not to get the event, but it does: it gets every",
        ),
        (
            'source = "in"\nreaches = ["archive"]',
            "sink archive: expected to get the event, but it does not: it comes through in, not ",
        ),
    ],
)
def test_what_is_not_as_expected_is_told_with_the_reason(path: Path, expected: str, told: str) -> None:
    table = f'[[tests]]\nname = "x"\nevent = "burst.xml"\nreceived = "2026-11-25T00:00:00"\n{expected}\n'
    result = run(path, table)

    assert result.exit_code == 1
    assert told in result.output
    assert "FAILED" in result.output
    assert "1 test: 0 passed, 1 failed." in result.output


def test_all_that_fails_is_told_not_the_first_of_it(path: Path) -> None:
    result = run(
        path,
        GOOD.replace('["fresh"]', '["first"]').replace('"test"', '"fresh"').replace("reaches_not", "reaches"),
    )

    assert result.exit_code == 1
    assert result.output.count("expected") == 3
    assert "2 tests: 0 passed, 2 failed." in result.output


def test_filters_that_remember_are_asked_about_what_came_before(path: Path) -> None:
    first = '[[tests]]\nname = "first"\nevent = "burst-refined.xml"\nholds = "first"\n'
    again = (
        '[[tests]]\nname = "again"\nevent = "burst-refined.xml"\nafter = "burst.xml"\nholds_not = "first"\n'
    )
    result = run(path, again + first)

    assert result.exit_code == 0, result.output


def test_an_event_that_is_none_fails_its_test(path: Path) -> None:
    path.with_name("no.xml").write_bytes(sample_packet("doctype"))
    result = run(path, '[[tests]]\nname = "x"\nevent = "no.xml"\nholds = "test"\n')

    assert result.exit_code == 1
    assert "no VOEvent that can be taken" in result.output


def test_a_pipeline_without_tests_says_so(path: Path) -> None:
    result = run(path)

    assert result.exit_code == 2
    assert "has no [[tests]]" in result.output


X = 'name = "x"\nevent = "burst.xml"\n'
BAD = [
    (X + 'holds = "tset"', 'tests[0].holds: no filter is named "tset" (did you mean "test"?)'),
    (X + 'holds_not = ["tset"]', 'tests[0].holds_not: no filter is named "tset"'),
    (X + 'reaches = "archiv"', 'no sink is named "archiv" (did you mean "archive"?)'),
    (X + 'reaches = "in"', 'tests[0].reaches: no sink is named "in"'),
    (X + 'reaches_not = ["acd"]', 'no sink is named "acd" (did you mean "act"?)'),
    (X + 'holds = "test"\nholds_not = "test"', '"test" stands under holds too'),
    (X + 'reaches = "act"\nreaches_not = "act"', '"act" stands under reaches too'),
    (X, "tests[0]: nothing is expected"),
    ('name = "x"\nevnt = "a.xml"\nholds = "test"', 'tests[0].evnt: no such key (did you mean "event"?)'),
    ('name = "x"\nholds = "test"', "tests[0].event: is missing"),
    ('event = "burst.xml"\nholds = "test"', "tests[0].name: is missing"),
    ('name = " "\nevent = "burst.xml"\nholds = "test"', "tests[0].name: expected some words"),
    ('name = "x"\nevent = "none.xml"\nholds = "test"', "tests[0].event: there is no file"),
    (X + 'after = "none.xml"\nholds = "test"', "tests[0].after: there is no file"),
    (X + 'source = "public"\nholds = "test"', "tests[0].source: no events come in"),
    (X + 'received = "noon"\nholds = "test"', "tests[0].received: expected a time"),
    (X + "holds = 3", "tests[0].holds: expected"),
    (X + f'holds = "test"\n[[tests]]\n{X}holds = "test"', 'tests[1].name: another test is named "x"'),
]


@pytest.mark.parametrize("command", ["test", "check"])
@pytest.mark.parametrize(("table", "told"), BAD)
def test_a_mistake_is_told_with_its_place_and_remedy(path: Path, table: str, told: str, command: str) -> None:
    result = run(path, f"[[tests]]\n{table}\n", command)

    assert result.exit_code == 2
    assert told in result.output
    assert "tests[" in result.output.splitlines()[0]


@pytest.mark.parametrize(
    ("given", "got"), [("tests = 3\n", "got 3"), ("[tests]\na = 1\n", "expected tables [[tests]]")]
)
def test_what_is_no_list_of_tables_is_told(path: Path, given: str, got: str) -> None:
    path.write_text(given + PIPELINE if "[" not in given else PIPELINE + given)
    result = CliRunner().invoke(main, ["check", str(path)])

    assert result.exit_code == 2
    assert got in result.output


def test_a_node_runs_without_the_files_of_its_tests(path: Path) -> None:
    path.write_text(PIPELINE + GOOD)
    path.with_name("burst.xml").unlink()

    assert len(load_pipeline(path, load_plugins(), os.environ).tests) == 2
    with pytest.raises(voeflow.PipelineError, match="there is no file"):
        load_pipeline(path, load_plugins(), os.environ, with_tests=True)


def test_what_else_is_wrong_in_a_test_is_told_in_the_same_go(path: Path) -> None:
    wrong = """
[[tests]]
evnt = "burst.xml"
hold = "test"
received = "noon"
holds_not = [3]
reaches = "archiv"
after = "gone.xml"
source = "public"
[[tests]]
name = "y"
event = "none.xml"
holds = "test"
"""
    told = run(path, wrong, "check").output.splitlines()

    places = {line.split(": ")[1] for line in told[:-1]}
    keys = ("evnt", "hold", "name", "event", "received", "holds_not[0]", "reaches", "after", "source")
    assert places == {*(f"tests[0].{key}" for key in keys), "tests[1].event"}
    assert told[-1].startswith("10 mistakes found")


def test_the_help_tells_every_key_of_a_test() -> None:
    told = CliRunner().invoke(main, ["test", "--help"]).output.split("The keys of a test are ")[1]

    keys = told.split(".")[0].replace(" and ", ", ").replace("\n", " ").split(",")
    assert {key.strip() for key in keys} == {field.name for field in attrs.fields(Expectation)}


def test_check_counts_the_tests(path: Path) -> None:
    assert "2 handlers, 2 tests." in run(path, GOOD, "check").output


def test_mistakes_of_tests_come_after_all_others(path: Path) -> None:
    result = run(
        path, '[[tests]]\nname = "x"\nevent = "burst.xml"\nholds = "tset"\n[handlers.z]\nplugin = "svae"\n'
    )

    lines = result.output.splitlines()
    assert "handlers.z" in lines[0]
    assert "tests[0]" in lines[1]


def test_looking_into_the_store_does_not_hang_on_tests(path: Path) -> None:
    path.write_text(PIPELINE + GOOD)
    result = CliRunner().invoke(main, ["events", "list", str(path)])

    assert "tests" not in result.output
