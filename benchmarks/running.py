"""Brokers that run: each in a directory and a session of its own, ended with all that it has started."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from benchmarks.brokers import STARTED, BenchmarkError, Command, Kind, Place, Setting, environment

#: How long a broker may take to start, or to end once asked to, in seconds.
_PATIENCE = 30.0

#: How long between two tries to connect to a broker that starts, in seconds.
_LOOK_AGAIN = 0.001

#: Below those that Linux gives to outgoing connections, of which there are very many.
_PORTS = range(20000, 32000)

#: A directory that is memory, on Linux.
_MEMORY = Path("/dev/shm")


@attrs.define(eq=False)
class Broker:
    """A running broker.

    Attributes:
        kind: what it is.
        setting: what it was set up with.
        place: where it runs.
        started_in: how long it took until both ports accepted a connection, in seconds.
    """

    kind: Kind
    setting: Setting
    place: Place
    started_in: float = 0.0
    _command: Command = attrs.field(factory=lambda: Command([]))
    _process: subprocess.Popen[bytes] | None = None

    @property
    def author_port(self) -> int:
        """Where it takes events."""
        return self.place.author_port

    @property
    def subscriber_port(self) -> int:
        """Where it sends them."""
        return self.place.subscriber_port

    @property
    def started(self) -> str:
        """The pipe into which its handler writes a line when it has started."""
        return str(self.place.room / STARTED)

    @property
    def pid(self) -> int:
        """The id of its process, and of its session."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it in its place, also again after it was killed, and wait until both ports accept.

        Raises:
            BenchmarkError: they never do.
        """
        if not self._command.words:
            self._command = self.kind.command(self.place, self.setting)
        begun = time.monotonic()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command.words,
                cwd=self.place.room,
                env=environment(self._command.variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        for port in filter(None, (self.author_port, self.subscriber_port)):
            self._wait_for_port(port, begun + _PATIENCE)
        self.started_in = time.monotonic() - begun

    def reap(self) -> None:
        """Wait until it has ended, when it was killed."""
        assert self._process is not None
        self._process.wait(_PATIENCE)

    def end(self) -> None:
        """Ask it to end, then end every process of its session that is left."""
        if self._process is None:
            return
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE)
        with suppress(ProcessLookupError):  # the whole group has ended by itself
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def see_that_it_runs(self) -> None:
        """Raise if it does not.

        Raises:
            BenchmarkError: it has ended by itself.
        """
        assert self._process is not None
        if self._process.poll() is not None:
            status = self._process.returncode
            raise BenchmarkError(
                f"{self.kind.name} ended with status {status} while it was measured: {self._said()}"
            )

    @property
    def _log(self) -> Path:
        return self.place.room / "log"

    def _said(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]

    def _wait_for_port(self, port: int, deadline: float) -> None:
        assert self._process is not None
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise BenchmarkError(f"{self.kind.name}: nothing listens on port {port}: {self._said()}")
            time.sleep(_LOOK_AGAIN)


@contextmanager
def running(kind: Kind, setting: Setting, directory: Path, ports: int = 2) -> Iterator[Broker]:
    """Run a broker in a new directory below `directory`; it ends, with all that it started, with the block.

    Args:
        kind: what it is.
        setting: what it is set up with.
        directory: where its own directory is made.
        ports: 2 if it listens for authors and subscribers, 1 if for authors alone, 0 if for nobody.

    Raises:
        BenchmarkError: it did not start, or ended before the block did.
    """
    memory = _MEMORY if _MEMORY.is_dir() else directory
    with (
        TemporaryDirectory(prefix=f"bench-{kind.name}-", dir=directory) as room,
        TemporaryDirectory(prefix=f"bench-{kind.name}-", dir=memory) as in_memory,
    ):
        author_port, subscriber_port = (*free_ports(ports), 0, 0)[:2]
        broker = Broker(kind, setting, Place(Path(room), Path(in_memory), author_port, subscriber_port))
        os.mkfifo(broker.started)
        held_open = os.open(broker.started, os.O_RDWR)  # so that no handler waits for somebody to read
        try:
            broker.start()
            yield broker
            broker.see_that_it_runs()
        finally:
            broker.end()
            os.close(held_open)


def free_ports(number: int) -> list[int]:
    """Give TCP ports of the loopback that were free just now, and that no outgoing connection is given."""
    found: list[int] = []
    while len(found) < number:
        port = random.choice(_PORTS)
        with socket.socket() as bound, suppress(OSError):
            bound.bind(("127.0.0.1", port))
            if port not in found:
                found.append(port)
    return found
