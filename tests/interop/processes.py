"""Real processes for the tests: started, waited for by what they say, and ended with all they started."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import attrs

#: How long anything is waited for, in seconds: far more than it takes on a loaded machine with two cores.
PATIENCE = 60.0

#: How often the file system is looked at, which cannot be waited on, in seconds.
_LOOK_AGAIN = 0.02

#: How much of a process's output a failure shows, in characters.
_SHOWN = 12_000


class NeverHappenedError(AssertionError):
    """What a test waited for did not come; shows what the processes have said so far."""


class Process:
    """A process with its output read line by line as it comes, in a process group of its own.

    Args:
        name: what a failure calls it.
        command: the program and its arguments.
        directory: where it runs.
        environment: variables beside those of the tests; one that is None is taken away.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        directory: Path,
        environment: Mapping[str, str | None] | None = None,
    ) -> None:
        self.name = name
        self.directory = directory
        self.command = [str(word) for word in command]
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._closed = False
        self._popen = subprocess.Popen(
            self.command,
            cwd=directory,
            env=merged(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name=f"output of {name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._popen.pid

    @property
    def status(self) -> int | None:
        """The exit status, minus the number of the signal that ended it, or None while it runs."""
        return self._popen.poll()

    def lines(self) -> list[str]:
        """Give what it has written so far, standard output and standard error together."""
        with self._changed:
            return list(self._lines)

    def transcript(self) -> str:
        """Give what it is, whether it runs and what it has written, for a failure's message."""
        state = "still runs" if self.status is None else f"ended with status {self.status}"
        output = "\n".join(self.lines())
        return f"--- {self.name} ({shlex.join(self.command)}) {state}\n{output[-_SHOWN:]}"

    def wait_for(self, what: str, wanted: Callable[[str], bool], *, number: int = 1) -> list[str]:
        """Wait until it has written `number` lines that are `wanted`, and give all that it has.

        Lines that it wrote before count: nothing is missed between a deed and the wait for its trace.

        Raises:
            NeverHappenedError: it did not write them in time, or ended before.
        """

        def seen() -> list[str]:
            return [line for line in self._lines if wanted(line)]

        with self._changed:
            self._changed.wait_for(lambda: len(seen()) >= number or self._closed, PATIENCE)
            found = seen()
        if len(found) < number:
            if self._closed:
                self.wait()
            raise NeverHappenedError(
                f"{self.name} never wrote {what} ({len(found)} of {number})\n{self.transcript()}"
            )
        return found

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process itself."""
        self._popen.send_signal(number)

    def wait(self) -> int:
        """Wait for its end, and give the exit status.

        Raises:
            NeverHappenedError: it still runs after `PATIENCE`.
        """
        try:
            status = self._popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise NeverHappenedError(f"{self.name} did not end\n{self.transcript()}") from None
        self._reader.join(PATIENCE)
        return status

    def kill(self) -> None:
        """End it and every process of its group at once (SIGKILL)."""
        with suppress(ProcessLookupError):  # the whole group has ended by itself
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        self._reader.join(PATIENCE)
        if self._popen.stdout is not None and not self._reader.is_alive():
            self._popen.stdout.close()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            with self._changed:
                self._lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._closed = True
            self._changed.notify_all()


@attrs.frozen
class Finished:
    """A command that has ended: its exit status, standard output and standard error."""

    status: int
    out: str
    err: str


def finish(
    command: Sequence[str | Path],
    directory: Path,
    *,
    stdin: bytes = b"",
    environment: Mapping[str, str | None] | None = None,
) -> Finished:
    """Run a command to its end.

    Raises:
        NeverHappenedError: it still ran after `PATIENCE`, and was killed.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=directory,
            env=merged(environment or {}),
            input=stdin,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        said = (error.stdout or b"") + (error.stderr or b"")
        raise NeverHappenedError(
            f"{shlex.join(words)} did not end\n{said.decode(errors='replace')}"
        ) from None
    return Finished(
        done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )


def merged(variables: Mapping[str, str | None]) -> dict[str, str]:
    """Give the tests' own environment with some variables set, or taken away where they are None."""
    both: dict[str, str | None] = {**os.environ, "PYTHONUNBUFFERED": "1", **variables}
    return {name: value for name, value in both.items() if value is not None}


def until(what: str, happened: Callable[[], bool], *processes: Process) -> None:
    """Wait until `happened()`: for files and ports, which cannot be waited on.

    Raises:
        NeverHappenedError: it did not, in time; shows what the processes have said so far.
    """
    deadline = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > deadline:
            said = "\n".join(process.transcript() for process in processes)
            raise NeverHappenedError(f"never came: {what}\n{said}")
        time.sleep(_LOOK_AGAIN)
