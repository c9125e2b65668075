"""One author and some subscribers: when each event has come to the last of them."""

from __future__ import annotations

import select
import socket
import time

import attrs

from benchmarks.load.authors import PATIENCE
from benchmarks.load.frames import Frames
from benchmarks.packets import Mill
from benchmarks.processes import processor_time

#: How many events are sent before any is counted: the first ones find caches cold.
_WARM_UP = 3


@attrs.frozen
class FanOut:
    """What came of sending events to subscribers.

    Attributes:
        firsts: from the start of the author's connection until the first subscriber had the last byte, in
            seconds, sorted.
        lasts: the same until the last subscriber had it.
        missing: how many copies did not come, or not byte for byte.
        generator: how much of a processor the generator had, 1 being one processor all the time.
        reading: the generator's processor time for each event up to its last copy, in seconds: what part of
            `lasts` may be its own.
        broker: the processor time that the broker had for each event, receipts included, in seconds.
    """

    firsts: list[float]
    lasts: list[float]
    missing: int
    generator: float
    reading: float
    broker: float


@attrs.define(eq=False)
class _Crowd:
    """The subscribers' connections."""

    poll: select.epoll = attrs.field(factory=select.epoll)
    sockets: dict[int, socket.socket] = attrs.field(factory=dict)
    frames: dict[int, Frames] = attrs.field(factory=dict)

    def join(self, port: int, number: int) -> None:
        """Connect one by one, each greeted before the next comes: no broker's backlog is put to the test."""
        for _ in range(number):
            sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
            frames = Frames()
            frames.feed(sock.recv(65536))
            sock.setblocking(False)
            self.sockets[sock.fileno()] = sock
            self.frames[sock.fileno()] = frames
            self.poll.register(sock, select.EPOLLIN)

    def await_event(self, payload: bytes, deadline: float) -> list[float]:
        """Read until every subscriber has an event; give the times at which they had it, in order."""
        had: list[float] = []
        frame = len(payload).to_bytes(4, "big") + payload
        while len(had) < len(self.sockets) and time.monotonic() < deadline:
            for ready, _ in self.poll.poll(0.1):
                data = self.sockets[ready].recv(65536)
                if data == frame or payload in self.frames[ready].feed(data):
                    had.append(time.monotonic())
                elif not data:
                    self.poll.unregister(ready)
        return had

    def answer(self, receipt: bytes) -> None:
        """Let every subscriber acknowledge the event."""
        for sock in self.sockets.values():
            sock.send(receipt)

    def close(self) -> None:
        """Leave."""
        self.poll.close()
        for sock in self.sockets.values():
            sock.close()


def send(
    author_port: int,
    subscriber_port: int,
    broker: int,
    stem: str,
    subscribers: int,
    events: int,
    pause: float,
) -> FanOut:
    """Send events one by one, each on a connection of its own, to some subscribers.

    The subscribers acknowledge an event once all of them have it, so that the time to the last of them is not
    that of the generator's own writing.

    Args:
        author_port: the broker's, for authors.
        subscriber_port: the broker's, for subscribers.
        broker: the session of its processes.
        stem: what the IVORNs' local parts begin with.
        subscribers: how many there are.
        events: how many are counted.
        pause: from the start of one event to the start of the next, in seconds, at least.
    """
    mill = Mill(stem)
    crowd = _Crowd()
    firsts, lasts = [], []
    missing = 0
    reading = broker_before = before = begun = 0.0
    try:
        crowd.join(subscriber_port, subscribers)
        due = time.monotonic()
        for number in range(_WARM_UP + events):
            time.sleep(max(0.0, due - time.monotonic()))
            due = time.monotonic() + pause
            if number == _WARM_UP:
                broker_before, before = processor_time(broker), time.process_time()
                begun = time.monotonic()
            frame = mill.frame()
            started, reading_before = time.monotonic(), time.process_time()
            with socket.create_connection(("127.0.0.1", author_port), timeout=PATIENCE) as author:
                author.sendall(frame)
                had = crowd.await_event(frame[4:], started + PATIENCE)
                if number >= _WARM_UP:
                    reading += time.process_time() - reading_before
                    missing += subscribers - len(had)
                    if had:
                        firsts.append(had[0] - started)
                        lasts.append(had[-1] - started)
                author.recv(65536)
            crowd.answer(mill.receipt())
        time.sleep(max(0.0, due - time.monotonic()))  # the last receipts are the broker's work too
        lasted = time.monotonic() - begun
        return FanOut(
            firsts=sorted(firsts),
            lasts=sorted(lasts),
            missing=missing,
            generator=(time.process_time() - before) / lasted,
            reading=reading / events,
            broker=(processor_time(broker) - broker_before) / events,
        )
    finally:
        crowd.close()
