"""The first tutorial does what it says; tests/interop follows the one on plugins, which installs things."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.pages import DOCS, Block, blocks_of
from interop.processes import Process, until
from support.ports import free_port

FIRST_PIPELINE = DOCS / "tutorial/first-pipeline.md"

#: A line of a log or of a table, with what differs from run to run made alike.
_DIFFERS = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"), "TIME"),
    (re.compile(r"\b(809[89])\b|(?<=127\.0\.0\.1:)\d+"), "PORT"),
    (re.compile(r"\d+(\.\d+)? m?s\b"), "N s"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "HASH"),
    (re.compile(r" +"), " "),
)


def alike(text: str) -> list[str]:
    """Give the lines of some output, without blanks at their ends and what differs from run to run."""
    for pattern, instead in _DIFFERS:
        text = pattern.sub(instead, text)
    return [line.strip() for line in text.strip().splitlines()]


def captioned(page: Path) -> dict[str, str]:
    """Give the files that a page has the reader write, by their names; a continued one is put together."""
    files: dict[str, str] = {}
    for block in blocks_of(page):
        if block.caption:
            name = block.caption.removesuffix(", continued")
            files[name] = files[name] + "\n" + block.text if name != block.caption else block.text
    return files


def shown(page: Path, command: str) -> tuple[Block, str]:
    """Give the `console` block in which a page runs a command, and the output that it shows."""
    for block in blocks_of(page):
        if block.language == "console" and f"$ {command}\n" in block.text:
            output = block.text.partition(f"$ {command}\n")[2].partition("\n$ ")[0]
            return block, output
    raise AssertionError(f"{page.name} does not run {command!r}")


def run(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(directory), *filter(None, sys.path)])},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.fixture
def ports() -> dict[str, int]:
    return {"8098": free_port(), "8099": free_port()}


class Broker:
    """The first tutorial, in a directory of its own, on ports that are free."""

    def __init__(self, directory: Path, ports: dict[str, int]) -> None:
        self.directory = directory
        self.ports = ports
        self.processes: list[Process] = []
        for name, text in captioned(FIRST_PIPELINE).items():
            if name.endswith(".xml"):
                (directory / name).write_text(text, encoding="utf-8")

    def move_ports(self) -> None:
        path = self.directory / "pipeline.toml"
        text = path.read_text(encoding="utf-8")
        for usual, free in self.ports.items():
            text = text.replace(f"localhost:{usual}", f"localhost:{free}")
        path.write_text(text, encoding="utf-8")

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "voeflow", *words]

    def finish(self, *words: str) -> str:
        found = run(self.directory, *self.command(*words)[2:])
        assert found.returncode == 0, found.stdout + found.stderr
        return found.stdout + found.stderr

    def start(self, name: str, *words: str) -> Process:
        process = Process(name, self.command(*words), self.directory)
        self.processes.append(process)
        return process

    def run_node(self) -> Process:
        node = self.start("node", "run", "pipeline.toml")
        node.wait_for("that it is ready", lambda line: "node ready" in line)
        return node


@pytest.fixture
def broker(tmp_path: Path, ports: dict[str, int]) -> Iterator[Broker]:
    made = Broker(tmp_path, ports)
    yield made
    for process in made.processes:
        process.kill()


@pytest.mark.slow
def test_the_first_five_minutes_go_as_the_page_says(broker: Broker) -> None:
    page = FIRST_PIPELINE
    made = broker.finish("init") + broker.finish("check", "pipeline.toml")
    assert alike(made) == [
        *alike(shown(page, "voeflow init")[1]),
        *alike(shown(page, "voeflow check pipeline.toml")[1]),
    ]
    starter = tomllib.loads((broker.directory / "pipeline.toml").read_text(encoding="utf-8"))
    assert starter == tomllib.loads(captioned(page)["pipeline.toml without its comments"])

    broker.move_ports()
    node = broker.run_node()
    started = [line for line in node.lines() if "[::1]" not in line]  # not every machine has an IPv6 loopback
    assert sorted(alike("\n".join(started))) == sorted(alike(shown(page, "voeflow run pipeline.toml")[1]))

    listener = broker.start("listener", "listen", f"localhost:{broker.ports['8099']}")
    node.wait_for("that it has a subscriber", lambda line: "subscriber connected" in line)
    author = f"localhost:{broker.ports['8098']}"
    sent = broker.finish("send", "burst.xml", "--to", author)
    assert alike(sent) == alike(shown(page, "voeflow send burst.xml --to localhost")[1])
    listener.wait_for("the event", lambda line: "trigger-4711" in line)
    until("the file", lambda: any("events" in str(p) for p in broker.directory.glob("events/*.xml")), node)

    listed = broker.finish("events", "list", "pipeline.toml")
    assert alike(listed) == alike(shown(page, "voeflow events list pipeline.toml")[1])
    ivorn = "ivo://org.example/bursts#trigger-4711"

    def show() -> str:
        return broker.finish("events", "show", "pipeline.toml", ivorn)

    until("that both sinks had it", lambda: show().count(": delivered at") == 2, node)
    assert alike(show()) == alike(shown(page, f'voeflow events show pipeline.toml "{ivorn}"')[1])

    node.signal(signal.SIGINT)
    assert node.wait() == 0
    path = broker.directory / "pipeline.toml"
    path.write_text(path.read_text() + captioned(page)["to be added to pipeline.toml"])
    tested = broker.finish("test", "pipeline.toml", "burst.xml")
    assert alike(tested) == alike(shown(page, "voeflow test pipeline.toml burst.xml")[1])

    again = broker.run_node()
    another = (broker.directory / "burst.xml").read_text().replace("4711", "4712")
    (broker.directory / "another.xml").write_text(another)
    broker.finish("send", "another.xml", "--to", author)
    again.wait_for("what the program wrote", lambda line: "slewing to 83.6331 22.0145" in line)
