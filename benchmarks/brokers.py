"""The brokers that are measured, and how each is started."""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import attrs

from benchmarks.stored import make_store

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv-peers" / "bin"
LENT = ROOT / "benchmarks" / "lent"

#: The pipe in a broker's directory into which its handler writes a line when it has started.
STARTED = "started"

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

_PROGRAM = """
[handlers.program]
plugin = "spawn"
command = ["{program}"]
"""

_HANDLER = """
[handlers.python]
plugin = "benchmark-started"
pipe = "{pipe}"
work = {work}
"""

_MORE = """
[handlers.more-{number}]
plugin = "benchmark-started"
pipe = "/dev/null"
"""


class BenchmarkError(Exception):
    """A broker or the load generator did not do what it has to for a measurement to mean anything."""


@attrs.frozen
class Setting:
    """What a scenario has a broker set up with.

    Attributes:
        name: tells a scenario's settings apart.
        stored: how many events are in its store before it starts; voeflow alone has such a store.
        handler: what it does with an event besides sending it on: start a `program`, or call a handler in
            `python`; either writes a line into the pipe `STARTED` at once.
        work: how much processor time the handler in Python takes before, in seconds.
        more: how many handlers in Python there are besides, which write to nowhere.
    """

    name: str = ""
    stored: int = 0
    handler: Literal["program", "python"] | None = None
    work: float = 0.0
    more: int = 0


@attrs.frozen
class Place:
    """Where a broker runs.

    Attributes:
        room: its directory, on the disk that is measured.
        memory: another, in memory.
        author_port: where it is to take events.
        subscriber_port: where it is to send them.
    """

    room: Path
    memory: Path
    author_port: int
    subscriber_port: int


@attrs.frozen
class Command:
    """How to start a broker: words, and variables beside those of the benchmark."""

    words: list[str]
    variables: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Kind:
    """A broker as it can be started.

    Attributes:
        name: what the results call it.
        about: what it is and where it keeps what it has seen, for those who read the results.
        command: makes ready a place, and says how to start it there.
    """

    name: str
    about: str
    command: Callable[[Place, Setting], Command]


def voeflow(place: Place, setting: Setting) -> Command:
    """Make ready a node of voeflow: authors in, subscribers out."""
    pipeline = _PIPELINE.format(author_port=place.author_port, subscriber_port=place.subscriber_port)
    if setting.handler == "program":
        pipeline += _PROGRAM.format(program=_program(place))
    elif setting.handler == "python":
        pipeline += python_handler(place, setting.work)
        pipeline += "".join(_MORE.format(number=number) for number in range(setting.more))
    if setting.stored:
        make_store(place.room / "voeflow.db", setting.stored)
    return node(place, pipeline)


def python_handler(place: Place, work: float) -> str:
    """Give the table of a handler in Python that says when it has started."""
    return _HANDLER.format(pipe=place.room / STARTED, work=work)


def node(place: Place, pipeline: str) -> Command:
    """Make ready a node on a pipeline."""
    (place.room / "pipeline.toml").write_text(pipeline, encoding="utf-8")
    variables = {"PYTHONPATH": str(LENT / "handler")} if "benchmark-started" in pipeline else {}
    return Command([sys.executable, "-m", "voeflow", "run", "pipeline.toml"], variables)


def limit(place: Place, setting: Setting) -> Command:
    """Make ready the yardstick."""
    words = [sys.executable, str(ROOT / "benchmarks" / "limit.py")]
    words += [
        str(place.author_port),
        str(place.subscriber_port),
        str(place.room / "limit.db"),
        str(grammar()),
    ]
    words += [_program(place)] if setting.handler == "program" else []
    return Command(words)


def _comet(place: Place, setting: Setting, database: Path) -> Command:
    words = [str(PEERS / "twistd"), "--nodaemon", "--pidfile=", "comet"]
    words += ["--local-ivo=ivo://org.example.benchmark/comet", f"--eventdb={database / 'seen'}"]
    words += ["--receive", f"--receive-port={place.author_port}"]
    words += ["--broadcast", f"--broadcast-port={place.subscriber_port}", "--broadcast-test-interval=0"]
    words += [f"--cmd={_program(place)}"] if setting.handler == "program" else []
    return Command(words, {"PYTHONPATH": str(LENT)} if _comets_dbm() == "lent" else {})


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
            lambda place, setting: _comet(place, setting, place.room),
        ),
        Kind(
            "comet-memory",
            "the same with its hashes in memory: they do not outlive the machine",
            lambda place, setting: _comet(place, setting, place.memory),
        ),
        Kind("limit", "a yardstick: one loop that keeps voeflow's promise on disk, and nothing else", limit),
        Kind("voeflow", "every event on disk before its receipt, its bytes with it", voeflow),
    ]
    return {kind.name: kind for kind in found}


def _program(place: Place) -> str:
    """Write the program that a broker is to start for each event; a shell, the same for all."""
    path = place.room / "program"
    path.write_text(f"#!/bin/sh\necho >> {place.room / STARTED}\ncat > /dev/null\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def grammar() -> Path:
    """Find voeflow's grammar of VOEvent 2.0, without its modules, which the yardstick does without."""
    spec = importlib.util.find_spec("voeflow")
    if spec is None or spec.submodule_search_locations is None:
        raise BenchmarkError("voeflow is not installed; run `make bench`")
    return Path(spec.submodule_search_locations[0]) / "grammars" / "voevent-2.0.xsd"


def _comets_dbm() -> str:
    """Say what Comet's event database is: `own` and `lent` are GNU dbm, else it is `dumb`."""
    python = PEERS / "python"
    if subprocess.run([python, "-c", "import _gdbm"], capture_output=True, check=False).returncode == 0:
        return "own"
    return "lent" if ctypes.util.find_library("gdbm") else "dumb"


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Give the benchmark's environment with a broker's variables; its `PYTHONPATH` comes first.

    Modules may be kept compiled, whatever the environment says: pip compiles what it installs, so without it
    only what is run from its sources, voeflow, would be compiled anew at every start.
    """
    path = os.pathsep.join(filter(None, (variables.get("PYTHONPATH"), os.environ.get("PYTHONPATH"))))
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **variables, "PYTHONPATH": path}
