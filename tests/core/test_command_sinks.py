"""`voeflow sinks`: what each sink was last given and has still to do, and a status that a monitor can use."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import trio
import trio.testing
from click.testing import CliRunner, Result

from support.nodes import running
from support.samples import voevent
from support.stored import new_event
from voeflow._command import main
from voeflow._store import Progress, Store, Waiting
from voeflow._store_asked import ask_again
from voeflow._store_records import Delivered

#: With installed plugins, one that is not, and a secret that is not set.
PIPELINE = """
ivoid = "ivo://a.bc/node"
store = "voeflow.db"
[handlers.duty]
plugin = "email"
server = "${MAIL_SERVER}"
[handlers.archive]
plugin = "save"
[handlers.gone]
plugin = "no-such-plugin"
[handlers.added]
plugin = "print"
[transports.upstream]
plugin = "vtp-subscribe"
remote = "broker.example.org"
[transports.out]
plugin = "vtp-broadcast"
"""

NODE = """
ivoid = "ivo://a.bc/node"
store = "voeflow.db"
[transports.upstream]
plugin = "hand"
[transports.out]
plugin = "wire"
[handlers.duty]
plugin = "notebook"
failures = 100
retry_wait = "1 hour"
[handlers.archive]
plugin = "notebook"
"""

#: 2026-11-24T01:00:00Z
NIGHT = 1795482000.0


def sinks(path: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["sinks", str(path), *words])


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """A pipeline whose store has nine events, which three sinks have taken, each in its way."""
    with closing(Store.open(tmp_path / "voeflow.db")) as store:
        store.open_sinks(["archive", "duty", "gone"])
        store.append([new_event(number) for number in range(1, 10)])
        failed = [
            Waiting(7, 2, NIGHT + 600, "connection \x1b[31mrefused", since=NIGHT),
            Waiting(8, 1, NIGHT + 300, "held back"),
            Waiting(5, 9, NIGHT + 60, "no such user", dead=True),
        ]
        store.save_progress(
            [
                Progress("duty", 6, failed, delivered=[Delivered(4, NIGHT, 1)]),
                Progress("archive", 9, delivered=[Delivered(seq, NIGHT + seq, 1) for seq in range(1, 10)]),
            ]
        )
        store.open_sinks(["archive", "duty"])
    path = tmp_path / "pipeline.toml"
    path.write_text(PIPELINE)
    return path


def test_the_table_has_a_line_for_each_sink_in_the_order_of_the_file(pipeline: Path) -> None:
    result = sinks(pipeline)

    head, duty, archive, gone, added, out, *remarks = result.stdout.splitlines()
    assert head.split("  ")[0] == "sink"
    assert duty.split() == ["duty", "email", "2026-11-24T01:00:00Z", "1", "2", "1", "1"]
    assert archive.split() == ["archive", "save", "2026-11-24T01:00:09Z", "0", "0", "0", "0"]
    assert gone.split() == ["gone", "-", "-", "9", "0", "0", "0"]
    assert added.split() == ["added", "print", "not", "known", "yet", "-", "-", "-", "-"]
    assert out.split()[:3] == ["out", "vtp-broadcast", "not"]
    assert remarks == [
        "duty: failed, next try at 2026-11-24T01:10:00Z: connection \\x1b[31mrefused",
        "duty: given up at 2026-11-24T01:01:00Z: no such user",
        "gone: not in use: the pipeline that a node read last was without it",
        "added: no node has run with it yet; once one does, it begins with the next event",
        "out: no node has run with it yet; once one does, it begins with the next event",
    ]


def test_json_has_one_object_a_line_with_all_that_is_known(pipeline: Path) -> None:
    result = sinks(pipeline, "--format", "json")

    duty, archive, gone, added, out = (json.loads(line) for line in result.stdout.splitlines())
    assert duty == {
        "sink": "duty",
        "plugin": "email",
        "known": True,
        "in_use": True,
        "last_delivered": "2026-11-24T01:00:00+00:00",
        "to_come": 1,
        "waiting": 2,
        "failed": 1,
        "next_try": "2026-11-24T01:10:00+00:00",
        "reason": "connection \x1b[31mrefused",
        "dead": 1,
        "last_given_up": "2026-11-24T01:01:00+00:00",
        "dead_reason": "no such user",
    }
    assert (archive["to_come"], archive["next_try"], archive["reason"]) == (0, None, "")
    assert (gone["plugin"], gone["known"], gone["in_use"], gone["to_come"]) == (None, True, False, 9)
    assert (added["known"], added["last_delivered"], added["to_come"], out["sink"]) == (False, None, 0, "out")


def test_failed_deliveries_that_wait_make_the_status_1_and_so_do_dead_letters(pipeline: Path) -> None:
    assert sinks(pipeline).exit_code == 1
    pipeline.write_text(PIPELINE.replace("[handlers.duty]", "[handlers.other]"))
    assert sinks(pipeline).exit_code == 0

    for row in (
        Waiting(3, 1, NIGHT, "refused", since=NIGHT),
        Waiting(3, 9, NIGHT, "refused", since=NIGHT, dead=True),
    ):
        with closing(Store.open(pipeline.with_name("voeflow.db"))) as store:
            store.open_sinks(["archive"])
            store.save_progress([Progress("archive", 9, [row])])
        assert sinks(pipeline).exit_code == 1


def test_what_is_put_off_or_handed_over_again_is_no_fault(pipeline: Path) -> None:
    pipeline.write_text(PIPELINE.replace("[handlers.duty]", "[handlers.other]"))
    with closing(Store.open(pipeline.with_name("voeflow.db"))) as store:
        store.open_sinks(["archive"])
        store.save_progress([Progress("archive", 9, [Waiting(3, 1, NIGHT, "it is held back for a digest")])])
        ask_again(store.path, "archive", [1, 2])

    result = sinks(pipeline)
    assert result.exit_code == 0
    archive = result.stdout.splitlines()[2]
    assert archive.split()[3:] == ["0", "3", "0", "0"]
    assert "archive: put off until 2026-11-24T01:00:00Z: it is held back for a digest" in result.stdout


def test_a_pipeline_that_never_ran_says_so(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text(PIPELINE)
    result = sinks(path)

    assert result.exit_code == 1
    assert "has a node been run with this pipeline?" in result.stderr


def test_a_store_of_an_older_format_is_left_as_it_is(pipeline: Path) -> None:
    with closing(sqlite3.connect(pipeline.with_name("voeflow.db"))) as connection:
        connection.execute("PRAGMA user_version = 4")
    result = sinks(pipeline)

    assert result.exit_code == 1
    assert "older format" in result.stderr


def test_a_pipeline_that_is_wrong_makes_the_status_2(pipeline: Path) -> None:
    pipeline.write_text("ivoid = 1\n")

    assert sinks(pipeline).exit_code == 2


def test_a_running_node_is_looked_at_without_disturbing_it(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(PIPELINE)

    async def look() -> None:
        async with running(tmp_path, NODE) as (loaded, _):
            await loaded.transports["upstream"].instance.node.submit(voevent())
            await loaded.handlers["archive"].instance.wait(1)
            await loaded.handlers["duty"].instance.wait(1)
            await loaded.transports["out"].instance.wait(1)
            with trio.fail_after(3000.0):
                while True:  # until a thread of the node has written what its sinks have done
                    clock.jump(61.0)
                    result = await trio.to_thread.run_sync(sinks, other, "--format", "json")
                    duty, archive, _, _, out = (json.loads(line) for line in result.stdout.splitlines())
                    if out["last_delivered"] and duty["failed"]:
                        break
            assert result.exit_code == 1
            assert (duty["failed"], duty["waiting"], duty["to_come"], duty["dead"]) == (1, 1, 0, 0)
            assert (duty["last_delivered"], "no ink" in duty["reason"]) == (None, True)
            assert (archive["failed"], archive["to_come"], out["to_come"]) == (0, 0, 0)
            assert archive["last_delivered"] is not None

    clock = trio.testing.MockClock()
    trio.run(look, clock=clock)
