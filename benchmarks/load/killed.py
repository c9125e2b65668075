"""Events on their way when the broker is killed: which of those that it acknowledged ever come out."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Set as AbstractSet

import attrs

from benchmarks.load.authors import Author, accepted, begin, go_on
from benchmarks.load.crowd import PATIENCE, Crowd
from benchmarks.packets import Mill

#: How long a subscriber listens on after the last event that came, in seconds.
_SILENCE = 3.0


@attrs.frozen
class Killed:
    """What was on its way.

    Attributes:
        acknowledged: the numbers of the events with a receipt.
        received: the numbers of those that a subscriber had.
    """

    acknowledged: frozenset[int]
    received: frozenset[int]


def until_killed(
    author_port: int, subscriber_port: int, broker: int, stem: str, at_once: int, seconds: float
) -> Killed:
    """Send events, with one subscriber that reads, and kill the broker's processes in the midst of it.

    Args:
        author_port: the broker's, for authors.
        subscriber_port: the broker's, for subscribers.
        broker: the session of its processes.
        stem: what the IVORNs' local parts begin with.
        at_once: how many authors send at a time.
        seconds: when to kill, from the first event.
    """
    mill, crowd = Mill(stem), Crowd()
    authors: dict[int, Author] = {}
    acknowledged: set[int] = set()
    received: set[int] = set()
    try:
        crowd.join(subscriber_port, 1)
        (subscriber,) = crowd.sockets
        begun = time.monotonic()
        killed = False
        for _ in range(at_once):
            begin(author_port, mill, crowd.poll, authors)
        while authors or subscriber in crowd.sockets:
            if time.monotonic() > begun + seconds + PATIENCE:
                break
            if not killed and time.monotonic() > begun + seconds:
                os.killpg(broker, signal.SIGKILL)
                killed = True
            for ready, _ in crowd.poll.poll(0.01, 1024):
                if ready == subscriber:
                    _read(crowd, ready, mill, received)
                    continue
                author = authors[ready]
                answer = go_on(author, crowd.poll)
                if answer is None:
                    continue
                del authors[ready]
                author.socket.close()
                if answer and accepted(answer):
                    acknowledged.add(author.number)
                if not killed:
                    begin(author_port, mill, crowd.poll, authors)
        return Killed(frozenset(acknowledged), frozenset(received))
    finally:
        for author in authors.values():
            author.socket.close()
        crowd.close()


def afterwards(subscriber_port: int, stem: str, wanted: AbstractSet[int]) -> frozenset[int]:
    """Subscribe to the broker that has come back; give the numbers of the events that it still sends.

    Args:
        subscriber_port: the broker's, for subscribers.
        stem: what the IVORNs' local parts began with.
        wanted: what to wait for; after `_SILENCE` without any event no more are waited for.
    """
    mill, crowd = Mill(stem), Crowd()
    received: set[int] = set()
    try:
        crowd.join(subscriber_port, 1)
        (subscriber,) = crowd.sockets
        last = time.monotonic()
        while subscriber in crowd.sockets and not wanted <= received and time.monotonic() < last + _SILENCE:
            if crowd.poll.poll(0.1, 1):
                _read(crowd, subscriber, mill, received)
                last = time.monotonic()
        return frozenset(received)
    finally:
        crowd.close()


def _read(crowd: Crowd, ready: int, mill: Mill, received: set[int]) -> None:
    sock = crowd.sockets[ready]
    try:
        data = sock.recv(65536)
    except ConnectionError:
        data = b""
    if not data:
        crowd.poll.unregister(ready)
        crowd.sockets.pop(ready).close()
        return
    received.update(number for each in crowd.frames[ready].feed(data) if (number := mill.number(each)))
