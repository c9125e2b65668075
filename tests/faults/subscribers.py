"""Case 5: fifty subscribers, of which ten never read and ten never acknowledge."""

from __future__ import annotations

import math
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import attrs
import trio

from faults.authors import Book, Load
from faults.ground import Ground, memory, settle
from faults.outcome import Effort, Row, account
from faults.peers import answer, read
from interop.processes import NeverHappenedError
from interop.stage import Node

PIPELINE = """\
ivoid = "ivo://org.example/voeflow"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
linger = "10 s"
[transports.public]
plugin = "vtp-broadcast"
listen = "127.0.0.1:0"
test_interval = "0"
max_unsent = "1 MiB"
max_unacknowledged = 150
"""

#: How many there are of each kind.
GOOD, NEVER_READ, NEVER_ACKNOWLEDGE = 30, 10, 10

#: How many events a second the authors send, and how much longer than it need be each is, in bytes.
_RATE, _PADDING = 75.0, 40_000

#: How long a measurement may take, in seconds: ten times what it should.
_PATIENCE = 120.0

#: The node may grow by what may wait for each of those who do not read (`max_unsent`, and the last piece that
#: was sent), and by this for everything else, in bytes: above all 8 MiB of packets, and what is parsed of
#: them, in the queue of a broadcaster that a busy machine keeps waiting.
_MAX_UNSENT, _ALLOWANCE = 2**20 + 2**18, 48 * 2**20

#: The latencies may be so many times what they are without bad subscribers, give or take so many seconds: a
#: busy machine alone makes more of a difference than the bad ones should.
_FACTOR, _NOISE = 3.0, 0.05

_COUNT = struct.Struct("!I")


def crowd(ground: Ground, effort: Effort) -> Sequence[Row]:
    """Measure how long events take to good subscribers, alone and then among bad ones."""
    node = ground.node(PIPELINE, name="crowd")
    alone = _measure(node, effort, "alone", bad=False)
    before = memory(node)
    among = _measure(node, effort, "among", bad=True)
    grown = max(0, memory(node, "VmHWM") - before)
    dropped = [r for r in node.records() if r["event"] == "subscriber dropped"]
    little = sum("took too little" in str(record["reason"]) for record in dropped)
    silent = sum("without a receipt" in str(record["reason"]) for record in dropped)
    reasons = Counter(re.sub(r"[0-9]+", "N", str(record["reason"])) for record in dropped)
    node.stop()
    bound = NEVER_READ * _MAX_UNSENT + _ALLOWANCE
    broken = []
    if grown > bound:
        broken.append(f"the node grew by {_mib(grown)}, more than {_mib(bound)}")
    for name, without, with_bad in (("half", alone.half, among.half), ("99 %", alone.most, among.most)):
        if with_bad > _FACTOR * without + _NOISE:
            broken.append(f"{name} of the events took {_ms(with_bad)} rather than {_ms(without)}")
    if not little or not silent or little + silent < len(dropped):
        broken.append(f"expected the bad subscribers alone to be dropped, got {reasons}")
    note = (
        f"p50 {_ms(among.half)} p99 {_ms(among.most)}; dropped {little} unread, {silent} unacknowledged; "
        f"node grew {_mib(grown)} of at most {_mib(bound)}"
    )
    row = attrs.evolve(
        among.row,
        note=note,
        broken=(*among.row.broken, *broken),
    )
    return [attrs.evolve(alone.row, note=f"p50 {_ms(alone.half)} p99 {_ms(alone.most)}"), row]


@attrs.frozen
class _Measured:
    """What a crowd of subscribers had, and after how long.

    Attributes:
        row: how many events.
        half: half of the deliveries took no longer than this, in seconds.
        most: 99 of a hundred took no longer than this, in seconds.
    """

    row: Row
    half: float
    most: float


def _measure(node: Node, effort: Effort, name: str, *, bad: bool) -> _Measured:
    book = Book(f"ivo://org.example/{name}#", padding=_PADDING)
    people = Crowd(node.port("public"), bad=bad)
    people.start()
    try:
        greeted = GOOD + (NEVER_ACKNOWLEDGE if bad else 0)
        settle("subscribers", lambda: people.greeted, greeted, node)
        with Load(book, node.port("authors"), rate=_RATE, seed=effort.seed, ahead=(1, 1, 1)):
            if not book.wait(acknowledged=effort.broadcast, patience=_PATIENCE):
                raise NeverHappenedError(node.transcript())
        owed = GOOD * len(book.acknowledged)
        settle("events", lambda: sum(len(each) for each in people.had), owed, node)
    finally:
        people.stop()
    waits = sorted(
        at - book.sent_at[ivorn] for had in people.had for ivorn, at in had.items() if ivorn in book.sent_at
    )
    every = [f"{number} {ivorn}" for number in range(GOOD) for ivorn in book.acknowledged]
    row = account(
        f"5 subscribers {name}" + (" bad ones" if bad else ""),
        f"{GOOD} good ones",
        NEVER_READ + NEVER_ACKNOWLEDGE if bad else 0,
        every,
        [f"{number} {ivorn}" for number, had in enumerate(people.had) for ivorn in had],
        sent=[f"{number} {ivorn}" for number in range(GOOD) for ivorn in book.sent],
    )
    return _Measured(row, _quantile(waits, 0.5), _quantile(waits, 0.99))


class Crowd(threading.Thread):
    """Subscribers, good and bad, on a trio loop of their own.

    Those that do not acknowledge come back as soon as they are dropped.

    Args:
        port: the node's, for subscribers.
        bad: whether there are bad ones.

    Attributes:
        had: for each good one, when it had each event, by IVORN.
        greeted: how often the node has greeted one that reads.
    """

    def __init__(self, port: int, *, bad: bool) -> None:
        super().__init__(name="crowd", daemon=True)
        self.had: list[dict[str, float]] = [{} for _ in range(GOOD)]
        self.greeted = 0
        self._port = port
        self._bad = bad
        self._stopped = threading.Event()

    def run(self) -> None:
        trio.run(self._live)

    def stop(self) -> None:
        """End every subscription."""
        self._stopped.set()
        self.join()

    async def _live(self) -> None:
        async with trio.open_nursery() as nursery:
            for had in self.had:
                nursery.start_soon(self._subscribe, had, True)
            for _ in range(NEVER_ACKNOWLEDGE if self._bad else 0):
                nursery.start_soon(self._subscribe, {}, False)
            for _ in range(NEVER_READ if self._bad else 0):
                nursery.start_soon(self._ignore)
            await trio.to_thread.run_sync(self._stopped.wait)
            nursery.cancel_scope.cancel()

    async def _ignore(self) -> None:
        """Connect, answer the greeting, and read nothing, not even that the connection has ended."""
        with trio.socket.socket() as connection:
            # What the kernels keep for it shall be small beside what it may leave unacknowledged.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
            await connection.connect(("127.0.0.1", self._port))
            # As if it had read the greeting: until then it would be given nothing for a second.
            await connection.send(answer("authenticate", "ivo://org.example/voeflow"))
            await trio.sleep_forever()

    async def _subscribe(self, had: dict[str, float], good: bool) -> None:
        while True:
            async with await trio.open_tcp_stream("127.0.0.1", self._port) as stream:
                with suppress(trio.BrokenResourceError):  # dropped: it comes again
                    await self._take(stream, had, good)

    async def _take(self, stream: trio.SocketStream, had: dict[str, float], good: bool) -> None:
        buffer = bytearray()
        async for data in stream:
            buffer += data
            now = time.monotonic()
            while len(buffer) >= _COUNT.size:
                (length,) = _COUNT.unpack_from(buffer)
                if len(buffer) < _COUNT.size + length:
                    break
                payload = bytes(buffer[_COUNT.size : _COUNT.size + length])
                del buffer[: _COUNT.size + length]
                role, ivorn = read(payload)
                if role is None:
                    had.setdefault(ivorn, now)
                self.greeted += role == "authenticate"
                if role is not None or good:
                    await stream.send_all(answer(role or "ack", ivorn))


def _quantile(ordered: Sequence[float], part: float) -> float:
    return ordered[math.ceil(part * len(ordered)) - 1] if ordered else math.inf


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"


def _mib(size: float) -> str:
    return f"{size / 2**20:.0f} MiB"
