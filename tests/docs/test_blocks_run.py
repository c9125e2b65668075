"""Every block of code and every command on a page is run, here or where it says, or says why it is not."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import attrs
import pytest
import trio

import voeflow
from docs.pages import ROOT, Block, blocks, blocks_of, pages
from support.samples import voevent
from voeflow.testing import make_event, running_node, simulate

#: Pages whose commands and files are run in their order, as one story, and by what.
RUN_AS_A_WHOLE = {
    "tutorial/first-pipeline.md": "tests/docs/test_tutorials.py",
    "tutorial/first-filter.md": "tests/interop/test_plugin_authors.py",
    "howto/test-a-pipeline.md": "tests/docs/test_captured.py",
}

COMMANDS = [block for block in blocks("console", "sh", "bash") if block.page not in RUN_AS_A_WHOLE]
PYTHON = [block for block in blocks("python") if block.page not in RUN_AS_A_WHOLE]

#: The languages of blocks that are files or commands, and those that are only to be looked at.
CODE = {"console", "sh", "python", "toml", "xml", "ini"}
LOOKED_AT = {"text"}

PIPELINE = """
[transports.in]
plugin = "replay"
directory = "incoming"
[filters.svom]
plugin = "author"
authors = ["ivo://obspm.gepi/svom"]
[filters.test]
plugin = "role"
roles = ["test"]
[handlers.archive]
plugin = "save"
directory = "events"
[handlers.duty]
plugin = "spawn"
command = ["false"]
retries = 0
"""


async def fill(directory: Path, *events: bytes) -> None:
    async with running_node(PIPELINE, directory) as node:
        for raw in events:
            await node.submit(raw, source="in")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site that has run: with events of November 2026 and of now, dead letters and refusals."""
    directory = tmp_path_factory.mktemp("site")
    (directory / "incoming").mkdir()
    (directory / "incoming/first.xml").write_bytes(make_event("first").raw)
    notice = (ROOT / "tests/mappings/notices/lvk-initial.json").read_bytes()
    refused = [b"<html>%d</html>" % number for number in range(11)]
    then = [make_event(author="ivo://obspm.gepi/svom", date="2026-11-24T01:02:03").raw, *refused, notice]
    simulate(lambda: fill(directory, *then), start=datetime(2026, 11, 24, tzinfo=UTC))
    trio.run(fill, directory, voevent("ivo://obspm.gepi/svom#now"))
    (directory / "event.xml").write_bytes(voevent())
    return directory


@pytest.mark.parametrize("block", COMMANDS, ids=str)
def test_the_commands_on_a_page_can_be_typed(block: Block, site: Path) -> None:
    if block.not_run:
        pytest.skip(block.not_run)
    if block.text.startswith("#!"):
        subprocess.run(["sh", "-n"], input=block.text, text=True, check=True)
        return
    lines = block.text.splitlines()
    typed = lines if block.language != "console" else [each[2:] for each in lines if each.startswith("$ ")]
    found = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(typed)],
        cwd=site,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_the_python_on_a_page_runs(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if block.not_run:
        pytest.skip(block.not_run)
    monkeypatch.chdir(tmp_path)
    module = ModuleType("on_a_page")
    module.__dict__.update(attrs=attrs, voeflow=voeflow)  # a continued block has them from the one before
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(block.text, str(block), "exec"), module.__dict__)
    for name, function in list(vars(module).items()):
        if name.startswith("test_"):
            wanted = inspect.signature(function).parameters
            function(**{each: request.getfixturevalue(each) for each in wanted})


def test_every_block_is_run_or_says_why_not() -> None:
    found = {block.language for block in blocks(*CODE, *LOOKED_AT)}
    everything = {block.language for page in pages() for block in blocks_of(page)}
    assert everything == found  # a new language wants a place here
    assert all(len(block.not_run.split()) > 3 for block in blocks(*CODE) if block.not_run)
    assert sum(not block.not_run for block in COMMANDS) >= 5
    assert sum(not block.not_run for block in PYTHON) >= 8
