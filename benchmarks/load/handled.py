"""One author, and a pipe into which the broker's handler writes: how long a handler waits for its event."""

from __future__ import annotations

import os
import select
import socket
import time

import attrs

from benchmarks.load.crowd import PATIENCE
from benchmarks.packets import Mill
from benchmarks.processes import processor_time

#: How many events are sent before any is counted.
_WARM_UP = 2


@attrs.frozen
class Handled:
    """What came of sending events to a broker with a handler.

    Attributes:
        after_receipt: from the author's having its receipt until the handler had started, in seconds, sorted;
            negative where the handler was first.
        in_all: the same from the start of the author's connection.
        missing: how many events started no handler.
        generator: how much of a processor the generator had, 1 being one processor all the time.
        broker: the processor time that the broker had for each event, without what it started, in seconds.
    """

    after_receipt: list[float]
    in_all: list[float]
    missing: int
    generator: float
    broker: float


def send(author_port: int, pipe: str, broker: int, stem: str, events: int, pause: float) -> Handled:
    """Send events one by one, each on a connection of its own, to a broker whose handler writes into a pipe.

    Args:
        author_port: the broker's, for authors.
        pipe: the path of the pipe.
        broker: the session of its processes.
        stem: what the IVORNs' local parts begin with.
        events: how many are counted.
        pause: from the start of one event to the start of the next, in seconds, at least.
    """
    mill = Mill(stem)
    after_receipt, in_all = [], []
    missing = 0
    broker_before = before = begun = 0.0
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        due = time.monotonic()
        for number in range(_WARM_UP + events):
            time.sleep(max(0.0, due - time.monotonic()))
            due = time.monotonic() + pause
            if number == _WARM_UP:
                broker_before, before = processor_time(broker), time.process_time()
                begun = time.monotonic()
            times = _one(author_port, reading, mill.frame())
            if number < _WARM_UP:
                continue
            if times is None:
                missing += 1
            else:
                sent, receipt, started = times
                after_receipt.append(started - receipt)
                in_all.append(started - sent)
        lasted = time.monotonic() - begun
        return Handled(
            after_receipt=sorted(after_receipt),
            in_all=sorted(in_all),
            missing=missing,
            generator=(time.process_time() - before) / lasted,
            broker=(processor_time(broker) - broker_before) / events,
        )
    finally:
        os.close(reading)


def _one(port: int, reading: int, frame: bytes) -> tuple[float, float, float] | None:
    """Send one event; give when it was begun, when the receipt came and when the handler had started."""
    receipt = started = 0.0
    sent = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as author:
        author.sendall(frame)
        waiting: list[int | socket.socket] = [author, reading]
        while waiting and time.monotonic() < sent + PATIENCE:
            for ready in select.select(waiting, [], [], PATIENCE)[0]:
                waiting.remove(ready)
                if ready is reading:
                    started = time.monotonic()
                    os.read(reading, 4096)
                else:
                    receipt = time.monotonic()
                    author.recv(65536)
    return (sent, receipt, started) if receipt and started else None
