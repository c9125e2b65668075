"""Case 2: a lossless link between two nodes, which are killed at random, or cut off from one another."""

from __future__ import annotations

import functools
import random
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import attrs

from faults.archive import Archive
from faults.authors import Book, Load
from faults.cable import Cable
from faults.downstream import DOWNSTREAM
from faults.ground import Ground, killed, settle
from faults.outcome import Effort, Row, account
from interop.stage import Node
from support.ports import free_port

UPSTREAM = """\
ivoid = "ivo://org.example/upstream"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
linger = "10 s"
[transports.public]
plugin = "vtp-broadcast"
listen = "127.0.0.1:@PORT@"
test_interval = "0"
alive_interval = "1 s"
"""

#: How many events a second the authors send, all together, while nodes are killed, and while a link is cut.
_RATE, _RATE_OF_CUT = 200.0, 20.0

#: A node is killed up to so long after the link is there again, in seconds.
_LINKED = 0.4


def break_links(ground: Ground, effort: Effort) -> Sequence[Row]:
    """Kill the nodes of one link, while another is cut."""
    cut = _Cut(ground, effort)
    cut.start()
    try:
        row = _kill_both(ground, effort)
    finally:
        cut.join()
    if cut.failure is not None:
        raise cut.failure
    return [row, *cut.rows]


def _kill_both(ground: Ground, effort: Effort) -> Row:
    """Kill one node of a link or the other or both, again and again."""
    pick = random.Random(effort.seed)
    book = Book("ivo://org.example/linked#")
    port = str(free_port())
    upstream = functools.partial(ground.node, UPSTREAM.replace("@PORT@", port), name="up")
    downstream = functools.partial(ground.node, DOWNSTREAM.replace("@PORT@", port), name="down")
    up, down = upstream(), downstream()
    down.wait_until_told("subscribed")
    for life in range(effort.link_kills):
        which = pick.choice(["up", "down", "both"])
        with Load(book, up.port("authors"), rate=_RATE, seed=effort.seed + life):
            time.sleep(pick.uniform(0, _LINKED))  # the instant of the fault itself
            if which != "down":
                killed(up)
            if which != "up":
                killed(down)
        up = up if which == "down" else upstream(ready=False)
        down = down if which == "up" else downstream(ready=False)
        up.wait_until_told("node ready")
    with Load(book, up.port("authors"), rate=_RATE, seed=effort.seed - 1):
        book.wait(acknowledged=len(book.sent))
    note = f"{effort.link_kills} times one or both"
    return _compare("2 link, nodes killed", effort.link_kills, book, up, down, note)


class _Cut(threading.Thread):
    """Cuts a link for a while, silently as where a cable is pulled, and then so that both ends are told."""

    def __init__(self, ground: Ground, effort: Effort) -> None:
        super().__init__(name="cut", daemon=True)
        self._ground = ground
        self._effort = effort
        self.rows: list[Row] = []
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            self.rows = [self._cut()]
        except Exception as error:
            self.failure = error

    def _cut(self) -> Row:
        effort, port = self._effort, free_port()
        book = Book("ivo://org.example/cut#")
        up = self._ground.node(UPSTREAM.replace("@PORT@", str(port)), name="cut-up")
        with Cable(port) as cable:
            down = self._ground.node(DOWNSTREAM.replace("@PORT@", str(cable.port)), name="cut-down")
            down.wait_until_told("subscribed")
            with Load(book, up.port("authors"), rate=_RATE_OF_CUT, seed=effort.seed):
                for silent in (True, False):
                    book.wait(acknowledged=len(book.acknowledged) + 10)
                    cable.cut(silent=silent)
                    time.sleep(effort.cut)  # the length of the fault itself
                    cable.mend()
            note = f"{effort.cut:g} s in silence, and {effort.cut:g} s with both ends told"
            return _compare("2 link cut", 2, book, up, down, note)


def _compare(case: str, tries: int, book: Book, up: Node, down: Node, note: str) -> Row:
    """Hold what came over a link against what was acknowledged before it, also in its order."""
    owed = set(book.acknowledged)
    archive = Archive(down.directory / "events", book)
    settle(case, lambda: len(owed.intersection(archive.ivorns())), len(owed), down, up)
    up.stop()
    down.stop()
    here, there = (_log(node.directory / "voeflow.db") for node in (up, down))
    in_order = [ivorn for ivorn in here if ivorn in set(there)] == there
    row = account(
        case,
        "save, downstream",
        tries,
        owed,
        archive.ivorns(),
        sent=book.sent,
        repeats_show=False,
        note=f"{note}; {'in order' if in_order else 'OUT OF ORDER'}",
    )
    broken = () if in_order else (f"order is lost: {_first_difference(here, there)}",)
    return attrs.evolve(row, broken=row.broken + broken)


def _log(store: Path) -> list[str]:
    """Give the IVORNs of a store's events, in the order that they came in."""
    with closing(sqlite3.connect(store)) as connection:
        return [ivorn for (ivorn,) in connection.execute("SELECT ivorn FROM events ORDER BY seq")]


def _first_difference(here: Sequence[str], there: Sequence[str]) -> str:
    for place, (one, other) in enumerate(zip(here, there, strict=False)):
        if one != other:
            return f"{list(here[place : place + 5])} came as {list(there[place : place + 5])}"
    return f"{len(here)} events came as {len(there)}"
