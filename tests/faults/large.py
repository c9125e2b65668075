"""Case 6: a store with very many events in it, and a sink that very many wait for."""

from __future__ import annotations

import hashlib
import sqlite3
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import attrs

from faults.authors import Book, Load
from faults.ground import Ground, killed, memory, settle
from faults.outcome import Effort, Row, account
from interop.processes import NeverHappenedError
from support.ports import free_port
from support.samples import voevent
from voeflow._store import NewEvent, Store

PIPELINE = """\
ivoid = "ivo://org.example/voeflow"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
linger = "10 s"
"""

DEAD_MAIL = """
[handlers.duty]
plugin = "email"
to = ["duty@example.org"]
sender = "voeflow@example.org"
server = "smtp://127.0.0.1:@MAIL@"
retries = 1000
retry_wait = "30 s"
"""

#: How many events are stored at once while a large store is made.
_BATCH = 5000

#: How many events are submitted to measure the intake rate, by authors that send ahead and never pause.
_SUBMITTED, _AHEAD = 3000, (64, 64, 64)

#: A large store may cost so many times the start-up time and so many seconds, so many bytes of memory, and
#: leave at least this part of the intake rate.
_SLOWER, _LATER, _MEMORY, _RATE_LEFT = 2.0, 0.5, 32 * 2**20, 0.5

#: How often it is measured at most: what one pair of measurements says may be of other programs' making, and
#: it is the middle one of several that counts.
_MOST_PAIRS = 7

#: How long a node with a backlog is watched before its memory is measured, in seconds.
_WATCHED = 4.0


@attrs.frozen
class _Measured:
    """How a node does on a store: seconds to start, bytes of memory once started, events a second."""

    start: float
    resident: int
    rate: float


def fill_the_store(ground: Ground, effort: Effort) -> Sequence[Row]:
    """Compare a node on a large store with one on an empty store, and one that has a backlog with either."""
    books: list[Book] = []
    large = ground.room("large")
    _make_store(large / "voeflow.db", effort.stored)
    pairs: list[tuple[_Measured, _Measured]] = []
    broken: list[str] = []
    while len(pairs) < effort.measurements or (broken and len(pairs) < _MOST_PAIRS):
        rooms = f"empty-{len(pairs)}", "large"
        first, second = (_measure(ground, room, books, effort.seed) for room in rooms)
        pairs.append((first, second))
        broken = _worse(pairs)
    empty, full = map(_median, zip(*pairs, strict=True))
    note = (
        f"{effort.stored:,} events to none: start {_ratio(full.start, empty.start)} ({full.start:.2f} s), "
        f"memory {_ratio(full.resident, empty.resident)} ({_mib(full.resident)}), "
        f"intake {_ratio(full.rate, empty.rate)} ({full.rate:.0f}/s)"
    )
    every = [ivorn for book in books for ivorn in book.acknowledged]
    row = account(
        "6 large store",
        "store",
        len(pairs),
        every,
        _stored([room / "voeflow.db" for room in ground.directory.iterdir()]),
        sent=[ivorn for book in books for ivorn in book.sent],
        note=note,
    )
    return [attrs.evolve(row, broken=(*row.broken, *broken)), _backlog(ground, effort, empty)]


def _worse(pairs: Sequence[tuple[_Measured, _Measured]]) -> list[str]:
    """Say what is worse on a large store than on an empty one, by the middle one of the pairs."""
    later = [(f"{full.start:.2f} s", f"{empty.start:.2f} s", full.start - _SLOWER * empty.start - _LATER)
             for empty, full in pairs]  # fmt: skip
    larger = [(_mib(full.resident), _mib(empty.resident), full.resident - empty.resident - _MEMORY)
              for empty, full in pairs]  # fmt: skip
    fewer = [(f"{full.rate:.0f}/s", f"{empty.rate:.0f}/s", _RATE_LEFT - full.rate / empty.rate)
             for empty, full in pairs]  # fmt: skip
    return [
        f"{what} {', '.join(f'{large} rather than {none}' for large, none, _ in told)}"
        for what, told in (("starts in", later), ("holds", larger), ("takes", fewer))
        if statistics.median(excess for _, _, excess in told) > 0
    ]


def _backlog(ground: Ground, effort: Effort, empty: _Measured) -> Row:
    """Let every event of a large store wait for a mail server that is down."""
    node = ground.node(PIPELINE + DEAD_MAIL.replace("@MAIL@", str(free_port())), name="large")
    time.sleep(_WATCHED)
    resident = memory(node, "VmHWM")
    killed(node)  # it would try for as long as `drain` allows
    broken: tuple[str, ...] = ()
    if resident > empty.resident + _MEMORY:
        broken = (f"a backlog makes a node take {_mib(resident)} rather than {_mib(empty.resident)}",)
    return Row(
        case="6 dead mail server",
        sink="email",
        tries=1,
        acknowledged=0,
        delivered=0,
        note=f"{effort.stored:,} events wait: memory {_ratio(resident, empty.resident)} ({_mib(resident)})",
        broken=broken,
    )


def _measure(ground: Ground, room: str, books: list[Book], seed: int) -> _Measured:
    began = time.monotonic()
    node = ground.node(PIPELINE, name=room)
    start = time.monotonic() - began
    resident = memory(node)
    book = Book(f"ivo://org.example/{room}-{len(books)}#")
    books.append(book)
    began = time.monotonic()
    with Load(book, node.port("authors"), rate=1e9, seed=seed, ahead=_AHEAD):
        if not settle("receipts", lambda: len(book.acknowledged), _SUBMITTED, node):
            raise NeverHappenedError(node.transcript())
        rate = len(book.acknowledged) / (time.monotonic() - began)
    node.stop()
    return _Measured(start, resident, rate)


def _median(measured: Iterable[_Measured]) -> _Measured:
    measured = list(measured)
    return _Measured(
        statistics.median(each.start for each in measured),
        round(statistics.median(each.resident for each in measured)),
        statistics.median(each.rate for each in measured),
    )


def _make_store(path: Path, number: int) -> None:
    """Make a store of so many events; the handler of `DEAD_MAIL`, once there is one, has to mail them all."""
    with closing(Store.open(path)) as store:
        store.open_sinks(["duty"])
        for first in range(0, number, _BATCH):
            store.append(list(_events(first, min(first + _BATCH, number))))


def _events(first: int, last: int) -> Iterator[NewEvent]:
    now = time.time()
    for number in range(first, last):
        ivorn = f"ivo://org.example/stored#{number}"
        raw = voevent(ivorn, body="")
        yield NewEvent(
            digest=hashlib.sha256(raw).digest(),
            raw=raw,
            ivorn=ivorn,
            role="observation",
            version="2.0",
            author="ivo://obspm.gepi/svom",
            date="2026-11-24T01:02:03+00:00",
            received=now,
            source="authors",
            valid=True,
        )


def _stored(stores: Sequence[Path]) -> list[str]:
    """Give the IVORNs of the events that were submitted to nodes on these stores."""
    ivorns = []
    for path in stores:
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute(
                "SELECT ivorn FROM events WHERE ivorn NOT LIKE 'ivo://org.example/stored#%'"
            )
            ivorns += [ivorn for (ivorn,) in rows]
    return ivorns


def _ratio(value: float, of: float) -> str:
    return f"x{value / of:.2f}"


def _mib(size: float) -> str:
    return f"{size / 2**20:.0f} MiB"
