"""One author and some subscribers: when each event has come to the last of them."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence

import attrs

from benchmarks.load.crowd import PATIENCE, Crowd
from benchmarks.packets import Mill
from benchmarks.processes import processor_time

#: How many events are sent before any is counted: the first ones find caches cold.
_WARM_UP = 3

#: How long an event that no filter lets pass is looked out for, in seconds.
_LOOKED_OUT = 0.2


class FiltersNotSetError(Exception):
    """A broker sends subscribers what their filters do not let pass."""


@attrs.frozen
class FanOut:
    """What came of sending events to subscribers.

    Attributes:
        lasts: from the start of the author's connection until the last subscriber had the last byte, in
            seconds, sorted.
        missing: how many copies did not come, or not byte for byte.
        generator: how much of a processor the generator had, 1 being one processor all the time.
        reading: the generator's processor time for each event up to its last copy, in seconds: what part of
            `lasts` may be its own.
        broker: the processor time that the broker had for each event, receipts included, in seconds.
    """

    lasts: list[float]
    missing: int
    generator: float
    reading: float
    broker: float


def send(
    author_port: int,
    subscriber_port: int,
    broker: int,
    stem: str,
    subscribers: int,
    events: int,
    pause: float,
    filters: Sequence[str] = (),
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
        filters: an XPath expression for each subscriber, if they have any. All have to hold for the packets
            as they are, and none where the intensity of the burst is nought.

    Raises:
        FiltersNotSetError: the broker does not take the filters.
    """
    mill = Mill(stem)
    crowd = Crowd()
    lasts = []
    missing = 0
    reading = broker_before = before = begun = 0.0
    try:
        crowd.join(subscriber_port, subscribers, filters)
        if filters:
            _await_filters(author_port, crowd, stem)
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
                        lasts.append(had[-1] - started)
                author.recv(65536)
            crowd.answer(mill.receipt())
        time.sleep(max(0.0, due - time.monotonic()))  # the last receipts are the broker's work too
        lasted = time.monotonic() - begun
        return FanOut(
            lasts=sorted(lasts),
            missing=missing,
            generator=(time.process_time() - before) / lasted,
            reading=reading / events,
            broker=(processor_time(broker) - broker_before) / events,
        )
    finally:
        crowd.close()


def _await_filters(author_port: int, crowd: Crowd, stem: str) -> None:
    """Send what no filter lets pass until nobody gets it: then all filters are in place."""
    decoys = Mill(f"{stem}-decoy", intensity=0)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        frame = decoys.frame()
        with socket.create_connection(("127.0.0.1", author_port), timeout=PATIENCE) as author:
            author.sendall(frame)
            author.recv(65536)
        if not crowd.await_event(frame[4:], time.monotonic() + _LOOKED_OUT, enough=1):
            return
        crowd.await_event(frame[4:], time.monotonic() + _LOOKED_OUT)  # the copies of the others
    raise FiltersNotSetError(f"filters are not in place after {PATIENCE:g} s")
