"""Authors that never pause, to many subscribers: how many copies a broker hands out a second."""

from __future__ import annotations

import socket
import time

import attrs

from benchmarks.load.authors import Author, accepted, begin, go_on
from benchmarks.load.crowd import PATIENCE, Crowd
from benchmarks.packets import Mill
from benchmarks.processes import processor_time


@attrs.frozen
class Flood:
    """What came of it.

    Attributes:
        deliveries: whole copies a second, until the last copy of the last event had come.
        acknowledged: events a second, while events were sent.
        refused: how many events got an answer that is no acknowledgement.
        unanswered: how many got none.
        missing: how many copies of acknowledged events did not come.
        generator: how much of a processor the generator had, 1 being one processor all the time.
        broker: the processor time that the broker had for each copy, in seconds.
    """

    deliveries: float
    acknowledged: float
    refused: int
    unanswered: int
    missing: int
    generator: float
    broker: float


@attrs.define(eq=False)
class _Reader:
    """A subscriber of which only the frames are counted: to compare each would be the generator's limit."""

    socket: socket.socket
    copies: int = 0
    _left: int = 0  # of the frame that is being read
    _head: bytes = b""

    def feed(self, data: bytes, length: int) -> None:
        """Count the frames of `length` bytes, heads included, that end in what has come."""
        if self._head:
            data, self._head = self._head + data, b""
        at = self._left
        if at and at <= len(data):
            self.copies += 1
        while at < len(data):
            if len(data) - at < 4:
                self._head = data[at:]
                self._left = 0
                return
            size = 4 + int.from_bytes(data[at : at + 4], "big")
            at += size
            if at <= len(data):
                self.copies += size == length
        self._left = at - len(data)


def send(
    author_port: int,
    subscriber_port: int,
    broker: int,
    stem: str,
    authors: int,
    subscribers: int,
    seconds: float,
) -> Flood:
    """Send events as quickly as receipts come, then wait until all subscribers have all of them.

    Subscribers send no receipts, and all but the first are trusted with the bytes; the first has to get every
    event's, once each.

    Args:
        author_port: the broker's, for authors.
        subscriber_port: the broker's, for subscribers.
        broker: the session of its processes.
        stem: what the IVORNs' local parts begin with.
        authors: how many send at a time, each event on a connection of its own.
        subscribers: how many there are.
        seconds: for how long events are sent.
    """
    mill, crowd = Mill(stem), Crowd()
    poll = crowd.poll
    sending: dict[int, Author] = {}
    seen: set[int] = set()
    refused = unanswered = acknowledged = in_time = 0
    try:
        crowd.join(subscriber_port, subscribers)
        readers = {number: _Reader(sock) for number, sock in crowd.sockets.items()}
        first = next(iter(readers))
        length = len(Mill(stem).frame())
        broker_before, before = processor_time(broker), time.process_time()
        begun = last = time.monotonic()
        ends = begun + seconds
        for _ in range(authors):
            begin(author_port, mill, poll, sending)
        copies = 0
        while (now := time.monotonic()) < last + PATIENCE:
            if not sending and copies >= acknowledged * subscribers:
                break
            for number, _ready in poll.poll(0.1, 1024):
                if number in readers:
                    data = readers[number].socket.recv(65536)
                    if not data:
                        poll.unregister(number)
                        continue
                    reader = readers[number]
                    copies -= reader.copies
                    reader.feed(data, length)
                    copies += reader.copies
                    if number == first:
                        seen.update(mill.number(payload) for payload in crowd.frames[number].feed(data))
                    last = now
                    continue
                answer = go_on(sending[number], poll)
                if answer is None:
                    continue
                sending.pop(number).socket.close()
                if not answer:
                    unanswered += 1
                elif accepted(answer):
                    acknowledged += 1
                    in_time += now <= ends
                else:
                    refused += 1
                if now < ends:
                    begin(author_port, mill, poll, sending)
        used = processor_time(broker) - broker_before
        lost_by_first = acknowledged - len(seen - {0})
        return Flood(
            deliveries=copies / (last - begun) if last > begun else 0.0,
            acknowledged=in_time / seconds,
            refused=refused,
            unanswered=unanswered + len(sending),
            missing=max(0, acknowledged * subscribers - copies, lost_by_first),
            generator=(time.process_time() - before) / (time.monotonic() - begun),
            broker=used / max(1, copies),
        )
    finally:
        for author in sending.values():
            author.socket.close()
        crowd.close()
