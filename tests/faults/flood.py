"""Case 8: connections, slow-loris authors and subscribers with hostile filters, all at once."""

from __future__ import annotations

import json
import math
import signal
import socket
import statistics
import sys
import threading
import time
from collections.abc import Sequence

import attrs

from faults.ground import Ground, memory
from faults.outcome import Effort, Row, account
from faults.peers import answer, read
from interop.processes import PATIENCE, NeverHappenedError, Process
from interop.stage import ROOT, Node
from interop.wire import read_frame, role_of, send_frame
from support.samples import voevent
from threats.world import filters

PIPELINE = """\
ivoid = "ivo://org.example/voeflow"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
[transports.public]
plugin = "vtp-broadcast"
listen = "127.0.0.1:0"
test_interval = "0"
"""

#: How many events a second the good author sends, each on a connection of its own.
_RATE = 10.0

#: What 99 of a hundred events may take longer during the flood than before it, in seconds. The attackers take
#: processor time of this machine, which they would not on a network.
_WORSE = 1.0

#: How often it is flooded at most: what one flood says may be of other programs' making, and it is the middle
#: one of several that counts.
_MOST_ROUNDS = 5

#: What the node may hold at most during the flood, in bytes.
_MEMORY = 400 * 2**20

#: An event of the usual size, on which each of the hostile filters takes minutes.
_BODY = "<What>" + "".join(f'<Param name="p{n}" value="{n}"/>' for n in range(300)) + "</What>"


def flood(ground: Ground, effort: Effort) -> Sequence[Row]:
    """Measure how long a good author and two good subscribers wait, before a flood, during one and after."""
    rounds: list[_Round] = []
    worse: list[str] = []
    while not rounds or (worse and len(rounds) < _MOST_ROUNDS):
        # Each time a new node: one that has been flooded knows whom to bar.
        rounds.append(_flood(ground, effort, f"flood-{len(rounds)}"))
        worse = _worse(rounds)
    *rows, last = [row for each in rounds for row in each.rows]
    return [*rows, attrs.evolve(last, broken=(*last.broken, *worse))]


def _flood(ground: Ground, effort: Effort, name: str) -> _Round:
    node = ground.node(PIPELINE, name=name)
    authors, public = node.port("authors"), node.port("public")
    with_filter = Reader(public, filters('//Param[@name="p1" and @value="1"]'))
    plain = Reader(public, None)
    for reader in (with_filter, plain):
        reader.start()
        reader.greeted.wait(PATIENCE)
    _measure("warming", node, 1.0, authors, (with_filter, plain))
    calm = _measure("before", node, effort.flood_seconds, authors, (with_filter, plain))
    idle, loris, hostile = effort.flood
    words = [sys.executable, "-m", "faults.attackers", *map(str, (authors, public, idle, loris, hostile))]
    attackers = Process("attackers", words, ground.room(name), {"PYTHONPATH": str(ROOT / "tests")})
    ground.stack.callback(attackers.kill)
    attackers.wait_for("that they are at work", lambda line: line == "at work")
    among = _measure("during", node, effort.flood_seconds, authors, (with_filter, plain))
    attackers.signal(signal.SIGTERM)
    attackers.wait()
    counts = json.loads(attackers.lines()[-1])
    peak = memory(node, "VmHWM")
    ordinary = _measure("after", node, 1.5, authors, (with_filter, plain))
    node.kill()
    rows = []
    for measured in (calm, among, ordinary):
        note = ", ".join(
            f"{what} p50 {_ms(half)} p99 {_ms(most)}"
            for what, half, most in zip(_WHAT, measured.half, measured.most, strict=True)
        )
        broken = measured.row.broken
        if measured is among:
            if peak > _MEMORY:
                broken += (f"the node held {peak / 2**20:.0f} MiB, more than {_MEMORY / 2**20:.0f}",)
            note += f"; {counts}; node {peak / 2**20:.0f} MiB at most"
        rows.append(attrs.evolve(measured.row, note=note, broken=broken))
    return _Round(calm, among, ordinary, rows)


def _worse(rounds: Sequence[_Round]) -> list[str]:
    """Say what takes too much longer than before the flood, by the middle one of the rounds."""
    worse = []
    for place, what in enumerate(_WHAT):
        for when in ("among", "ordinary"):
            times = [(each.calm.most[place], getattr(each, when).most[place]) for each in rounds]
            if statistics.median(now - then for then, now in times) > _WORSE:
                told = ", ".join(f"{_ms(now)} rather than {_ms(then)}" for then, now in times)
                worse.append(f"{what}, {when}: 99 % of the events took {told}")
    return worse


_WHAT = ("ack", "event", "event by a filter")


@attrs.frozen
class _Measured:
    """What became of the good peers' events, and how long half and 99 of a hundred took, each of `_WHAT`."""

    name: str
    row: Row
    half: tuple[float, ...]
    most: tuple[float, ...]


@attrs.frozen
class _Round:
    """What one node did before a flood, during it and after it, and a row for each."""

    calm: _Measured
    among: _Measured
    ordinary: _Measured
    rows: Sequence[Row]


class Reader(threading.Thread):
    """A subscriber that means well, and notes when it had each event.

    Args:
        port: the node's, for subscribers.
        wish: the filters that it brings, or None.
    """

    def __init__(self, port: int, wish: bytes | None) -> None:
        super().__init__(name="reader", daemon=True)
        self.had: dict[str, float] = {}
        self.greeted = threading.Event()
        self.failure = ""
        self._port = port
        self._wish = wish

    def run(self) -> None:
        try:
            with socket.create_connection(("127.0.0.1", self._port), PATIENCE) as connection:
                connection.settimeout(None)
                while (payload := read_frame(connection)) is not None:
                    role, ivorn = read(payload)
                    if role is None:
                        self.had[ivorn] = time.monotonic()
                        send_frame(connection, answer("ack", ivorn)[4:])
                    elif role == "authenticate" and self._wish is not None:
                        send_frame(connection, self._wish)
                        self.greeted.set()
                    else:
                        send_frame(connection, answer(role, ivorn)[4:])
                        self.greeted.set()
            self.failure = "the node closed the connection"
        except (OSError, NeverHappenedError) as error:
            self.failure = str(error)


def _measure(name: str, node: Node, seconds: float, port: int, readers: tuple[Reader, Reader]) -> _Measured:
    sent: dict[str, float] = {}
    acknowledged: dict[str, float] = {}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ivorn = f"ivo://org.example/{name}#{len(sent)}"
        sent[ivorn] = began = time.monotonic()
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
            send_frame(connection, voevent(ivorn, body=_BODY))
            if role_of(read_frame(connection) or b"<x/>") == "ack":
                acknowledged[ivorn] = time.monotonic()
        time.sleep(max(0.0, 1 / _RATE - (time.monotonic() - began)))
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and any(acknowledged.keys() - reader.had.keys() for reader in readers):
        time.sleep(0.02)
    rows = [
        account(
            f"8 flood: {name}",
            sink,
            0,
            acknowledged,
            [each for each in list(reader.had) if each in sent],
            sent=list(sent),
        )
        for sink, reader in zip(("good subscriber", "good subscriber with a filter"), readers, strict=True)
    ]
    broken = [each for row in rows for each in row.broken]
    broken += [f"a good subscriber was lost: {reader.failure}" for reader in readers if reader.failure]
    if len(acknowledged) < len(sent):
        broken.append(f"{len(sent) - len(acknowledged)} events of the good author were not acknowledged")
    waits = [
        sorted(at[ivorn] - began for ivorn, began in sent.items() if ivorn in at)
        for at in (acknowledged, *(reader.had for reader in readers))
    ]
    return _Measured(
        name,
        attrs.evolve(rows[0], sink="2 good subscribers", broken=tuple(broken)),
        tuple(_quantile(each, 0.5) for each in waits),
        tuple(_quantile(each, 0.99) for each in waits),
    )


def _quantile(ordered: Sequence[float], part: float) -> float:
    return ordered[math.ceil(part * len(ordered)) - 1] if ordered else math.inf


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"
