"""The process that reads packets for a node to which many come at once.

Python runs in one thread of a process at a time, however many processors there are, and connections alone can
keep that one busy. So in a burst packets are read here: see `_reader`, which starts this and asks it.

Requests and answers are values as `marshal` writes them, the length of each before it. A request is the
packets and the limits for them: `([raw, ...], max_bytes, max_depth, max_attributes)`. The answer has for each
packet its `Event.facts`, or why it cannot be read: `(reason, line, column)`. The end of its input
ends the process; it says `READY` first.
"""

from __future__ import annotations

import marshal
import signal
import socket
import struct
from collections.abc import Sequence
from typing import Any

from voeflow._errors import EventError
from voeflow._event import Event

#: The first thing that the process says.
READY = b"!"

_LENGTH = struct.Struct("<Q")


def send(sock: socket.socket, value: Any) -> None:
    """Send a request or an answer.

    Raises:
        OSError: it cannot be sent.
    """
    data = marshal.dumps(value)
    sock.sendall(_LENGTH.pack(len(data)))
    sock.sendall(data)


def receive(sock: socket.socket) -> Any:
    """Wait for a request or an answer.

    Raises:
        EOFError: there will be none.
        OSError: there is none.
    """
    (length,) = _LENGTH.unpack(_exactly(sock, _LENGTH.size))
    # From the node's own child, over a socket that only these two have. That is there for speed and is no
    # sandbox: whoever could make it send something else could do so where the node reads packets itself.
    return marshal.loads(_exactly(sock, length))  # noqa: S302


def main() -> None:
    """Serve until the end of the input."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # sent to all of a service; the node says when it is over
    with socket.socket(fileno=0) as sock:
        try:
            sock.sendall(READY)
            while True:
                packets, *limits = receive(sock)
                send(sock, _read(packets, *limits))
        except (EOFError, OSError):  # the node is gone
            pass


def _read(
    packets: Sequence[bytes], max_bytes: int, max_depth: int, max_attributes: int
) -> list[tuple[object, ...]]:
    events = [_parse(raw, max_bytes, max_depth, max_attributes) for raw in packets]
    for event in events:  # one step with all of them, then the next, as in `_batch`
        if isinstance(event, Event):
            _ = event.defects
    # marshal writes no other kind of tuple
    return [tuple(event.facts) if isinstance(event, Event) else event for event in events]


def _parse(
    raw: bytes, max_bytes: int, max_depth: int, max_attributes: int
) -> Event | tuple[str, int | None, int | None]:
    try:
        return Event.parse(raw, max_bytes=max_bytes, max_depth=max_depth, max_attributes=max_attributes)
    except EventError as error:
        return error.reason, error.line, error.column


def _exactly(sock: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    rest = memoryview(data)
    while rest:
        got = sock.recv_into(rest)
        if not got:
            raise EOFError
        rest = rest[got:]
    return data
