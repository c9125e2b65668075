"""A subscriber that is no voeflow, and what it answers."""

from __future__ import annotations

import re
import socket
import struct
import threading

from lxml import etree

from interop.processes import PATIENCE, NeverHappenedError
from interop.wire import read_frame

_COUNT = struct.Struct("!I")
_EVENT = re.compile(rb"""(?:<\?xml[^<>]*\?>\s*)?<(?:\w+:)?VOEvent\s[^<>]*?\sivorn=["']([^"'&]+)["']""")


class Subscriber(threading.Thread):
    """A plain subscriber that acknowledges what it gets, and comes back whenever the broadcaster is there.

    Args:
        port: the node's, for subscribers.

    Attributes:
        connections: how many it has made.
    """

    def __init__(self, port: int) -> None:
        super().__init__(name="subscriber", daemon=True)
        self._port = port
        self._stopped = threading.Event()
        self._events: list[str] = []
        self.connections = 0

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self._port), PATIENCE) as connection:
                    self.connections += 1
                    while (payload := read_frame(connection)) is not None:
                        self._take(connection, payload)
            except (OSError, NeverHappenedError):  # the node is not there (any more)
                self._stopped.wait(0.02)

    def stop(self) -> None:
        """End it; the broadcaster has to have closed."""
        self._stopped.set()
        self.join(2 * PATIENCE)

    def ivorns(self) -> list[str]:
        """Give the IVORNs of the events so far."""
        return list(self._events)

    def _take(self, connection: socket.socket, payload: bytes) -> None:
        role, ivorn = read(payload)
        if role is None:
            self._events.append(ivorn)
        connection.sendall(answer(role or "ack", ivorn))


def read(payload: bytes) -> tuple[str | None, str]:
    """Read what a broadcaster sends: the role and the origin of a Transport message, or an event's IVORN."""
    # Where times are measured, to parse every copy of a long event would take longer than the node does.
    if (event := _EVENT.match(payload)) is not None:
        return None, event[1].decode()
    root = etree.fromstring(payload)
    if etree.QName(root).localname == "Transport":
        return str(root.get("role")), str(root.findtext("Origin"))
    return None, str(root.get("ivorn"))


def answer(role: str, origin: str) -> bytes:
    """Write a subscriber's answer, as a frame."""
    payload = (
        f'<trn:Transport xmlns:trn="http://telescope-networks.org/schema/Transport/v1.1" role="{role}" '
        f'version="1.0"><Origin>{origin}</Origin><Response>ivo://org.example/subscriber</Response>'
        "<TimeStamp>2026-11-24T00:00:00Z</TimeStamp></trn:Transport>"
    ).encode()
    return _COUNT.pack(len(payload)) + payload
