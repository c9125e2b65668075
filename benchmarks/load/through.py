"""One author that sends ahead, and pipes into which handlers write: how many events a second are handled."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Sequence

import attrs

from benchmarks.load.crowd import PATIENCE
from benchmarks.load.frames import Frames
from benchmarks.packets import Mill

#: How long handlers may take over their first event: members of a group have to find together, in seconds.
_GATHERING = 30.0

#: How long nothing is handled before all that were sent are taken to have been, in seconds.
_QUIET = 0.5

#: How many events are handed to the kernel at once.
_PIECE = 16


@attrs.frozen
class Through:
    """What came of it.

    Attributes:
        rate: events handled a second, from the first byte of the first to the handler of the last.
        missing: how many came to no handler.
        refused: how many got an answer that is no acknowledgement.
        generator: how much of a processor the generator had, 1 being one processor all the time.
    """

    rate: float
    missing: int
    refused: int
    generator: float


def send(author_port: int, pipes: Sequence[str], stem: str, events: int) -> Through:
    """Send some events on one connection, ahead of their receipts, and wait until all have been handled.

    Args:
        author_port: of the node that takes them.
        pipes: where the handlers of any number of nodes write a line for each event. All of them have handled
            one before any is counted.
        stem: what the IVORNs' local parts begin with.
        events: how many are counted.
    """
    reading = [os.open(pipe, os.O_RDONLY | os.O_NONBLOCK) for pipe in pipes]
    try:
        _gather(author_port, reading, f"{stem}-first")
        return _send(author_port, reading, Mill(stem), events)
    finally:
        for each in reading:
            os.close(each)


def _gather(port: int, reading: Sequence[int], stem: str) -> None:
    """Send events one by one until every handler has had one, and all is quiet again."""
    mill = Mill(stem)
    idle = set(reading)
    deadline = time.monotonic() + _GATHERING
    while idle:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(idle)} of {len(reading)} nodes handle nothing")
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as author:
            author.sendall(mill.frame())
            author.recv(65536)
        idle -= set(_read(reading, 0.05))
    while _read(reading, _QUIET):
        continue


def _send(port: int, reading: Sequence[int], mill: Mill, events: int) -> Through:
    frames = Frames()
    handled = refused = 0
    waiting = memoryview(b"")
    before = time.process_time()
    begun = last = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setblocking(False)
        open_for: list[socket.socket | int] = [sock, *reading]
        while handled < events and time.monotonic() < last + PATIENCE:
            sending = bool(waiting) or mill.made < events
            readable, writable, _ = select.select(open_for, [sock] if sending else [], [], 1.0)
            if sock in readable:
                data = sock.recv(2**18)
                if not data:
                    open_for.remove(sock)
                refused += sum(b'role="ack"' not in answer for answer in frames.feed(data))
            if writable:
                if not waiting:
                    waiting = memoryview(
                        b"".join(mill.frame() for _ in range(min(_PIECE, events - mill.made)))
                    )
                waiting = waiting[sock.send(waiting) :]
            if found := _read([each for each in readable if isinstance(each, int)], 0.0):
                handled += sum(found.values())
                last = time.monotonic()
    return Through(
        rate=handled / (last - begun) if handled else 0.0,
        missing=max(0, events - handled),
        refused=refused,
        generator=(time.process_time() - before) / (time.monotonic() - begun),
    )


def _read(reading: Sequence[int], patience: float) -> dict[int, int]:
    """Give how many lines there are in each pipe that has any, within some seconds."""
    return {each: len(os.read(each, 65536)) for each in select.select(reading, [], [], patience)[0]}
