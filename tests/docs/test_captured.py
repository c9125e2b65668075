"""What a page shows of a command is what the command says now."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs.pages import DOCS, ROOT, Block, blocks_of, commands

PAGES = (DOCS / "howto/test-a-pipeline.md", ROOT / "examples/svom/README.md")
#: What says the same each time; what needs a broker is in no such block.
DRY = {"check", "test", "explain"}
CAPTURED = [
    block
    for page in PAGES
    for block in blocks_of(page)
    if block.language == "console" and all(words[:1] and words[0] in DRY for words in commands(block))
]


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
    assert sum("voeflow test" in line for line in shown) >= 3
    assert sum("voeflow explain" in line for line in shown) == 1


@pytest.mark.parametrize("block", CAPTURED, ids=str)
def test_a_command_says_what_the_page_shows(block: Block, checkout: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SVOM_")}
    for step in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, shown = step.partition("\n")
        found = subprocess.run(
            ["sh", "-c", command],
            cwd=checkout,
            env=clean | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert found.stderr == ""
        assert [line.rstrip() for line in found.stdout.splitlines()] == shown.rstrip().splitlines()
