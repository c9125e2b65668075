"""What a command does whose results cannot be written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")  # every write to it fails as on a full disk

VOEFLOW = (sys.executable, "-m", "voeflow")


@pytest.mark.skipif(not FULL.exists(), reason="Linux has it")
@pytest.mark.parametrize(("word", "unbuffered"), [("plugins", "1"), ("--help", "")])
def test_results_that_cannot_be_written_are_told_in_a_line(
    word: str, unbuffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with FULL.open("w") as full:
        done = subprocess.run([*VOEFLOW, word], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        "error: cannot write the output: No space left on device\n",
    )


@pytest.mark.skipif(not FULL.exists(), reason="Linux has it")
def test_bytes_that_cannot_be_written_at_the_end_are_told_in_a_line() -> None:
    program = (
        "import sys, voeflow._command as command\n"
        "def main(**_): sys.stdout.write('left in the buffer'); sys.exit(0)\n"
        "command.main = main\n"
        "from voeflow.__main__ import main; main()"
    )
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_whoever_closes_the_pipe_of_results_is_told_nothing() -> None:
    with subprocess.Popen([*VOEFLOW, "plugins"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_command_whose_standard_files_are_closed_does_its_work(closed: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", *VOEFLOW, "plugins"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert ("vtp-receive" in done.stdout) == (closed == "2>&-")


def test_no_file_is_opened_as_a_standard_one_that_was_closed() -> None:
    program = (
        "import os, sys, voeflow._command as command\n"
        "def main(**_): os.write(7, str(os.open('/', os.O_RDONLY)).encode()); sys.exit(0)\n"
        "command.main = main\n"
        "from voeflow.__main__ import main; main()"
    )
    done = subprocess.run(
        ["sh", "-c", '"$@" 7>&1 <&- >&- 2>&-', "sh", sys.executable, "-c", program],
        capture_output=True,
        check=False,
    )
    assert int(done.stdout) > 2
