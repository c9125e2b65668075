"""Many authors, each with a connection for every event, as VTP has it and Comet's author does it."""

from __future__ import annotations

import select
import socket
import time

import attrs

from benchmarks.load.crowd import PATIENCE
from benchmarks.packets import Mill
from benchmarks.processes import processor_time

#: The role of a receipt that says the event was taken.
_ACKS = (b'role="ack"', b"role='ack'")


@attrs.frozen
class Intake:
    """What came of sending events for a while.

    Attributes:
        rate: events acknowledged a second, in the time in which events were sent.
        acknowledged: how many there were in all.
        refused: how many got an answer that is no acknowledgement.
        unanswered: how many got none.
        waits: from the start of the connection to the receipt, in seconds, sorted.
        generator: how much of a processor the generator had, 1 being one processor all the time.
        broker: the processor time that the broker had for each event, in seconds.
    """

    rate: float
    acknowledged: int
    refused: int
    unanswered: int
    waits: list[float]
    generator: float
    broker: float


@attrs.define(eq=False)
class Author:
    """One connection, for one event.

    Attributes:
        socket: it.
        number: its event's, of the mill.
        begun: when it was begun, by the monotonic clock.
        unsent: what of the event has not been sent.
        read: what has come of the answer.
    """

    socket: socket.socket
    number: int
    begun: float
    unsent: bytes
    read: bytes = b""


def send(port: int, broker: int, stem: str, at_once: int, seconds: float) -> Intake:
    """Send events for some seconds, `at_once` connections at a time, one event each; then await the receipts.

    Args:
        port: the broker's, for authors.
        broker: the session of its processes.
        stem: what the IVORNs' local parts begin with.
        at_once: how many authors there are.
        seconds: for how long events are sent.
    """
    mill = Mill(stem)
    poll = select.epoll()
    authors: dict[int, Author] = {}
    waits: list[float] = []
    in_time = refused = unanswered = 0
    broker_before, before = processor_time(broker), time.process_time()
    begun = time.monotonic()
    ends = begun + seconds
    for _ in range(at_once):
        begin(port, mill, poll, authors)
    while authors and time.monotonic() < ends + PATIENCE:
        for number, _ready in poll.poll(1.0, 256):
            author = authors[number]
            answer = go_on(author, poll)
            if answer is None:
                continue
            now = time.monotonic()
            del authors[number]
            author.socket.close()  # which takes it out of the epoll
            if not answer:
                unanswered += 1
            elif accepted(answer):
                waits.append(now - author.begun)
                in_time += now <= ends
            else:
                refused += 1
            if now < ends:
                begin(port, mill, poll, authors)
    lasted = time.monotonic() - begun
    for author in authors.values():
        author.socket.close()
    poll.close()
    return Intake(
        rate=in_time / seconds,
        acknowledged=len(waits),
        refused=refused,
        unanswered=unanswered + len(authors),
        waits=sorted(waits),
        generator=(time.process_time() - before) / lasted,
        broker=(processor_time(broker) - broker_before) / max(1, len(waits)),
    )


def begin(port: int, mill: Mill, poll: select.epoll, authors: dict[int, Author]) -> None:
    """Begin a connection with the mill's next event; it is noted in `authors` by its descriptor."""
    frame = mill.frame()
    begun = time.monotonic()
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    sock.connect_ex(("127.0.0.1", port))
    author = Author(sock, mill.made, begun, frame)
    _send(author)
    authors[sock.fileno()] = author
    poll.register(sock, select.EPOLLIN | select.EPOLLOUT if author.unsent else select.EPOLLIN)


def accepted(answer: bytes) -> bool:
    """Whether an answer is an acknowledgement."""
    return any(role in answer for role in _ACKS)


def _send(author: Author) -> None:
    try:
        author.unsent = author.unsent[author.socket.send(author.unsent) :]
    except BlockingIOError:  # not connected yet
        return


def go_on(author: Author, poll: select.epoll) -> bytes | None:
    """Do what an author can do now; give the broker's answer, empty if it has closed without one."""
    try:
        if author.unsent:
            _send(author)
            if not author.unsent:
                poll.modify(author.socket, select.EPOLLIN)
        data = author.socket.recv(65536)
    except BlockingIOError:
        return None
    except OSError:
        return b""
    if not data:
        return b""
    author.read += data
    whole = len(author.read) >= 4 and len(author.read) >= 4 + int.from_bytes(author.read[:4], "big")
    return author.read if whole else None
