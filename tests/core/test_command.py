"""The command: what it prints and its exit statuses."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner, Result

from support.nodes import running
from support.samples import voevent
from voeflow._command import main
from voeflow._command.plugins import _documentation
from voeflow._event import Event
from voeflow_filters.role import Role

PIPELINE = """
[transports.in]
plugin = "replay"
directory = "packets"
[filters.test]
plugin = "role"
roles = ["test"]
[filters.svom]
plugin = "author"
authors = ["ivo://obspm.gepi/svom"]
[handlers.archive]
plugin = "save"
directory = "events"
[handlers.act]
plugin = "spawn"
command = ["true"]
when = "svom and not test"
"""


def voeflow(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.toml"
    path.write_text(PIPELINE)
    return path


@pytest.fixture
def packet(tmp_path: Path) -> Path:
    path = tmp_path / "packet.xml"
    path.write_bytes(voevent())
    return path


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A pipeline whose store has three events, a dead letter and a refusal."""

    async def fill() -> None:
        toml = """
[transports.in]
plugin = "hand"
[handlers.notes]
plugin = "notebook"
retries = 0
failures = 1
[filters.never]
plugin = "role"
roles = ["utility"]
[handlers.choosy]
plugin = "notebook"
when = "never"
"""
        async with running(tmp_path, toml) as (pipeline, _):
            submit = pipeline.transports["in"].instance.node.submit
            await submit(voevent("ivo://a.bc/d#1"))
            await pipeline.handlers["notes"].instance.wait(1)
            await submit(voevent("ivo://a.bc/d#2", role="test"))
            await submit(voevent("ivo://a.bc/e#3", author="ivo://a.bc/e"))
            await submit(b"<html/>", peer="192.0.2.7:1234")
            await pipeline.handlers["notes"].instance.wait(3)

    trio.run(fill)
    path = tmp_path / "pipeline.toml"
    path.write_text(PIPELINE)
    return path


def test_help_lists_every_command() -> None:
    result = voeflow("--help")

    assert result.exit_code == 0
    for name in ("run", "check", "test", "send", "listen", "events", "sources", "sinks", "plugins", "init"):
        assert f"\n  {name} " in result.output


def test_a_misspelt_command_is_told_the_nearest() -> None:
    result = voeflow("chek", "x.toml")

    assert result.exit_code == 2
    assert "Did you mean 'check'?" in result.output


def test_check_says_that_a_pipeline_is_good(pipeline: Path) -> None:
    result = voeflow("check", pipeline)

    assert result.exit_code == 0
    assert "good: 1 transport, 2 filters, 2 handlers" in result.output


def test_check_tells_every_mistake_and_exits_with_2(pipeline: Path) -> None:
    pipeline.write_text(PIPELINE.replace("roles", "rolls").replace("svom and", "swom and"))
    result = voeflow("check", pipeline)

    assert result.exit_code == 2
    assert "filters.test.rolls" in result.output
    assert 'did you mean "svom"' in result.output
    assert "2 mistakes" in result.output or "3 mistakes" in result.output


def test_check_of_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    result = voeflow("check", tmp_path / "none.toml")

    assert result.exit_code == 2
    assert "voeflow init" in result.output


def test_init_writes_a_pipeline_that_is_good(tmp_path: Path) -> None:
    first = voeflow("init", tmp_path / "site")

    assert first.exit_code == 0
    assert voeflow("check", tmp_path / "site" / "pipeline.toml").exit_code == 0


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "pipeline.toml").write_text("mine")
    result = voeflow("init", tmp_path)

    assert result.exit_code == 1
    assert (tmp_path / "pipeline.toml").read_text() == "mine"


def test_test_says_which_filters_hold_and_why_and_which_sinks_get_it(pipeline: Path, packet: Path) -> None:
    result = voeflow("test", pipeline, packet)

    assert result.exit_code == 0
    lines = [line.split() for line in result.output.splitlines()]
    assert ["test", "no", "role", "is", "observation"] in lines
    assert ["archive", "yes", "always"] in lines
    assert ["act", "yes", "svom", "and", "not", "test"] in lines


def test_test_runs_and_saves_nothing(pipeline: Path, packet: Path) -> None:
    voeflow("test", pipeline, packet)

    assert {path.name for path in pipeline.parent.iterdir()} == {"pipeline.toml", "packet.xml"}


def test_test_of_what_is_no_event_exits_with_1_and_goes_on(pipeline: Path, packet: Path) -> None:
    bad = packet.with_name("bad.xml")
    bad.write_bytes(b"<html/>")
    result = voeflow("test", pipeline, bad, packet)

    assert result.exit_code == 1
    assert "bad.xml: no VOEvent" in result.output
    assert "trigger-1" in result.output


def test_test_exits_with_1_where_a_filter_gives_no_answer(
    pipeline: Path, packet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def matches(self: object, event: Event) -> bool:
        raise KeyError("FAR")

    monkeypatch.setattr(Role, "matches", matches)
    result = voeflow("test", pipeline, packet)

    assert result.exit_code == 1
    assert "no answer" in result.output


def test_events_list_shows_the_newest_first(stored: Path) -> None:
    result = voeflow("events", "list", stored, "--format", "ivorn")

    assert result.exit_code == 0
    assert result.output.split() == ["ivo://a.bc/e#3", "ivo://a.bc/d#2", "ivo://a.bc/d#1"]


@pytest.mark.parametrize(
    ("options", "ivorns"),
    [
        (["--role", "test"], ["ivo://a.bc/d#2"]),
        (["--author", "ivo://a.bc/*"], ["ivo://a.bc/e#3"]),
        (["--ivorn", "ivo://a.bc/d#*"], ["ivo://a.bc/d#2", "ivo://a.bc/d#1"]),
        (["--where", "not test"], ["ivo://a.bc/e#3", "ivo://a.bc/d#1"]),
        (["--since", "1 hour", "--limit", "1"], ["ivo://a.bc/e#3"]),
        (["--until", "2020-01-01"], []),
        (["--dead"], ["ivo://a.bc/d#1"]),
    ],
)
def test_events_list_selects(stored: Path, options: list[str], ivorns: list[str]) -> None:
    result = voeflow("events", "list", stored, "--format", "ivorn", *options)

    assert result.stdout.split() == ivorns
    assert result.exit_code == (0 if ivorns else 1)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--role", "utility"], "events"),
        (["--dead", "--author", "none"], "dead letters"),
        (["--refused", "--until", "2020-01-01"], "refusals"),
    ],
)
def test_events_list_says_that_it_finds_nothing(stored: Path, options: list[str], what: str) -> None:
    result = voeflow("events", "list", stored, *options)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"there are no such {what} in {stored.with_name('voeflow.db')}\n"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--role", "tset"], "'tset' is not one of 'observation', 'prediction', 'utility', 'test'"),
        (["--since", "999999999999 days"], 'expected a time such as "2026-11-24T01:30" (UTC) or "2 hours"'),
        (["--until", "9" * 400 + " days"], "expected a time such as"),
    ],
)
def test_events_list_refuses_what_selects_nothing(stored: Path, options: list[str], told: str) -> None:
    result = voeflow("events", "list", stored, *options)

    assert result.exit_code == 2
    assert told in result.stderr


def test_events_list_tells_why_a_delivery_was_given_up(stored: Path) -> None:
    result = voeflow("events", "list", stored, "--dead")

    assert "notes" in result.output
    assert "no ink" in result.output


def test_events_list_tells_why_a_packet_was_refused(stored: Path) -> None:
    result = voeflow("events", "list", stored, "--refused", "--format", "json")

    row = json.loads(result.output)
    assert row["peer"] == "192.0.2.7:1234"
    assert "VOEvent" in row["reason"]


def test_events_show_prints_the_bytes_as_they_came(stored: Path) -> None:
    result = voeflow("events", "show", stored, "ivo://a.bc/d#1", "--raw")

    assert result.stdout_bytes == voevent("ivo://a.bc/d#1")


def test_events_show_tells_the_facts_and_what_became_of_it(stored: Path) -> None:
    result = voeflow("events", "show", stored, "ivo://a.bc/d#1", "--format", "json")

    facts = json.loads(result.output)
    assert facts["position"]["ra"] == pytest.approx(83.633)
    assert {each["sink"]: each["state"] for each in facts["deliveries"]} == {
        "choosy": "not wanted",
        "notes": "dead",
    }
    text = voeflow("events", "show", stored, "ivo://a.bc/d#1").output
    assert "sink notes: dead after 1 attempt" in text


def test_events_show_says_when_a_sink_had_the_event_and_which_did_not_want_it(stored: Path) -> None:
    text = voeflow("events", "show", stored, "ivo://a.bc/d#2").output

    assert re.search(r"sink notes: delivered at 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ\n", text)
    assert "sink choosy: not wanted\n" in text


@pytest.mark.parametrize("words", [["events", "list"], ["test"]])
def test_a_table_in_a_pipe_has_no_blanks_at_the_ends_of_its_lines(
    stored: Path, packet: Path, words: list[str]
) -> None:
    lines = voeflow(*words, stored, *([packet] if words == ["test"] else [])).output.splitlines()

    assert len(lines) >= 3
    assert [line for line in lines if line != line.rstrip()] == []


def test_events_show_of_none_exits_with_1(stored: Path) -> None:
    assert voeflow("events", "show", stored, "ivo://a.bc/none#1").exit_code == 1


def test_events_of_a_pipeline_that_never_ran_says_so(pipeline: Path) -> None:
    result = voeflow("events", "list", pipeline)

    assert result.exit_code == 1
    assert "has a node been run" in result.output


def test_plugins_lists_what_is_installed_and_where_from() -> None:
    result = voeflow("plugins")

    assert result.exit_code == 0
    for name in ("vtp-receive", "vtp-broadcast", "vtp-subscribe", "xpath", "role", "author", "save", "email"):
        assert f" {name} " in result.output
    assert "voeflow 0.1.0" in result.output


def test_plugins_of_a_name_tells_its_options() -> None:
    result = voeflow("plugins", "save")

    assert result.exit_code == 0
    assert "directory" in result.output
    assert "(required)" in result.output or "path" in result.output


def test_a_terminal_breaks_the_lines_of_documentation_itself() -> None:
    class Documented:
        """Pass events.

        The first line of a paragraph,
        and its second: `when` is
        `test`.

            [filters.x]
            plugin = "x"

        - one
        - two
        """

    assert _documentation(Documented, fitted=False) == inspect.getdoc(Documented)
    assert _documentation(Documented, fitted=True) == (
        "Pass events.\n\nThe first line of a paragraph, and its second: `when` is `test`.\n\n"
        '    [filters.x]\n    plugin = "x"\n\n- one\n- two'
    )


def test_plugins_of_an_unknown_name_tells_the_nearest() -> None:
    result = voeflow("plugins", "sav")

    assert result.exit_code == 1
    assert "Did you mean 'save'?" in result.output


def test_events_needs_neither_secrets_nor_transports_to_look_into_the_store(stored: Path) -> None:
    stored.write_text(PIPELINE + '[handlers.duty]\nplugin = "email"\npassword = "${NOT_SET_HERE}"\n')
    result = voeflow("events", "list", stored, "--format", "ivorn", "--where", "test")

    assert result.output.split() == ["ivo://a.bc/d#2"]


def test_replay_to_what_is_no_sink_says_so(stored: Path) -> None:
    result = voeflow("events", "replay", stored, "--to", "in")
    assert (result.exit_code, "nothing goes out to it" in result.output) == (2, True)
    result = voeflow("events", "replay", stored, "--to", "archiv")
    assert (result.exit_code, '"archive"' in result.output) == (2, True)
