"""`voeflow sources`: what each source last heard, and the exit status that a monitor can use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio
import trio.testing
from click.testing import CliRunner, Result

from support.nodes import running
from support.samples import voevent
from voeflow._command import main

NODE = """
ivoid = "ivo://a.bc/node"
[transports.upstream]
plugin = "hand"
silent_after = "2 hours"
[transports.quiet]
plugin = "hand"
silent_after = "1 hour"
[transports.out]
plugin = "wire"
[handlers.notes]
plugin = "notebook"
sources = ["node"]
"""

#: What the command reads: of the same store and names, with installed plugins and a secret that is not set.
PIPELINE = """
ivoid = "ivo://a.bc/node"
[transports.upstream]
plugin = "vtp-subscribe"
remote = "${BROKER}"
silent_after = "2 hours"
[transports.quiet]
plugin = "vtp-subscribe"
remote = "broker.example.org"
silent_after = "1 hour"
[transports.out]
plugin = "vtp-broadcast"
[transports.added]
plugin = "replay"
directory = "x"
"""


def sources(path: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["sources", str(path), *words])


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """A pipeline whose store has heard one source and raised an alarm over the other."""

    async def fill() -> None:
        clock.jump(1000.0)
        async with running(tmp_path, NODE) as (loaded, _):
            clock.jump(3600.0)
            await loaded.transports["upstream"].instance.node.submit(voevent(), peer="\x1b[31m10.0.0.1:8099")
            await loaded.handlers["notes"].instance.wait(1)

    clock = trio.testing.MockClock()
    trio.run(fill, clock=clock)
    path = tmp_path / "pipeline.toml"
    path.write_text(PIPELINE)
    return path


def test_the_table_shows_each_source_and_an_alarm_makes_the_status_1(pipeline: Path) -> None:
    result = sources(pipeline)

    assert result.exit_code == 1
    head, upstream, quiet, added = result.stdout.splitlines()
    assert head.split("  ")[0] == "source"
    assert upstream.split()[:2] == ["upstream", "vtp-subscribe"]
    assert "2 hours" in upstream
    assert "\\x1b[31m10.0.0.1:8099" in upstream
    assert upstream.rstrip().endswith("-")
    assert quiet.split()[:4] == ["quiet", "vtp-subscribe", "never", "never"]
    assert quiet.rstrip().endswith("Z")
    assert added.split() == ["added", "replay", "never", "never", "-", "-"]


def test_json_has_one_object_a_line_with_all_that_is_known(pipeline: Path) -> None:
    result = sources(pipeline, "--format", "json")

    upstream, quiet, added = (json.loads(line) for line in result.stdout.splitlines())
    assert upstream["last_event"] is not None
    assert upstream["last_heard"] is not None
    assert upstream["last_sign_of_life"] is None
    assert upstream["last_heard_from"].endswith("10.0.0.1:8099")
    assert (upstream["alarm"], upstream["alarm_since"]) == (None, None)
    assert quiet["alarm"].startswith("ivo://a.bc/node#silent-quiet-2")
    assert (quiet["last_heard"], quiet["silent_for"], quiet["silent_after"]) == (None, 3600.0, 3600.0)
    assert added["silent_after"] is None


def test_where_no_alarm_is_on_the_status_is_0(pipeline: Path) -> None:
    pipeline.write_text(PIPELINE.replace("[transports.quiet]", "[transports.other]"))

    assert sources(pipeline).exit_code == 0


def test_a_pipeline_that_never_ran_says_so(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text(PIPELINE)
    result = sources(path)

    assert result.exit_code == 1
    assert "has a node been run with this pipeline?" in result.stderr


def test_a_running_node_is_looked_at_without_disturbing_it(tmp_path: Path) -> None:
    async def look() -> None:
        async with running(tmp_path, NODE) as (loaded, _):
            clock.jump(7200.0)
            await loaded.handlers["notes"].instance.wait(2)
            (tmp_path / "other.toml").write_text(PIPELINE)
            result = await trio.to_thread.run_sync(sources, tmp_path / "other.toml", "--format", "json")
            alarms = [json.loads(line)["alarm"] for line in result.stdout.splitlines()]
            assert [alarm is not None for alarm in alarms] == [True, True, False]

    clock = trio.testing.MockClock()
    trio.run(look, clock=clock)
