"""Case 5: fifty subscribers, of which ten never read and ten never acknowledge."""

from __future__ import annotations

import math
import random
import re
import socket
import statistics
import struct
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import attrs
import trio

from faults.authors import Book
from faults.ground import Ground, memory, settle
from faults.outcome import Effort, Row, account
from faults.peers import answer, read
from interop.processes import PATIENCE, NeverHappenedError
from interop.stage import Node
from interop.wire import read_frame, send_frame

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

#: How many events a second the author sends at most, and how much longer than it need be each is, in bytes.
_RATE, _PADDING = 75.0, 40_000

#: The node may grow by what may wait for each of those who do not read (`max_unsent`, and the last piece that
#: was sent), and by this for everything else, in bytes: above all what is parsed of the packets.
_MAX_UNSENT, _ALLOWANCE = 2**20 + 2**18, 24 * 2**20

#: The latencies may be so many times what they are without bad subscribers, give or take so many seconds: a
#: busy machine alone makes more of a difference than the bad ones should.
_FACTOR, _NOISE = 3.0, 0.05

#: What the node says of those whom it drops, of each kind.
_DROPPED = ("took too little", "without a receipt")

#: How often it is measured at most: what one pair of measurements says may be of other programs' making, and
#: it is the middle one of several that counts.
_MOST_PAIRS = 7

_COUNT = struct.Struct("!I")


def crowd(ground: Ground, effort: Effort) -> Sequence[Row]:
    """Measure how long events take to good subscribers, alone and then among bad ones."""
    node = ground.node(PIPELINE, name="crowd")
    before = 0
    pairs: list[tuple[_Measured, _Measured]] = []
    slower: list[str] = []
    while not pairs or (slower and len(pairs) < _MOST_PAIRS):
        alone = _measure(node, effort, len(pairs), bad=False)
        before = before or memory(node)
        pairs.append((alone, _measure(node, effort, len(pairs), bad=True)))
        slower = _slower(pairs)
    grown = max(0, memory(node, "VmHWM") - before)
    node.stop()  # so that all that it has told is there
    dropped = _dropped(node)
    little, silent = (sum(words in reason for reason in dropped) for words in _DROPPED)
    bound = NEVER_READ * _MAX_UNSENT + _ALLOWANCE
    broken = [*slower]
    if grown > bound:
        broken.append(f"the node grew by {_mib(grown)}, more than {_mib(bound)}")
    if not little or not silent or little + silent < len(dropped):
        reasons = Counter(re.sub(r"[0-9]+", "N", reason) for reason in dropped)
        broken.append(f"expected the bad subscribers alone to be dropped, got {reasons}")
    note = (
        f"dropped {little} unread, {silent} unacknowledged; node grew {_mib(grown)} of at most {_mib(bound)}"
    )
    *rows, last = [measured.row for pair in pairs for measured in pair]
    return [*rows, attrs.evolve(last, note=f"{last.note}; {note}", broken=(*last.broken, *broken))]


def _slower(pairs: Sequence[tuple[_Measured, _Measured]]) -> list[str]:
    """Say what takes too long among bad subscribers, by the middle one of the pairs."""
    slower = []
    for name, place in (("half", 0), ("99 %", 1)):
        times = [(alone.times[place], among.times[place]) for alone, among in pairs]
        if statistics.median(among - _FACTOR * alone for alone, among in times) > _NOISE:
            told = ", ".join(f"{_ms(among)} rather than {_ms(alone)}" for alone, among in times)
            slower.append(f"{name} of the events took {told}")
    return slower


def _dropped(node: Node) -> list[str]:
    """Give why the node has dropped subscribers."""
    return [str(each["reason"]) for each in node.records() if each["event"] == "subscriber dropped"]


@attrs.frozen
class _Measured:
    """What a crowd of subscribers had, and after how long.

    Attributes:
        row: how many events.
        times: half of the deliveries took no longer than the first, and 99 of a hundred no longer than the
            second, in seconds.
    """

    row: Row
    times: tuple[float, float]


def _measure(node: Node, effort: Effort, number: int, *, bad: bool) -> _Measured:
    name = "among" if bad else "alone"
    book = Book(f"ivo://org.example/{name}-{number}#", padding=_PADDING)
    people = Crowd(node.port("public"), bad=bad)
    people.start()
    try:
        greeted = GOOD + (NEVER_ACKNOWLEDGE if bad else 0)
        settle("subscribers", lambda: people.greeted, greeted, node)
        _send(node, book, people, effort)
    finally:
        people.stop()
    waits = sorted(at - book.sent_at[ivorn] for had in people.had for ivorn, at in had.items())
    every = [f"{number} {ivorn}" for number in range(GOOD) for ivorn in book.acknowledged]
    row = account(
        f"5 subscribers {name}" + (" bad ones" if bad else ""),
        f"{GOOD} good ones",
        NEVER_READ + NEVER_ACKNOWLEDGE if bad else 0,
        every,
        [f"{number} {ivorn}" for number, had in enumerate(people.had) for ivorn in had],
        sent=[f"{number} {ivorn}" for number in range(GOOD) for ivorn in book.sent],
    )
    times = _quantile(waits, 0.5), _quantile(waits, 0.99)
    return _Measured(attrs.evolve(row, note=f"p50 {_ms(times[0])} p99 {_ms(times[1])}"), times)


def _send(node: Node, book: Book, people: Crowd, effort: Effort) -> None:
    """Send events, each once every good subscriber has had the one before.

    So it is the work itself that is timed, also on a machine that is slower than `_RATE`: there, what waits
    behind others would wait for longer and longer, and for much longer where there is a little more work.
    """
    pick = random.Random(effort.seed)
    with socket.create_connection(("127.0.0.1", node.port("authors")), PATIENCE) as connection:
        for number in range(effort.broadcast):
            ((ivorn, packet),) = book.take(1)
            send_frame(connection, packet)
            if (receipt := read_frame(connection)) is None:
                raise NeverHappenedError(node.transcript())
            book.note(ivorn, receipt)
            if not people.wait(GOOD * (number + 1)):
                raise NeverHappenedError(node.transcript())
            time.sleep(pick.expovariate(_RATE))  # the rate of the events


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
        self._deliveries = 0
        self._more = threading.Condition()
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

    def wait(self, deliveries: int) -> bool:
        """Wait until the good ones have had so many events, all together; False if they never do."""
        with self._more:
            return self._more.wait_for(lambda: self._deliveries >= deliveries, PATIENCE)

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
                if role is None and ivorn not in had:
                    had[ivorn] = now
                    if good:
                        with self._more:
                            self._deliveries += 1
                            self._more.notify()
                self.greeted += role == "authenticate"
                if role is not None or good:
                    await stream.send_all(answer(role or "ack", ivorn))


def _quantile(ordered: Sequence[float], part: float) -> float:
    return ordered[math.ceil(part * len(ordered)) - 1] if ordered else math.inf


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"


def _mib(size: float) -> str:
    return f"{size / 2**20:.0f} MiB"
