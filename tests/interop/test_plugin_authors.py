"""What the author of a plugin does, in an environment of its own, from nothing to an event handled."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from docs.pages import DOCS, ROOT, Block, blocks_of
from docs.test_tutorials import alike
from interop.processes import Process, until

pytestmark = [pytest.mark.interop, pytest.mark.slow]

TUTORIAL = DOCS / "tutorial/first-filter.md"


class Author:
    """Somebody at a terminal, with an environment in which voeflow is installed."""

    def __init__(self, home: Path, directory: Path) -> None:
        self.bin = home / "bin"
        self.directory = directory
        self.nodes: list[Process] = []

    @property
    def environment(self) -> Mapping[str, str | None]:
        return {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "VIRTUAL_ENV": str(self.bin.parent),
            "PYTHONPATH": None,
            "PYTEST_ADDOPTS": "-p no:cacheprovider",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_COMPILE": "1",
        }

    def type(self, command: str, status: int = 0) -> str:
        """Type a command, and give what it says once it is done."""
        if command.startswith("cd "):
            self.directory /= command.removeprefix("cd ")
            return ""
        clean = {**os.environ, **self.environment}
        found = subprocess.run(
            ["sh", "-c", command],
            cwd=self.directory,
            env={name: value for name, value in clean.items() if value is not None},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert found.returncode == status, f"{command}\n{found.stdout}{found.stderr}"
        return found.stdout + "".join(
            line for line in found.stderr.splitlines(keepends=True) if not line.startswith("WARNING: ")
        )

    def run_node(self) -> Process:
        node = Process(
            "node", [self.bin / "voeflow", "run", "pipeline.toml"], self.directory, self.environment
        )
        self.nodes.append(node)
        node.wait_for("that it is ready", lambda line: "node ready" in line)
        return node


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with nothing but voeflow in it, installed as a user would."""
    path = tmp_path_factory.mktemp("author") / "env"
    subprocess.run([sys.executable, "-m", "venv", path], check=True, timeout=120)
    subprocess.run(
        [path / "bin/pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check", ROOT],
        check=True,
        timeout=300,
    )
    return path


@pytest.fixture
def author(home: Path, tmp_path: Path) -> Iterator[Author]:
    made = Author(home, tmp_path)
    yield made
    for node in made.nodes:
        node.kill()


#: What differs from day to day in what the tutorial shows.
_SKY = (
    (re.compile(r"passed in \d+\.\d+s( \(\d+:\d+:\d+\))?"), "passed"),
    (re.compile(r"(does not hold|holds): (the Sun is at|zenith angle) [+-]?\d+ deg"), "answers"),
    (re.compile(r"holds=(True|False) reason='(the Sun is at|zenith angle) [+-]?\d+ deg'"), "answers"),
    (
        re.compile(r"^ *(yes|no) +\*? *((not )?test|observable|observable and not test)$", re.MULTILINE),
        "part",
    ),
    (re.compile(r"sink slew (gets it|does not get it): .*"), "sink slew"),
)


def shown_alike(text: str) -> list[str]:
    for pattern, instead in _SKY:
        text = pattern.sub(instead, text)
    return [line for line in alike(text) if line]


def follow(block: Block, author: Author) -> None:
    """Do what one block of the tutorial says, and see what it shows."""
    if block.caption:
        path = author.directory / block.caption.removesuffix(", as it is")
        if path.name != block.caption.rpartition("/")[2]:
            assert path.read_text(encoding="utf-8") == block.text
        assert path.exists()
        path.write_text(block.text, encoding="utf-8")
        return
    for step in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, output = step.partition("\n")
        if command.startswith("voeflow run"):
            node = author.run_node()
            node.wait_for("the event", lambda line: "event accepted" in line)
            node.wait_for("the filter's answer", lambda line: "filter answered" in line)
            until("the line", lambda: (author.directory / "events.log").stat().st_size > 0, node)
            told = "\n".join(line for line in node.lines() if "slewing" not in line)
            assert shown_alike(told)[:3] == shown_alike(output)
            continue
        told = author.type(command)
        if output:
            assert shown_alike(told) == shown_alike(output)


def test_the_tutorial_goes_as_it_says(author: Author) -> None:
    blocks = [block for block in blocks_of(TUTORIAL) if block.language != "text"]
    assert len(blocks) > 12
    for block in blocks:
        follow(block, author)

    (node,) = author.nodes
    node.signal(signal.SIGINT)
    assert node.wait() == 0


def test_what_voeflow_new_plugin_writes_installs_and_works_at_once(author: Author) -> None:
    author.type("voeflow new plugin fresh-start")
    author.type("cd voeflow-fresh-start")
    author.type("pip install --quiet --editable '.[test]'")
    assert "8 passed" in author.type("pytest -q")
    for name, kind in (("above", "filter"), ("log", "handler"), ("folder", "transport")):
        told = author.type(f"voeflow plugins fresh-start-{name}")
        assert f"fresh-start-{name}, a {kind} from voeflow-fresh-start 0.1.0" in told
    assert "1 passed, 0 failed" in author.type("voeflow test pipeline.toml")

    node = author.run_node()
    log = author.directory / "events.log"
    until("the line", lambda: log.exists() and log.read_text().endswith("#burst\n"), node)
    node.signal(signal.SIGINT)
    assert node.wait() == 0
    author.type("pip uninstall --quiet --yes voeflow-fresh-start")


RIVAL = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "{0}"
version = "{1}"
[project.entry-points.voeflow]
{0} = "{0}"
[tool.hatch.build.targets.wheel]
include = ["{0}.py"]
"""

SAME = """\
import attrs, voeflow

@attrs.frozen
class Same:
    def matches(self, event):
        return True

@voeflow.hookimpl
def register_filters():
    return {"same-name": Same}
"""

PIPELINE = """\
[transports.in]
plugin = "replay"
directory = "packets"
[filters.mine]
plugin = "same-name"
"""


def test_two_distributions_that_claim_one_name_are_both_named(author: Author) -> None:
    for name, version in (("first_rival", "1.0"), ("second_rival", "2.5")):
        place = author.directory / name
        place.mkdir()
        (place / "pyproject.toml").write_text(RIVAL.format(name, version))
        (place / f"{name}.py").write_text(SAME)
    author.type("pip install --quiet ./first_rival ./second_rival")
    (author.directory / "pipeline.toml").write_text(PIPELINE)

    told = author.type("voeflow check pipeline.toml", status=2)
    assert "filters.mine.plugin" in told
    assert "first_rival 1.0 (entry point first_rival) and second_rival 2.5 (entry point second_rival)" in told
    assert "uninstall all but one" in told
    author.type("pip uninstall --quiet --yes first_rival second_rival")
