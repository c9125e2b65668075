"""What a page shows of a command is what the command says now."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs.pages import DOCS, ROOT, Block, blocks_of

PAGE = DOCS / "howto/test-a-pipeline.md"
CAPTURED = [block for block in blocks_of(PAGE) if block.language == "console"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that holds `examples/`, as the page wants it, in which nothing is left behind."""
    directory = tmp_path_factory.mktemp("checkout")
    shutil.copytree(
        ROOT / "examples/svom", directory / "examples/svom", ignore=shutil.ignore_patterns("*.db*")
    )
    return directory


def test_the_page_has_its_captures() -> None:
    shown = [block.text.partition("\n")[0] for block in CAPTURED]
    assert sum("voeflow test" in line for line in shown) == 2
    assert sum("voeflow explain" in line for line in shown) == 1


@pytest.mark.parametrize("block", CAPTURED, ids=str)
def test_a_command_says_what_the_page_shows(block: Block, checkout: Path) -> None:
    command, _, shown = block.text.partition("\n")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SVOM_")}
    found = subprocess.run(
        ["sh", "-c", command.removeprefix("$ ")],
        cwd=checkout,
        env=clean | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.stderr == ""
    assert [line.rstrip() for line in found.stdout.splitlines()] == shown.splitlines()
