"""VTP written by hand for the tests: what no peer can be made to do, told apart from voeflow's own code.

Frames are a count of four bytes, big-endian, and that many bytes (VTP 2.0, section 3.2).
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Sequence
from typing import Self

from lxml import etree

from interop.processes import PATIENCE, NeverHappenedError

_COUNT = struct.Struct("!I")


def send_frame(connection: socket.socket, payload: bytes) -> None:
    """Send one frame."""
    connection.sendall(_COUNT.pack(len(payload)) + payload)


def read_frame(connection: socket.socket) -> bytes | None:
    """Read one frame, or None where the stream ends before one.

    Raises:
        NeverHappenedError: the stream ended inside it, or nothing came in `PATIENCE`.
    """
    head = _read(connection, _COUNT.size)
    if not head:
        return None
    (length,) = _COUNT.unpack(head)
    payload = _read(connection, length)
    if len(head) < _COUNT.size or len(payload) < length:
        raise NeverHappenedError(f"a frame was cut short: {head!r} {payload[:200]!r}")
    return payload


def role_of(payload: bytes) -> str | None:
    """Give the role of a Transport message, or None for anything else, such as an event."""
    root = etree.fromstring(payload)
    return root.get("role") if etree.QName(root).localname == "Transport" else None


def submit(port: int, packet: bytes) -> str | None:
    """Submit one packet as an author, and give the role of the receipt, or None where there was none."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        send_frame(connection, packet)
        receipt = read_frame(connection)
        return None if receipt is None else role_of(receipt)


def subscribe(port: int) -> socket.socket:
    """Connect to a broadcaster as a subscriber."""
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


def take_events(connection: socket.socket, number: int) -> list[bytes]:
    """Read events from a broadcaster until there are `number`; what else it sends is passed over unanswered.

    Raises:
        NeverHappenedError: the broadcaster closed before.
    """
    events: list[bytes] = []
    while len(events) < number:
        payload = read_frame(connection)
        if payload is None:
            raise NeverHappenedError(f"the broadcaster closed after {len(events)} of {number} events")
        if role_of(payload) is None:
            events.append(payload)
    return events


class Upstream:
    """A broker with one subscriber, that sends it packets when told to, and keeps what it answers.

    Unlike the peers it sends whatever it is given, in order, be it no event at all.
    """

    def __init__(self, packets: Sequence[bytes]) -> None:
        self._packets = list(packets)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE)
        self.port: int = self._listener.getsockname()[1]
        self.answers: list[bytes] = []
        self._go = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="upstream", daemon=True)
        self._thread.start()

    def go(self) -> None:
        """Send the packets, from now on."""
        self._go.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Take no subscriber any more, and wait until the one that there was has gone."""
        self._go.set()
        self._thread.join(PATIENCE)
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            self._go.wait(PATIENCE)
            for packet in self._packets:
                send_frame(connection, packet)
                answer = read_frame(connection)
                if answer is None:
                    return
                self.answers.append(answer)
            read_frame(connection)  # stay until the subscriber goes


def _read(connection: socket.socket, number: int) -> bytes:
    """Read `number` bytes, or fewer where the stream ends."""
    connection.settimeout(PATIENCE)
    read = b""
    while len(read) < number:
        try:
            some = connection.recv(number - len(read))
        except TimeoutError:
            raise NeverHappenedError(f"nothing came in {PATIENCE:g} s after {read[:200]!r}") from None
        if not some:
            break
        read += some
    return read
