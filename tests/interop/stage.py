"""What the tests put on: voeflow nodes and their peers, each in a directory of its own."""

from __future__ import annotations

import functools
import json
import re
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from interop.processes import Finished, NeverHappenedError, Process, finish, until
from support.ports import free_port

AnyProcess = TypeVar("AnyProcess", bound=Process)

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".venv-peers"

#: How often a program is started anew because another took the port that was free for it.
_ATTEMPTS = 5

_COLLECT = """\
#!/bin/sh
# Keep the event on standard input, byte for byte, under a name that appears when it is whole.
set -e
new=$(mktemp "$0.d/.XXXXXXXX")
cat > "$new"
mv "$new" "$0.d/$(basename "$new" | cut -c 2-).xml"
"""


def voeflow(*words: str | Path) -> list[str | Path]:
    """Give the command line of `voeflow` as it is installed where the tests run."""
    return [sys.executable, "-m", "voeflow", *words]


def peer(program: str) -> Path:
    """Give the path of one of the peers' programs, or fail with what to do about its absence."""
    path = PEERS / "bin" / program
    if not path.exists():
        pytest.fail(f"{path} is not there: the peers are not installed; run `make peers`")
    return path


@functools.cache
def peers_packages() -> Path:
    """Give the directory of the packages that the peers' environment holds."""
    peer("python")
    return next(PEERS.glob("lib/python3.*/site-packages"))


def contents(directory: Path) -> list[bytes]:
    """Give the contents of the `*.xml` files in a directory and below, sorted, to be compared."""
    return sorted(path.read_bytes() for path in directory.rglob("*.xml"))


def wait_for_contents(directory: Path, packets: Iterable[bytes], *processes: Process) -> None:
    """Wait until a directory holds at least all of `packets`, each under a name of its own, byte for byte."""
    wanted = set(packets)
    until(
        f"{len(wanted)} packets in {directory.name}", lambda: wanted <= set(contents(directory)), *processes
    )


class Node(Process):
    """A running `voeflow run` whose log is read as JSON."""

    def records(self) -> list[dict[str, object]]:
        """Give the log so far; what is no log line is left out."""
        return [json.loads(line) for line in self.lines() if line.startswith("{")]

    def wait_until_told(self, event: str, *, number: int = 1, **facts: object) -> list[dict[str, object]]:
        """Wait for `number` log lines of this event with these facts, and give all that there are."""

        def wanted(line: str) -> bool:
            if not line.startswith("{"):
                return False
            record = json.loads(line)
            return bool(record["event"] == event) and facts.items() <= record.items()

        told = f"{event!r} with {facts}" if facts else repr(event)
        return [json.loads(line) for line in self.wait_for(told, wanted, number=number)]

    def port(self, transport: str) -> int:
        """Give the TCP port that one of its transports listens on."""
        (record, *_) = self.wait_until_told("listening", transport=transport)
        return int(str(record["address"]).rpartition(":")[2])

    def stop(self) -> None:
        """End it as a service manager does, and see that it drains and ends well."""
        self.signal(signal.SIGTERM)
        assert self.wait() == 0, self.transcript()


class Comet(Process):
    """A running Comet; everything that it takes goes into `received`, byte for byte."""

    received: Path

    @functools.cached_property
    def _ports(self) -> dict[str, int]:
        found = self.wait_for("its ports", lambda line: " starting on " in line, number=2)
        return {line.split(" starting on ")[0].split()[-2]: int(line.split()[-1]) for line in found}

    @property
    def receive_port(self) -> int:
        """The port for authors."""
        return self._ports["VOEventReceiverFactory"]

    @property
    def broadcast_port(self) -> int:
        """The port for subscribers."""
        return self._ports["VOEventBroadcasterFactory"]

    def wait_until_says(self, words: str, *, number: int = 1) -> list[str]:
        """Wait for `number` lines of its log with these words in them."""
        return self.wait_for(repr(words), lambda line: words in line, number=number)

    def ivorns_received(self) -> list[str]:
        """Give the IVORNs of the events that have come to it, in the order they came."""
        found = (re.search(r"VOEvent (\S+) received from", line) for line in self.lines())
        return [match[1] for match in found if match]


class Stage:
    """Starts processes for one test, and ends all of them with it.

    Args:
        directory: an empty directory; each process runs in one of its own inside it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._processes: list[Process] = []

    def room(self, name: str) -> Path:
        """Make the directory of one process, or give it where it is there."""
        room = self.directory / name
        room.mkdir(exist_ok=True)
        return room

    def node(
        self,
        pipeline: str,
        *,
        name: str = "node",
        environment: Mapping[str, str] | None = None,
        ready: bool = True,
    ) -> Node:
        """Run a node on a pipeline, and wait until it is ready unless told not to.

        A node of a name that was used before runs in the same directory: that is a restart.
        """
        room = self.room(name)
        (room / "pipeline.toml").write_text(pipeline, encoding="utf-8")
        words = voeflow("run", "pipeline.toml", "--log-format", "json", "--log-level", "debug")
        node = self._keep(Node(name, words, room, environment))
        if ready:
            node.wait_until_told("node ready")
        return node

    def command(
        self, *words: str | Path, stdin: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> Finished:
        """Run one `voeflow` subcommand to its end."""
        return finish(voeflow(*words), self.directory, stdin=stdin, environment=environment)

    def program(
        self, name: str, command: Sequence[str | Path], *, environment: Mapping[str, str] | None = None
    ) -> Process:
        """Run any other program in the directory of its name."""
        return self._keep(Process(name, command, self.room(name), environment))

    def listen(self, port: int, *options: str) -> Process:
        """Run `voeflow listen` on a broadcaster."""
        words = voeflow("listen", f"127.0.0.1:{port}", *options)
        return self._keep(Process("listen", words, self.room("listen")))

    def comet(self, *, name: str = "comet", remote: int | None = None, filters: Sequence[str] = ()) -> Comet:
        """Run a Comet that receives, broadcasts, and subscribes to the port `remote` if there is one."""
        room = self.room(name)
        received = room / "collect.d"
        received.mkdir()
        collect = room / "collect"
        collect.write_text(_COLLECT, encoding="utf-8")
        collect.chmod(0o755)
        words: list[str | Path] = [peer("twistd"), "--nodaemon", "--pidfile=", "comet", "--verbose"]
        words += ["--local-ivo=ivo://org.example/comet", f"--eventdb={room / 'seen'}", f"--cmd={collect}"]
        words += ["--receive", "--receive-port=0", "--broadcast", "--broadcast-port=0"]
        words += ["--broadcast-test-interval=0"]
        words += [f"--remote=127.0.0.1:{remote}"] if remote else []
        words += [f"--filter={each}" for each in filters]
        comet = self._keep(Comet(name, words, room))
        comet.received = received
        assert comet.receive_port
        assert comet.broadcast_port
        return comet

    def comet_sendvo(self, port: int, packet: bytes) -> Finished:
        """Send one packet to a receiver with Comet's author program."""
        return finish([peer("comet-sendvo"), "--port", str(port)], self.directory, stdin=packet)

    def pygcn_listen(self, port: int, *, name: str = "pygcn-listen") -> Process:
        """Run PyGCN's subscriber, which saves packets in its directory, and wait until it is connected."""
        process = self._keep(Process(name, [peer("pygcn-listen"), f"127.0.0.1:{port}"], self.room(name)))
        process.wait_for("that it is connected", lambda line: "connected to" in line)
        return process

    def pygcn_serve(self, packets: Sequence[Path]) -> tuple[Process, int]:
        """Run PyGCN's broadcaster, which sends packets in a circle without a pause.

        Returns:
            The process, and the port that it listens on.
        """
        for _ in range(_ATTEMPTS):
            port = free_port()
            options = [f"--host=127.0.0.1:{port}", "--retransmit-timeout=0"]
            words: list[str | Path] = [peer("pygcn-serve"), *options, *packets]
            process = self._keep(Process("pygcn-serve", words, self.room("pygcn-serve")))
            try:
                process.wait_for("that it is bound", lambda line: "bound to" in line)
            except NeverHappenedError:
                if "Address already in use" not in process.transcript():
                    raise
            else:
                return process, port
        raise NeverHappenedError("found no port for pygcn-serve")

    def close(self) -> None:
        """End every process, and print what each said: pytest shows it where the test has failed."""
        for process in reversed(self._processes):
            process.kill()
        for process in self._processes:
            print(process.transcript())

    def nodes(self) -> list[Node]:
        """Give every node that ran."""
        return [process for process in self._processes if isinstance(process, Node)]

    def _keep(self, process: AnyProcess) -> AnyProcess:
        self._processes.append(process)
        return process
