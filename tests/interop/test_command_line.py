"""The command from end to end: what it says of a bad pipeline, and how a node starts and stops."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from functools import partial

import pytest

from interop.processes import until
from interop.stage import Node, Stage, contents, wait_for_contents
from interop.wire import submit
from support.samples import voevent

pytestmark = [pytest.mark.interop]

MISTAKES = """\
ivoid = "ivo://org.example/voeflow"

[transports.authors]
plugin = "vtp-recieve"
listen = "127.0.0.1:0"

[transports.public]
plugin = "vtp-broadcast"
listen = "0.0.0.0:8099"

[filters.burst]
plugin = "xpath"
expression = '//Param[@name="SNR"'

[handlers.archive]
plugin = "save"
direktory = "events"

[handlers.slew]
plugin = "spawn"
command = "./slew.sh --fast"
when = "bursts"
"""

#: Where each mistake is, what is said of it, and what to do.
TOLD = {
    "transports.authors.plugin": ("vtp-recieve", "vtp-receive"),
    "transports.public.allow": ("0.0.0.0", 'allow = ["0.0.0.0/0"'),
    "filters.burst.expression": ("XPath", "bracket"),
    "handlers.archive.direktory": ("no such key", "directory"),
    "handlers.slew.command": ("list", "["),
    "handlers.slew.when": ("bursts", "burst"),
}

PIPELINE = """\
ivoid = "ivo://org.example/voeflow"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:@PORT@"
[handlers.archive]
plugin = "save"
directory = "@DIRECTORY@"
"""


def pipeline(*, port: int = 0, directory: str = "events") -> str:
    return PIPELINE.replace("@PORT@", str(port)).replace("@DIRECTORY@", directory)


def test_check_tells_every_mistake_with_its_place_and_remedy(stage: Stage) -> None:
    path = stage.directory / "pipeline.toml"
    path.write_text(MISTAKES, encoding="utf-8")
    checked = stage.command("check", path)
    assert checked.status == 2
    assert checked.out == ""
    told = {where: [line for line in checked.err.splitlines() if f"{where}: " in line] for where in TOLD}
    for where, words in TOLD.items():
        (line,) = told[where]
        assert line.startswith(f"{path}: "), line
        for word in words:
            assert word in line
    assert "nothing was started" in checked.err


def test_run_tells_the_same_mistakes_and_starts_nothing(stage: Stage) -> None:
    path = stage.directory / "pipeline.toml"
    path.write_text(MISTAKES, encoding="utf-8")
    checked, run = stage.command("check", path), stage.command("run", path)
    assert (run.status, run.out, run.err) == (2, "", checked.err)
    assert list(stage.directory.iterdir()) == [path]


#: A command that writes its process id, and ends when it finds a file.
SCRIPT = """\
#!/bin/sh
echo $$ > pid.new
mv pid.new pid
until [ -e go ]; do sleep 0.02; done
cat > done
"""

PATIENT = """\
[handlers.patient]
plugin = "spawn"
command = ["./patient.sh"]
"""


@pytest.fixture
def patient(stage: Stage) -> str:
    """Lay the command where a node will run, and give the pipeline that has it."""
    script = stage.room("node") / "patient.sh"
    script.write_text(SCRIPT, encoding="utf-8")
    script.chmod(0o755)
    return pipeline() + PATIENT


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_node_finish_what_is_in_hand(
    stage: Stage, patient: str, number: signal.Signals
) -> None:
    node = stage.node(patient)
    room = node.directory
    assert submit(node.port("authors"), voevent()) == "ack"
    until("the command at work", (room / "pid").exists, node)
    node.signal(number)
    node.wait_until_told("stopping")
    (room / "go").touch()
    assert node.wait() == 0, node.transcript()
    node.wait_until_told("stopped")
    assert (room / "done").read_bytes() == voevent()
    assert contents(room / "events") == [voevent()]


def is_gone(process: int) -> bool:
    """Whether there is no process of this id any more."""
    with suppress(ProcessLookupError):
        os.kill(process, 0)
        return False
    return True


def test_a_second_signal_stops_at_once_and_the_rest_is_done_after_a_start(stage: Stage, patient: str) -> None:
    node = stage.node(patient)
    room = node.directory
    assert submit(node.port("authors"), voevent()) == "ack"
    until("the command at work", (room / "pid").exists, node)
    node.signal(signal.SIGTERM)
    node.wait_until_told("stopping")
    node.signal(signal.SIGTERM)
    assert node.wait() == 0, node.transcript()
    # The system may take a moment to bury it.
    until("the command's end", partial(is_gone, int((room / "pid").read_text())), node)
    assert not (room / "done").exists()
    (room / "go").touch()
    again = stage.node(patient)
    until("the event handled", (room / "done").exists, again)
    until("all of it", lambda: (room / "done").read_bytes() == voevent(), again)
    again.stop()


def test_a_port_in_use_is_told_with_its_table_before_anything_is_accepted(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        node = stage.node(pipeline(port=port), ready=False)
        assert node.wait() == 1
    (line,) = [line for line in node.lines() if "transports.authors" in line]
    assert f"127.0.0.1:{port}" in line
    assert not any("node ready" in line for line in node.lines())


def test_a_directory_that_cannot_be_written_is_told_with_its_table(stage: Stage) -> None:
    (stage.room("node") / "file").write_text("no directory", encoding="utf-8")
    node = stage.node(pipeline(directory="file/events"), ready=False)
    assert node.wait() == 1
    (line,) = [line for line in node.lines() if "handlers.archive" in line]
    assert "file" in line
    assert not any("node ready" in line for line in node.lines())


def test_a_store_that_another_node_holds_is_told(stage: Stage) -> None:
    first = stage.node(pipeline())
    second = Node("second", first.command, first.directory)
    try:
        assert second.wait() == 1
    finally:
        second.kill()
    assert any("store" in line and "another" in line for line in second.lines()), second.transcript()
    assert submit(first.port("authors"), voevent()) == "ack"
    wait_for_contents(first.directory / "events", [voevent()], first)
    first.stop()
