"""The cluster around Kafka, run as its README says, but for the ports."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

import voeflow
from interop.processes import until
from interop.stage import Node, Stage, contents
from support.kafka_broker import Broker
from support.ports import free_port

EXAMPLES = Path(__file__).parents[2] / "examples"
CLUSTER = EXAMPLES / "cluster"
README = (CLUSTER / "README.md").read_text()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    try:
        yield stage
    finally:
        stage.close()


def passed(folder: str) -> set[str]:
    """The IVORNs of an example's packets that are no tests."""
    events = [voeflow.Event.parse(path.read_bytes()) for path in EXAMPLES.glob(f"{folder}/packets/*.xml")]
    return {event.ivorn for event in events if event.role != "test"}


def classified(*workers: Node) -> list[str]:
    """What the workers' handlers have worked on."""
    lines = [str(record.get("line")) for worker in workers for record in worker.records()]
    return [found[1] for line in lines if (found := re.match(r"classified (\S+): \d+ parameters", line))]


@pytest.mark.slow
def test_the_cluster_survives_a_worker_and_tells_each_event_once(stage: Stage) -> None:
    port = str(free_port())
    trial = stage.program("trial", [sys.executable, CLUSTER / "trial.py", "--port", port])
    trial.wait_for("that it listens", lambda line: "listens on" in line)
    kafka = {"KAFKA_SERVERS": f"localhost:{port}", "LISTEN": "localhost:0"}

    def run(name: str, file: str) -> Node:
        room = stage.room(name)
        (room / "classify.sh").write_bytes((CLUSTER / "classify.sh").read_bytes())
        text = (CLUSTER / file).read_text()
        ivoid = {"IVOID": f"ivo://org.example/{name}"} if "receiver" in name else {}
        return stage.node(text, name=name, environment={**kafka, **ivoid}, ready=False)

    broadcaster = run("broadcaster", "broadcaster.toml")
    workers = run("worker", "worker.toml"), run("worker-2", "worker.toml")
    receivers = run("receiver", "receiver.toml"), run("receiver-2", "receiver.toml")
    for node in (broadcaster, *workers):
        node.wait_until_told("partitions assigned")
    listener = stage.listen(broadcaster.port("public"), "--save", "heard")
    broadcaster.wait_until_told("subscriber connected")

    def send(folder: str, receiver: Node) -> None:
        packets = sorted(EXAMPLES.glob(f"{folder}/packets/*.xml"))
        sent = stage.command("send", *packets, "--to", f"localhost:{receiver.port('authors')}")
        assert sent.status == 0, sent
        assert set(re.findall(r"^accepted (\S+)", sent.out, re.MULTILINE)) >= passed(folder)

    def heard() -> list[str]:
        return [voeflow.Event.parse(packet).ivorn for packet in contents(listener.directory / "heard")]

    send("quickstart", receivers[0])
    until("all that is no test", lambda: set(heard()) == passed("quickstart"), *workers, broadcaster)
    until("the work done", lambda: set(classified(*workers)) == passed("quickstart"), *workers)
    assert all(classified(worker) for worker in workers)
    topic = Broker(int(port), cast("Any", trial))
    until("all committed", lambda: topic.committed("workers", "alerts.received", 6) == 8, *workers)

    workers[0].signal(signal.SIGKILL)
    send("cta", receivers[1])
    everything = passed("quickstart") | passed("cta")
    until("what came after the kill", lambda: set(heard()) == everything, workers[1], broadcaster)
    send("quickstart", receivers[1])
    workers[1].wait_until_told("dealt with by another member")
    assert sorted(heard()) == sorted(everything)
    assert sorted(classified(*workers)) == sorted(everything)


def test_the_readme_runs_every_pipeline_and_names_no_file_that_is_not_there() -> None:
    named = set(re.findall(r"examples/cluster/([\w.-]+)", README))
    assert {path.name for path in CLUSTER.glob("*.toml")} <= named
    assert named - {"*.db*", "."} <= set(os.listdir(CLUSTER))
