"""The pages for those who come from another program name every option that the program has."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from interop.stage import peer

pytestmark = [pytest.mark.interop]

HOWTO = Path(__file__).parents[2] / "docs" / "howto"

#: What every program has, and nobody looks for.
NOT_WORTH_A_LINE = {"--help", "--version"}


@pytest.mark.parametrize(
    ("page", "words", "least"),
    [
        ("from-comet.md", ["twistd", "comet"], 15),
        ("from-comet.md", ["comet-sendvo"], 3),
        ("from-pygcn.md", ["pygcn-listen"], 0),
        ("from-pygcn.md", ["pygcn-serve"], 2),
    ],
)
def test_every_option_has_its_counterpart(page: str, words: list[str], least: int, tmp_path: Path) -> None:
    program, *arguments = words
    told = subprocess.run(
        [peer(program), *arguments, "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    options = set(re.findall(r"--[a-z][a-z-]*[a-z]", told.stdout)) - NOT_WORTH_A_LINE
    assert len(options) >= least, told.stdout
    text = (HOWTO / page).read_text()
    assert program in text
    assert [option for option in sorted(options) if option not in text] == []
