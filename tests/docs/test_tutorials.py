"""The tutorials do what they say: their code is cut from the pages and run."""

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
from interop.processes import Process, free_port, until

FIRST_PIPELINE = DOCS / "tutorial/first-pipeline.md"
FIRST_FILTER = DOCS / "tutorial/first-filter.md"

#: A line of a log or of a table, with what differs from run to run made alike.
_DIFFERS = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"), "TIME"),
    (re.compile(r"(yes|no) +altitude -?\d+ deg"), "yes altitude N deg"),  # the Earth turns
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


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The directory of the distribution that the second tutorial writes, installed as pip would."""
    files = captioned(FIRST_FILTER)
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    project = tomllib.loads(files["pyproject.toml"])["project"]
    installed = tmp_path / f"voeflow_site-{project['version']}.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = "\n".join(f"{name} = {value}" for name, value in project["entry-points"]["voeflow"].items())
    (installed / "entry_points.txt").write_text(f"[voeflow]\n{points}\n")
    packet = files["test_voeflow_site.py"].split('b"""')[1].split('"""')[0]
    (tmp_path / "crab.xml").write_text(packet)
    return tmp_path


def run(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(directory), *filter(None, sys.path)])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_filters_own_tests_pass(site: Path) -> None:
    found = run(
        site, "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(site), "test_voeflow_site.py"
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_filter_is_described_as_the_page_shows(site: Path) -> None:
    found = run(site, "voeflow", "plugins", "high-enough")
    assert alike(found.stdout) == alike(shown(FIRST_FILTER, "voeflow plugins high-enough")[1])


def test_mistakes_in_its_table_are_told_as_the_page_shows(site: Path) -> None:
    path = site / "pipeline.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("longitude = -17.89", 'longitude = "west"\nmin_altitde = 20'), encoding="utf-8"
    )
    found = run(site, "voeflow", "check", "pipeline.toml")
    assert found.returncode == 2
    assert alike(found.stderr) == alike(shown(FIRST_FILTER, "voeflow check pipeline.toml")[1])


def test_the_dry_run_asks_the_filter(site: Path) -> None:
    found = run(site, "voeflow", "test", "pipeline.toml", "crab.xml")
    assert found.returncode == 0, found.stderr
    page = shown(FIRST_FILTER, "voeflow test pipeline.toml crab.xml")[1]
    assert alike(found.stdout) == alike(page)


def test_the_handler_writes_its_line(site: Path) -> None:
    told = run(
        site,
        "timeit",
        "-n1",
        "-r1",
        "import voeflow, voeflow_site, pathlib;"
        "handler = voeflow_site.NightLog(file=pathlib.Path('night.log')); handler.start();"
        "handler.handle(voeflow.Event.parse(pathlib.Path('crab.xml').read_bytes()))",
    )
    assert told.returncode == 0, told.stderr
    assert "83.630 +22.010 ivo://org.example/bursts#1" in (site / "night.log").read_text()
    assert "night-log" in run(site, "voeflow", "plugins").stdout


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

    until("that both sinks are done", lambda: show().count(": done") == 2, node)
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
