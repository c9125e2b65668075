"""Case 3: the store and the archive on a disk that is full, or refuses to be written, or is locked."""

from __future__ import annotations

import functools
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

import attrs

from faults.archive import Archive
from faults.authors import Book, Load
from faults.ground import Ground, killed, settle
from faults.outcome import Effort, Row, account
from interop.processes import PATIENCE, NeverHappenedError
from interop.stage import Node

PIPELINE = """\
ivoid = "ivo://org.example/voeflow"
store = "disk/voeflow.db"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
linger = "10 s"
[handlers.archive]
plugin = "save"
directory = "disk/events"
retries = 1000
retry_wait = "0.1 s"
"""

#: How many bytes the small file system holds: filled in a moment, and large enough for what is sent.
_DISK = 128 * 2**20

#: How much longer than it need be each packet is, in bytes, so that no disk takes many more once it is full.
_PADDING = 20_000

#: How many events a second the authors send, all together.
_RATE = 100.0

#: How many events are acknowledged before each outage, and again after it.
_BETWEEN = 20

#: How often at most the node may complain of one thing, in seconds.
_COMPLAINTS = 60.0

#: How its complaints of a store that cannot be written begin.
_COMPLAINT = ("the store cannot", "authors get no receipts")

#: What keeps a node from writing in a room, until its context ends.
Fault = Callable[[Node, Path], AbstractContextManager[None]]


def refuse_to_write(ground: Ground, effort: Effort) -> Sequence[Row]:
    """Keep a node from writing in each way that this machine allows, and let it write again."""
    rows = []
    full, limited, frozen, busy = map(ground.room, ("full", "limited", "frozen", "busy"))
    if mounts := ground.mount("full/disk", _DISK):
        rows.append(_outages("3 full disk", ground, full, effort, _filled, "tmpfs, filled and freed"))
        rows.append(_refused_start(ground))
    if freezes := ground.can_freeze():
        fault = functools.partial(_frozen, ground)
        rows.append(_outages("3 read-only", ground, frozen, effort, fault, "its files made immutable (ext4)"))
    if effort.outages > 1 or not (mounts and freezes):
        # What every user may do to a process of theirs; in the short form only where no more is allowed.
        rows.append(_outages("3 no growth", ground, limited, effort, _limited, "RLIMIT_FSIZE 0 on the node"))
    # Each takes SQLite's own patience of five seconds.
    few = attrs.evolve(effort, outages=1, outage_tries=min(5, effort.outage_tries // 20))
    rows.append(_outages("3 locked store", ground, busy, few, _locked, "another process writes to it"))
    return rows


def _outages(case: str, ground: Ground, room: Path, effort: Effort, fault: Fault, note: str) -> Row:
    """Keep a node from writing, several times; every second time it is killed before it can write again."""
    (room / "disk").mkdir(exist_ok=True)
    book = Book(f"ivo://org.example/{room.name}#", padding=_PADDING)
    archive = Archive(room / "disk" / "events", book)
    node = ground.node(PIPELINE, name=room.name)
    broken: list[str] = []
    recovered = []
    for outage in range(effort.outages):
        kill = outage % 2 == 1
        with Load(book, node.port("authors"), rate=_RATE, seed=effort.seed + outage):
            _acknowledge_more(book, node)
            with fault(node, room):
                wanted = book.unanswered + effort.outage_tries
                if not book.wait(unanswered=wanted):
                    broken.append(f"authors were left without an end: {book.unanswered} of {wanted}")
                if kill:
                    killed(node)
            if kill:
                node = ground.node(PIPELINE, name=room.name)
            else:
                recovered.append(_acknowledge_more(book, node))
    owed = set(book.acknowledged)
    settle(case, lambda: len(owed.intersection(archive.ivorns())), len(owed), node)
    node.stop()
    broken += [f"authors were refused: {each}" for each in book.refused[:1]]
    nodes = [each for each in ground.nodes if each.name == room.name]
    broken += [each for node in nodes for each in _complains_too_often(node)]
    if not any(_complaints(node) for node in nodes):
        broken.append("the log says nothing of it")
    row = account(
        case,
        "save",
        effort.outages,
        owed,
        archive.ivorns(),
        sent=book.sent,
        repeats_show=False,
        note=f"{note}; {book.unanswered} closed without receipt, takes events {max(recovered):.1f} s after",
    )
    return attrs.evolve(row, broken=(*row.broken, *broken))


def _acknowledge_more(book: Book, node: Node) -> float:
    """Wait for some more acknowledged events; give after how many seconds the first came."""
    began = time.monotonic()
    before = len(book.acknowledged)
    first = book.wait(acknowledged=before + 1)
    taken = time.monotonic() - began
    if not (first and book.wait(acknowledged=before + _BETWEEN)):
        raise NeverHappenedError(f"the node acknowledges nothing any more\n{node.transcript()}")
    return taken


def _complaints(node: Node) -> list[tuple[str, datetime]]:
    """Give what the node has said of a store that cannot be written, and when."""
    return [
        (str(record["event"]), datetime.fromisoformat(str(record["timestamp"])))
        for record in node.records()
        if str(record["event"]).startswith(_COMPLAINT)
    ]


def _complains_too_often(node: Node) -> list[str]:
    """Say of what the node has complained more than once in a while."""
    last: dict[str, datetime] = {}
    broken = []
    for event, moment in _complaints(node):
        if event in last and (moment - last[event]).total_seconds() < _COMPLAINTS - 1:
            broken.append(f"complained of one thing within a minute: {event}")
        last[event] = moment
    return broken


@contextmanager
def _filled(node: Node, room: Path) -> Iterator[None]:
    """Fill the file system up."""
    ballast = room / "disk" / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (2**20, 2**12):
            with suppress(OSError):
                while file.write(bytes(size)):
                    pass
    yield
    ballast.unlink()


@contextmanager
def _limited(node: Node, room: Path) -> Iterator[None]:
    """Let the node write to no file: to it, each has reached the greatest size that it may have."""
    _, hard = resource.prlimit(node.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (0, hard))
    yield
    with suppress(ProcessLookupError):  # it may have been killed meanwhile
        resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def _frozen(ground: Ground, node: Node, room: Path) -> Iterator[None]:
    """Make the store's files and the archive's directory immutable."""
    files = [path for path in (room / "disk").iterdir() if path.name != "voeflow.db-shm"]
    ground.freeze(*files)
    yield
    ground.thaw(*files)


@contextmanager
def _locked(node: Node, room: Path) -> Iterator[None]:
    """Hold the lock of who writes to the store, as another program may."""
    path = room / "disk" / "voeflow.db"
    with closing(sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def _refused_start(ground: Ground) -> Row:
    """Start a node on a file system that is mounted read-only, and then on the same one when it is not."""
    room = ground.room("readonly")
    book = Book("ivo://org.example/readonly#")
    archive = Archive(room / "disk" / "events", book)
    ground.mount("readonly/disk", _DISK)
    with _running(ground, room) as node, Load(book, node.port("authors"), rate=_RATE, seed=0):
        _acknowledge_more(book, node)
    ground.remount("readonly/disk", "ro")
    node = ground.node(PIPELINE, name=room.name, ready=False)
    broken = []
    if node.wait() != 1 or "read" not in node.transcript():
        broken.append(f"a read-only disk is not told as such: {node.transcript()}")
    ground.remount("readonly/disk", "rw")
    with _running(ground, room) as node, Load(book, node.port("authors"), rate=_RATE, seed=1):
        _acknowledge_more(book, node)
    row = account(
        "3 read-only start",
        "save",
        1,
        book.acknowledged,
        archive.ivorns(),
        sent=book.sent,
        repeats_show=False,
        note="tmpfs, remounted: exit status 1, and why",
    )
    return attrs.evolve(row, broken=(*row.broken, *broken))


@contextmanager
def _running(ground: Ground, room: Path) -> Iterator[Node]:
    node = ground.node(PIPELINE, name=room.name)
    yield node
    node.stop()
