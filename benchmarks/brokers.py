"""The brokers that are measured, each started afresh for a scenario, in a directory of its own."""

from __future__ import annotations

import ctypes.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import attrs

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv-peers" / "bin"

#: How long a broker may take to start, or to end once asked to, in seconds.
_PATIENCE = 30.0

#: How long between two tries to connect to a broker that starts, in seconds.
_LOOK_AGAIN = 0.001

#: A directory that is memory, on Linux.
_MEMORY = Path("/dev/shm")

_PIPELINE = """\
ivoid = "ivo://org.example.benchmark/voeflow"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:{author_port}"
[transports.public]
plugin = "vtp-broadcast"
listen = "127.0.0.1:{subscriber_port}"
test_interval = "0"
"""


class BenchmarkError(Exception):
    """A broker or the load generator did not do what it has to for a measurement to mean anything."""


@attrs.frozen
class Kind:
    """A broker as it can be started.

    Attributes:
        name: what the results call it.
        about: what it is and where it keeps what it has seen, for those who read the results.
        command: gives the words to start it with and the variables it needs, for a directory of its own, a
            directory in memory, and the ports for authors and for subscribers.
    """

    name: str
    about: str
    command: Callable[[Path, Path, int, int], tuple[list[str], Mapping[str, str]]]


@attrs.frozen
class Broker:
    """A running broker.

    Attributes:
        kind: what it is.
        pid: the id of its process, and of its session.
        author_port: where it takes events.
        subscriber_port: where it sends them.
        started_in: how long it took until both ports accepted a connection, in seconds.
    """

    kind: Kind
    pid: int
    author_port: int
    subscriber_port: int
    started_in: float


def _voeflow(
    room: Path, _: Path, author_port: int, subscriber_port: int
) -> tuple[list[str], Mapping[str, str]]:
    pipeline = _PIPELINE.format(author_port=author_port, subscriber_port=subscriber_port)
    (room / "pipeline.toml").write_text(pipeline, encoding="utf-8")
    return [sys.executable, "-m", "voeflow", "run", "pipeline.toml"], {}


def _comet(eventdb: Path, author_port: int, subscriber_port: int) -> tuple[list[str], Mapping[str, str]]:
    words = [str(PEERS / "twistd"), "--nodaemon", "--pidfile=", "comet"]
    words += ["--local-ivo=ivo://org.example.benchmark/comet", f"--eventdb={eventdb}"]
    words += ["--receive", f"--receive-port={author_port}"]
    words += ["--broadcast", f"--broadcast-port={subscriber_port}", "--broadcast-test-interval=0"]
    return words, _comets_environment()


def _comets_environment() -> Mapping[str, str]:
    return {"PYTHONPATH": str(ROOT / "benchmarks" / "lent")} if _comets_dbm() == "lent" else {}


def _comets_dbm() -> str:
    """Say what Comet's event database is: `own` and `lent` are GNU dbm, else it is `dumb`."""
    python = PEERS / "python"
    if subprocess.run([python, "-c", "import _gdbm"], capture_output=True, check=False).returncode == 0:
        return "own"
    return "lent" if ctypes.util.find_library("gdbm") else "dumb"


def kinds() -> dict[str, Kind]:
    """Give the brokers by name.

    Raises:
        BenchmarkError: Comet is not installed.
    """
    if not (PEERS / "twistd").exists():
        raise BenchmarkError(
            f"{PEERS / 'twistd'} is not there: the peers are not installed; run `make peers`"
        )
    database = {
        "own": "GNU dbm",
        "lent": "GNU dbm, lent by this benchmark since its Python was built without",
        "dumb": "dbm.dumb, for GNU dbm is not on this machine: to be quicker than that proves nothing",
    }[_comets_dbm()]
    found = [
        Kind(
            "comet",
            f"Comet 3.1.0; keeps hashes of what it saw, no events ({database})",
            lambda room, _, a, s: _comet(room / "seen", a, s),
        ),
        Kind(
            "comet-memory",
            "the same with its hashes in memory: they do not outlive the machine",
            lambda _, memory, a, s: _comet(memory / "seen", a, s),
        ),
        Kind("voeflow", "every event on disk before its receipt, its bytes with it", _voeflow),
    ]
    return {kind.name: kind for kind in found}


@contextmanager
def running(kind: Kind, directory: Path) -> Iterator[Broker]:
    """Run a broker in a new directory below `directory`; it ends, with all that it started, with the block.

    Raises:
        BenchmarkError: it did not start, or ended before the block did.
    """
    memory = _MEMORY if _MEMORY.is_dir() else directory
    with (
        TemporaryDirectory(prefix=f"bench-{kind.name}-", dir=directory) as room_name,
        TemporaryDirectory(prefix=f"bench-{kind.name}-", dir=memory) as memory_name,
    ):
        room = Path(room_name)
        author_port, subscriber_port = _free_ports()
        words, variables = kind.command(room, Path(memory_name), author_port, subscriber_port)
        with (room / "log").open("wb") as log:
            begun = time.monotonic()
            process = _start(words, variables, room, log)
            try:
                for port in (author_port, subscriber_port):
                    _wait_for_port(port, process, room)
                took = time.monotonic() - begun
                yield Broker(kind, process.pid, author_port, subscriber_port, took)
                if process.poll() is not None:
                    raise BenchmarkError(_said(kind, process, room))
            finally:
                _end(process)


def _start(
    words: list[str], variables: Mapping[str, str], room: Path, log: IO[bytes]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        words,
        cwd=room,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def _wait_for_port(port: int, process: subprocess.Popen[bytes], room: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise BenchmarkError(f"nothing listens on port {port}: " + _log(room))
        time.sleep(_LOOK_AGAIN)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask a broker to end, then end every process of its session that is left."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE)
    with suppress(ProcessLookupError):  # the whole group has ended by itself
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _said(kind: Kind, process: subprocess.Popen[bytes], room: Path) -> str:
    return f"{kind.name} ended with status {process.returncode} while it was measured: {_log(room)}"


def _log(room: Path) -> str:
    return (room / "log").read_text(errors="replace")[-2000:]


def _free_ports() -> tuple[int, int]:
    """Give two TCP ports of the loopback that were free just now."""
    with socket.socket() as one, socket.socket() as other:
        for bound in (one, other):
            bound.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
