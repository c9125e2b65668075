"""One author that sends event after event on one connection and waits for no receipt in between."""

from __future__ import annotations

import select
import socket
import time

from benchmarks.load.authors import Intake
from benchmarks.load.crowd import PATIENCE
from benchmarks.load.frames import Frames
from benchmarks.packets import Mill
from benchmarks.processes import processor_time

#: How many events are handed to the kernel at once.
_PIECE = 16


def send(port: int, broker: int, stem: str, seconds: float) -> Intake:
    """Send events for some seconds as quickly as the broker takes them, reading receipts as they come."""
    mill, frames = Mill(stem), Frames()
    sent = acknowledged = in_time = refused = 0
    waiting = memoryview(b"")
    broker_before, before = processor_time(broker), time.process_time()
    begun = time.monotonic()
    ends = begun + seconds
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setblocking(False)
        while (now := time.monotonic()) < ends + PATIENCE:
            sending = bool(waiting) or now < ends
            if not sending and acknowledged + refused >= sent:
                break
            readable, writable, _ = select.select([sock], [sock] if sending else [], [], 1.0)
            if readable:
                data = sock.recv(2**18)
                if not data:
                    break
                for answer in frames.feed(data):
                    good = b'role="ack"' in answer
                    acknowledged += good
                    refused += not good
                    in_time += good and time.monotonic() <= ends
            if writable:
                if not waiting:
                    waiting = memoryview(b"".join(mill.frame() for _ in range(_PIECE)))
                    sent += _PIECE
                waiting = waiting[sock.send(waiting) :]
    lasted = time.monotonic() - begun
    return Intake(
        rate=in_time / seconds,
        acknowledged=acknowledged,
        refused=refused,
        unanswered=sent - acknowledged - refused,
        waits=[],
        generator=(time.process_time() - before) / lasted,
        broker=(processor_time(broker) - broker_before) / max(1, acknowledged),
    )
