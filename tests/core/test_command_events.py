"""`voeflow events replay` and `export`: what they do to the store and the disk, and their exit statuses."""

from __future__ import annotations

import base64
import io
import json
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import attrs
import pytest
import trio
from click.testing import CliRunner, Result

from support.nodes import Notebook, running
from support.samples import voevent
from support.stored import new_event
from voeflow import Attachment, _bookkeeping
from voeflow._command import main
from voeflow._command._progress import MANY, progress
from voeflow._store import NewEvent, Store

NODE = """
[transports.in]
plugin = "hand"
[transports.out]
plugin = "wire"
[handlers.notes]
plugin = "notebook"
retries = 0
failures = 1
"""

#: What the command reads: of the same store and sinks, with installed plugins.
PIPELINE = """
ivoid = "ivo://a.bc/node"
[transports.in]
plugin = "replay"
directory = "packets"
[transports.out]
plugin = "vtp-broadcast"
[filters.test]
plugin = "role"
roles = ["test"]
[handlers.notes]
plugin = "save"
directory = "events"
when = "test"
[handlers.later]
plugin = "save"
directory = "events"
"""

PACKETS = {
    1: voevent("ivo://a.bc/d#1"),
    2: voevent("ivo://a.bc/d#2", role="test"),
    3: voevent("ivo://a.bc/e#3", author="ivo://a.bc/e"),
}


def voeflow(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """A pipeline whose store has three events, the first a dead letter of `notes`."""

    async def fill() -> None:
        async with running(tmp_path, NODE) as (loaded, _):
            for number, packet in PACKETS.items():
                await loaded.transports["in"].instance.node.submit(packet)
                await loaded.handlers["notes"].instance.wait(number)

    trio.run(fill)
    path = tmp_path / "pipeline.toml"
    path.write_text(PIPELINE)
    return path


def asked(pipeline: Path, sink: str = "notes") -> list[int]:
    store = Store.open(pipeline.with_name("voeflow.db"))
    try:
        return [row.seq for row in store.asked(sink, 99, 99)]
    finally:
        store.close()


@pytest.mark.parametrize(
    ("options", "seqs"),
    [
        (["--yes"], [1, 2, 3]),
        (["--dead"], [1]),
        (["--role", "test"], [2]),
        (["--author", "ivo://a.bc/*"], [3]),
        (["--ivorn", "ivo://a.bc/d#*"], [1, 2]),
        (["--where", "not test"], [1, 3]),
        (["--where", "not test", "--limit", "1"], [3]),
        (["--where", "not test", "--dead"], [1]),
        (["--since", "1 hour", "--limit", "2"], [2, 3]),
    ],
)
def test_replay_asks_for_what_is_selected(pipeline: Path, options: list[str], seqs: list[int]) -> None:
    result = voeflow("events", "replay", pipeline, "--to", "notes", *options)

    assert result.exit_code == 0, result.output
    assert f"{len(seqs)} event{'s' if len(seqs) > 1 else ''} will be handed to notes again" in result.output
    assert asked(pipeline) == seqs
    assert asked(pipeline, "out") == []


def test_a_replay_of_all_there_is_is_refused_where_nobody_can_be_asked(pipeline: Path) -> None:
    result = voeflow("events", "replay", pipeline, "--to", "notes")

    assert result.exit_code == 2
    assert "this would hand all 3 events to notes: say which, or --yes" in result.output
    assert asked(pipeline) == []


@pytest.mark.parametrize("options", [["--until", "2020-01-01"], ["--ivorn", "ivo://a.bc/none#*"]])
def test_replay_of_nothing_exits_with_1(pipeline: Path, options: list[str]) -> None:
    result = voeflow("events", "replay", pipeline, "--to", "notes", *options)

    assert result.exit_code == 1
    assert "nothing is handed over again" in result.output


def test_the_dead_letters_of_another_sink_are_not_meant(pipeline: Path) -> None:
    assert voeflow("events", "replay", pipeline, "--to", "out", "--dead").exit_code == 1


def test_a_dead_letter_that_is_replayed_is_listed_no_more(pipeline: Path) -> None:
    assert voeflow("events", "list", pipeline, "--dead").exit_code == 0
    voeflow("events", "replay", pipeline, "--to", "notes", "--dead")

    assert voeflow("events", "list", pipeline, "--dead").exit_code == 1
    facts = json.loads(voeflow("events", "show", pipeline, "ivo://a.bc/d#1", "--format", "json").output)
    assert {each["sink"]: each["state"] for each in facts["deliveries"]} == {
        "notes": "waiting",
        "out": "delivered",
    }


@pytest.mark.parametrize(
    ("sink", "told"),
    [
        ("note", 'did you mean "notes"?'),
        ("in", "nothing goes out to it"),
        ("zzz", "the sinks are out, notes, later"),
    ],
)
def test_what_is_no_sink_is_told_with_the_nearest(pipeline: Path, sink: str, told: str) -> None:
    result = voeflow("events", "replay", pipeline, "--to", sink)

    assert result.exit_code == 2
    assert told in result.output


def test_a_sink_that_no_node_has_run_with_is_told(pipeline: Path) -> None:
    result = voeflow("events", "replay", pipeline, "--to", "later", "--yes")

    assert result.exit_code == 1
    assert "run the node with it first" in result.output


async def test_a_running_node_does_what_the_command_asks(
    pipeline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_bookkeeping, "REPLAY_INTERVAL", 0.01)
    async with running(pipeline.parent, NODE.replace("failures = 1", "")) as (loaded, _):
        other = pipeline.with_name("other.toml")
        await trio.Path(other).write_text(PIPELINE)
        result = await trio.to_thread.run_sync(
            lambda: voeflow("events", "replay", other, "--to", "notes", "--dead")
        )
        assert result.exit_code == 0, result.output
        notes: Notebook = loaded.handlers["notes"].instance
        seen = await notes.wait(1)

    assert [(ivorn, attempt) for ivorn, _, attempt in seen] == [("ivo://a.bc/d#1", 2)]


@pytest.mark.parametrize("target", ["out", "out.tar", "out.tar.gz"])
def test_export_writes_the_packets_byte_for_byte(pipeline: Path, tmp_path: Path, target: str) -> None:
    result = voeflow("events", "export", pipeline, "--to", tmp_path / target)

    assert result.exit_code == 0, result.output
    assert "3 packets written" in result.output
    if target == "out":
        found = [file.read_bytes() for file in (tmp_path / "out").iterdir()]
        assert sorted(found) == sorted(PACKETS.values())
    else:
        with tarfile.open(tmp_path / target) as archive:
            files = [archive.extractfile(member) for member in archive.getmembers()]
            assert [file.read() for file in files if file] == list(PACKETS.values())


@pytest.mark.parametrize(
    ("options", "numbers"),
    [([], [1, 2, 3]), (["--dead"], [1]), (["--where", "test"], [2]), (["--limit", "2"], [2, 3])],
)
def test_exported_lines_have_facts_and_packets_oldest_first(
    pipeline: Path, tmp_path: Path, options: list[str], numbers: list[int]
) -> None:
    result = voeflow("events", "export", pipeline, "--to", tmp_path / "x.jsonl", *options)

    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert [base64.b64decode(row["raw"]) for row in rows] == [PACKETS[number] for number in numbers]
    assert all(row["position"]["ra"] == pytest.approx(83.633) and row["role"] for row in rows)


def test_export_of_nothing_exits_with_1_and_writes_nothing(pipeline: Path, tmp_path: Path) -> None:
    result = voeflow("events", "export", pipeline, "--to", tmp_path / "x.tar", "--until", "2020-01-01")

    assert result.exit_code == 1
    assert not (tmp_path / "x.tar").exists()


def test_export_replaces_nothing_unless_forced(pipeline: Path, tmp_path: Path) -> None:
    target = tmp_path / "x.jsonl"
    target.write_text("mine")
    result = voeflow("events", "export", pipeline, "--to", target)

    assert result.exit_code == 1
    assert "--force" in result.output
    assert target.read_text() == "mine"
    assert voeflow("events", "export", pipeline, "--to", target, "--force").exit_code == 0
    assert len(target.read_text().splitlines()) == 3


def test_export_to_what_is_neither_directory_nor_archive_exits_with_2(pipeline: Path, tmp_path: Path) -> None:
    result = voeflow("events", "export", pipeline, "--to", tmp_path / "x.zip")

    assert result.exit_code == 2
    assert ".jsonl" in result.output


def test_export_where_it_cannot_be_written_says_so(pipeline: Path, tmp_path: Path) -> None:
    result = voeflow("events", "export", pipeline, "--to", tmp_path / "none" / "x.tar")

    assert result.exit_code == 1
    assert "No such file or directory" in result.output


@pytest.mark.parametrize(("number", "shown"), [(MANY - 1, False), (MANY, True)])
def test_much_work_shows_a_bar_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, number: int, shown: bool
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with progress("exporting", number) as tell:
        tell(number)

    assert ("exporting" in terminal.getvalue()) is shown


def store_of(path: Path, *events: NewEvent) -> Path:
    """Write a pipeline whose store has these events."""
    store = Store.open(path / "voeflow.db")
    store.append(events)
    store.close()
    pipeline = path / "pipeline.toml"
    pipeline.write_text(PIPELINE)
    return pipeline


def test_an_event_that_leaves_the_store_while_it_is_shown_is_told(tmp_path: Path) -> None:
    notice = Attachment("notice.json", "application/json", b"{}")
    event = new_event(1, ivorn="ivo://a.bc/d#1", raw=PACKETS[1])
    pipeline = store_of(tmp_path, attrs.evolve(event, attachments=(notice,)))
    with closing(sqlite3.connect(tmp_path / "voeflow.db")) as connection:
        connection.execute("DELETE FROM attachments")
        connection.commit()

    for command in (["events", "show"], ["events", "show", "--attachment", "notice.json"], ["explain"]):
        result = voeflow(*command, pipeline, "ivo://a.bc/d#1")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "event ivo://a.bc/d#1 has just left" in result.stderr
    assert voeflow("events", "list", pipeline, "--where", "not test").exit_code == 1


def test_what_cannot_be_parsed_any_more_is_told_in_a_line_and_the_command_goes_on(tmp_path: Path) -> None:
    damaged = new_event(1, ivorn="ivo://a.bc/d#1", raw=b"<damaged")
    pipeline = store_of(tmp_path, damaged, new_event(2, ivorn="ivo://a.bc/d#2", raw=PACKETS[2]))
    told = "ivo://a.bc/d#1: the packet cannot be read any more: "

    shown = voeflow("events", "show", pipeline, "ivo://a.bc/d#1")
    assert (shown.exit_code, shown.stderr.count(told)) == (0, 1)
    assert "role: observation" in shown.stdout

    lines = tmp_path / "events.jsonl"
    exported = voeflow("events", "export", pipeline, "--to", lines)
    assert (exported.exit_code, exported.stderr.count(told)) == (0, 1)
    first, second = map(json.loads, lines.read_text().splitlines())
    assert (base64.b64decode(first["raw"]), first["params"]) == (b"<damaged", [])
    assert first.keys() == second.keys()

    listed = voeflow("events", "list", pipeline, "--where", "test", "--format", "ivorn")
    assert (listed.exit_code, listed.stdout) == (0, "ivo://a.bc/d#2\n")
    assert listed.stderr.startswith("ivo://a.bc/d#1: left out: ")

    explained = voeflow("explain", pipeline, "ivo://a.bc/d#1")
    assert (explained.exit_code, explained.stderr.count(told)) == (1, 1)
