"""Subscribers of which some never read, under a steady stream: what that costs the broker and the others."""

from __future__ import annotations

import select
import socket
import time
from collections import Counter

import attrs

from benchmarks.load.authors import Author, accepted, begin, go_on
from benchmarks.load.crowd import PATIENCE, Crowd
from benchmarks.packets import Mill, greeting
from benchmarks.processes import memory, processor_time

#: How often the broker's memory is looked at, in seconds.
_LOOK = 0.5

#: How much the kernel holds for one that never reads, in bytes: little, so that the broker has to hold it.
_DEAF_BUFFER = 32768


@attrs.frozen
class Stream:
    """What came of it.

    Attributes:
        lasts: from the start of an author's connection until the last of those that read had the event, in
            seconds, sorted.
        memory: the broker's memory at its peak, in megabytes.
        memory_before: the same before any event of this stream.
        refused: how many events got an answer that is no acknowledgement.
        unanswered: how many got none.
        missing: how many copies did not come to those that read.
        generator: how much of a processor the generator had, 1 being one processor all the time.
        broker: the processor time that the broker had for each event, in seconds.
    """

    lasts: list[float]
    memory: float
    memory_before: float
    refused: int
    unanswered: int
    missing: int
    generator: float
    broker: float


@attrs.define(eq=False)
class _Course:
    """What has happened so far, and what the events' numbers are waited for by."""

    mill: Mill
    begun: dict[int, float] = attrs.field(factory=dict)
    had: Counter[int] = attrs.field(factory=Counter)
    lasts: list[float] = attrs.field(factory=list)
    refused: int = 0
    unanswered: int = 0


def send(
    author_port: int,
    subscriber_port: int,
    broker: int,
    stem: str,
    reading: int,
    deaf: int,
    rate: float,
    seconds: float,
) -> Stream:
    """Send a steady stream of events to some subscribers that read and acknowledge, and some that never read.

    Args:
        author_port: the broker's, for authors.
        subscriber_port: the broker's, for subscribers.
        broker: the session of its processes.
        stem: what the IVORNs' local parts begin with.
        reading: how many read.
        deaf: how many do not.
        rate: events a second, each on a connection of its own, whatever became of those before.
        seconds: for how long.
    """
    crowd, course = Crowd(), _Course(Mill(stem))
    authors: dict[int, Author] = {}
    mute = [_deaf(subscriber_port) for _ in range(deaf)]
    try:
        crowd.join(subscriber_port, reading)
        peak = memory_before = memory(broker)
        broker_before, before = processor_time(broker), time.process_time()
        begun = look = time.monotonic()
        number, wanted = 0, int(rate * seconds)
        while (now := time.monotonic()) < begun + seconds + PATIENCE:
            if number < wanted and now >= begun + number / rate:
                begin(author_port, course.mill, crowd.poll, authors)
                number += 1
                course.begun[number] = now
            elif number == wanted and not authors and len(course.lasts) == wanted:
                break
            if now >= look:
                peak = max(peak, memory(broker))
                look = now + _LOOK
            due = begun + number / rate - now if number < wanted else 0.1
            for ready, _ in crowd.poll.poll(max(0.0, min(due, 0.1)), 1024):
                if ready in authors:
                    _answered(authors, ready, crowd.poll, course)
                else:
                    _read(crowd, ready, course, reading)
        lasted = time.monotonic() - begun
        return Stream(
            lasts=sorted(course.lasts),
            memory=max(peak, memory(broker)),
            memory_before=memory_before,
            refused=course.refused,
            unanswered=course.unanswered + len(authors),
            missing=wanted * reading - sum(course.had.values()),
            generator=(time.process_time() - before) / lasted,
            broker=(processor_time(broker) - broker_before) / wanted,
        )
    finally:
        for author in authors.values():
            author.socket.close()
        for sock in mute:
            sock.close()
        crowd.close()


def _deaf(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _DEAF_BUFFER)
    sock.connect(("127.0.0.1", port))
    sock.sendall(greeting())
    return sock


def _answered(authors: dict[int, Author], ready: int, poll: select.epoll, course: _Course) -> None:
    answer = go_on(authors[ready], poll)
    if answer is None:
        return
    authors.pop(ready).socket.close()
    if not answer:
        course.unanswered += 1
    elif not accepted(answer):
        course.refused += 1


def _read(crowd: Crowd, ready: int, course: _Course, reading: int) -> None:
    data = crowd.sockets[ready].recv(65536)
    if not data:
        crowd.poll.unregister(ready)
        return
    receipts = []
    for payload in crowd.frames[ready].feed(data):
        number = course.mill.number(payload)
        if not number:
            continue
        receipts.append(course.mill.receipt(number))
        course.had[number] += 1
        if course.had[number] == reading:
            course.lasts.append(time.monotonic() - course.begun[number])
    if receipts:
        crowd.sockets[ready].send(b"".join(receipts))
