"""What each step that no durable broker can leave out takes of a processor, one packet after another."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from lxml import etree

from benchmarks.packets import Mill

_PACKETS, _REPEATED = 640, 5
_GROUP = 64
_ALONE = 64

#: Of the facts of a packet those that a store's indexes have, and what a subscriber may ask.
_FACTS = ("Who/AuthorIVORN", "Who/Date")
_XPATH = '//Param[@name="Burst_Inten" and @value>1000]'


def measure(grammar: str, directory: str) -> dict[str, float]:
    """Measure each step by itself, the best of a few times over some hundred packets.

    Args:
        grammar: the path of the grammar of VOEvent 2.0.
        directory: where a store is made, on the disk that is measured.

    Returns:
        By step, microseconds for a packet: of processor time, but for a commit of its own, which waits for
        the disk. To parse is also to let go of what was parsed.
    """
    mill = Mill("parts")
    packets = [mill.frame()[4:] for _ in range(_PACKETS)]
    parser = etree.XMLParser(resolve_entities=False, no_network=True, collect_ids=False)
    schema = etree.XMLSchema(file=grammar)
    xpath = etree.XPath(_XPATH)
    roots = [etree.fromstring(raw, parser) for raw in packets]
    with _table(Path(directory)) as database:
        return {
            "parse": _each(lambda: [etree.fromstring(raw, parser) for raw in packets]),
            "check against the grammar": _each(lambda: [schema.validate(root) for root in roots]),
            "hash": _each(lambda: [hashlib.sha256(raw).digest() for raw in packets]),
            "read the facts": _each(lambda: [_facts(root) for root in roots]),
            "ask an XPath": _each(lambda: [xpath(root) for root in roots]),
            f"append, {_GROUP} to a commit": _each(lambda: _append(database, packets, _GROUP)),
            "append, a commit of its own": _each(
                lambda: _append(database, packets[:_ALONE], 1), time.perf_counter, _ALONE
            ),
        }


def _each(
    step: Callable[[], object], clock: Callable[[], float] = time.thread_time, number: int = _PACKETS
) -> float:
    took = []
    for _ in range(_REPEATED):
        begun = clock()
        step()
        took.append(clock() - begun)
    return 1e6 * min(took) / number


def _facts(root: etree._Element) -> list[str | None]:
    return [root.get("ivorn"), root.get("role"), *(root.findtext(path) for path in _FACTS)]


@contextmanager
def _table(directory: Path) -> Iterator[sqlite3.Connection]:
    with (
        TemporaryDirectory(prefix="bench-parts-", dir=directory) as room,
        closing(sqlite3.connect(Path(room) / "parts.db", isolation_level=None)) as database,
    ):
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            database.execute(f"PRAGMA {pragma}").fetchall()
        database.execute(
            "CREATE TABLE events(seq INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, raw BLOB NOT NULL)"
        )
        yield database


def _append(database: sqlite3.Connection, packets: Sequence[bytes], group: int) -> None:
    stamp = time.perf_counter_ns().to_bytes(8, "big")  # so that no digest comes twice
    for first in range(0, len(packets), group):
        database.execute("BEGIN IMMEDIATE")
        database.executemany(
            "INSERT INTO events VALUES (NULL, ?, ?)",
            [
                (stamp + (first + place).to_bytes(24, "big"), raw)
                for place, raw in enumerate(packets[first : first + group])
            ],
        )
        database.execute("COMMIT")
