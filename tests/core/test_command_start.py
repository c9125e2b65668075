"""Garbage is not collected while a command starts, and is from then on."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from voeflow._command import main


@pytest.fixture
def _uncollected() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()


def test_garbage_is_not_collected_while_modules_are_imported() -> None:
    program = (
        "import gc, voeflow._command as command; command.main = lambda **_: print(gc.isenabled())\n"
        "from voeflow.__main__ import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.usefixtures("_uncollected")
@pytest.mark.parametrize("words", ["plugins", "check none.toml"])
def test_garbage_is_collected_when_a_command_is_at_work(words: str) -> None:
    CliRunner().invoke(main, words.split())
    assert gc.isenabled()


@pytest.mark.usefixtures("_uncollected")
def test_garbage_is_collected_when_a_node_has_read_its_pipeline(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    pipeline = tmp_path / "pipeline.toml"
    pipeline.write_text(
        'ivoid = "ivo://a.b/c"\nstore = "a file/voeflow.db"\n[transports.authors]\nplugin = "vtp-receive"\n'
    )
    result = CliRunner().invoke(main, ["run", str(pipeline)])
    assert "was not started" in result.stderr
    assert gc.isenabled()
