"""The bridge to GCN, run as its README says, but for the ports."""

from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import voeflow
from interop.processes import Process, until
from interop.stage import Stage, contents, wait_for_contents
from support.ports import free_port
from voeflow._command import main

BRIDGE = Path(__file__).parents[2] / "examples/gcn-bridge"
NOTICES = sorted(BRIDGE.glob("notices/*/*"), key=lambda path: path.name)
WAVES = [
    f"ivo://gwnet/LVC#MS261124d-{kind}" for kind in ("EarlyWarning", "Preliminary", "Update", "Retraction")
]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    try:
        yield stage
    finally:
        stage.close()


def told_to_export() -> dict[str, str]:
    """The variables that the README has one set for the trial."""
    lines = re.findall(r"^export (.*)$", (BRIDGE / "README.md").read_text(), re.MULTILINE)
    words = [word.partition("=") for line in lines[1:] for word in shlex.split(line)]
    return {name: value for name, _, value in words}


def trial(stage: Stage, name: str, *words: str) -> Process:
    return stage.program(name, [sys.executable, BRIDGE / "trial.py", *words])


@pytest.mark.slow
def test_the_trial_reaches_a_subscriber_over_vtp_and_comes_back_into_kafka(stage: Stage) -> None:
    port = str(free_port())
    broker = trial(stage, "trial", "--port", port)
    broker.wait_for("that it listens", lambda line: "listens on" in line)
    environment = told_to_export()
    assert environment["GCN_SERVERS"] == "localhost:9092"
    environment |= {
        "GCN_SERVERS": f"localhost:{port}",
        "KAFKA_SERVERS": f"localhost:{port}",
        "BRIDGE_LISTEN": "localhost:0",
        "REVERSE_LISTEN": "localhost:0",
    }
    bridge = stage.node((BRIDGE / "bridge.toml").read_text(), name="bridge", environment=environment)
    public = bridge.port("public")
    environment["REVERSE_FROM"] = f"localhost:{public}"
    reverse = stage.node((BRIDGE / "reverse.toml").read_text(), name="reverse", environment=environment)
    listener = stage.listen(public, "--save", "heard")
    bridge.wait_until_told("subscriber connected", number=2)

    sender = trial(stage, "send", "--port", port, "--send", "--interval", "0.1")
    assert sender.wait() == 0
    bridge.wait_until_told("event accepted", number=len(NOTICES))
    sent = [path.read_bytes() for path in NOTICES if path.suffix == ".xml"]
    heard = listener.directory / "heard"
    wait_for_contents(heard, sent, bridge, listener)
    bridge.wait_until_told("delivered", sink="public", number=len(NOTICES))
    listener.wait_for("a line for each", lambda line: " test " in line, number=len(NOTICES))
    until("a file for each", lambda: len(contents(heard)) == len(NOTICES), listener)
    events = {event.ivorn: event for event in map(voeflow.Event.parse, contents(heard))}
    assert len(events) == len(NOTICES)
    assert all(event.valid and event.role == "test" for event in events.values())
    shown = (BRIDGE / "README.md").read_text()
    assert all(f" {ivorn}" in shown for ivorn in events)
    assert all(line in shown for line in sender.lines())
    waves = [
        ivorn for line in listener.lines() if "gwnet" in line for ivorn in re.findall(r"ivo://\S+", line)
    ]
    assert [ivorn.rpartition("-")[0] for ivorn in waves] == WAVES  # one topic: in its order
    assert [each.ivorn for each in events[waves[3]].citations] == waves[2::-1]
    assert {each.kind for each in events[waves[3]].citations} == {"retraction"}
    bridge.wait_until_told("delivered", sink="archive", number=len(NOTICES))
    archive = bridge.directory / "events"
    assert len([*archive.glob("*.skymap.multiorder.fits")]) == 3
    assert len([*archive.glob("*.notice.json")]) == 5

    own = BRIDGE.parent / "quickstart/packets/01-burst.xml"
    assert stage.command("send", own, "--to", f"localhost:{reverse.port('authors')}").status == 0
    reader = trial(stage, "read", "--port", port, "--read", "voevents")
    lines = reader.wait_for("all messages", lambda line: "ivo://" in line, number=len(NOTICES) + 1)
    keys = {line.split()[1] for line in lines}
    assert keys == {*events, voeflow.Event.parse(own.read_bytes()).ivorn}
    asked = stage.command("sources", bridge.directory / "pipeline.toml", "--format", "json")
    (gcn,) = map(json.loads, asked.out.splitlines())
    assert gcn["alarm_since"] is None
    reverse.stop()
    bridge.stop()
    broker.signal(signal.SIGTERM)
    broker.wait()
    with socket.socket() as one:  # what it ran has ended too
        assert one.connect_ex(("127.0.0.1", int(port))) != 0


def test_as_it_stands_no_test_goes_out() -> None:
    pipeline, packet = str(BRIDGE / "bridge.toml"), str(next(BRIDGE.glob("notices/*/2-burst.xml")))
    for also, goes in (("", "no"), ("test", "yes")):
        shown = CliRunner(env={"BRIDGE_ALSO": also}).invoke(main, ["test", pipeline, packet]).stdout
        assert re.search(rf"^public +{goes} ", shown, re.MULTILINE), shown


def test_what_stands_in_the_notices_says_that_it_is_made_up_or_for_a_test() -> None:
    for path in NOTICES:
        assert re.search(rb"Made up for voeflow's|MS261124d", path.read_bytes()), path
