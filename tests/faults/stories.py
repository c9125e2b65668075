"""Events that have a history: several of one IVORN, whose order counts; and who sends and who takes them."""

from __future__ import annotations

import re
import socket
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from faults.peers import Subscriber, answer
from interop.processes import PATIENCE, NeverHappenedError
from interop.wire import read_frame, role_of, send_frame
from support.samples import voevent

#: How many events have one IVORN.
CHAPTERS = 4

#: An author sends so many before it reads their receipts.
_AHEAD = 16

_LABEL = re.compile(rb'ivorn="([^"]+)".*?name="Packet_Type" value="(\d+)"', re.DOTALL)


def chapter(ivorns: Sequence[str], number: int) -> list[bytes]:
    """Write the packet of each IVORN that comes at this place in its order."""
    return [voevent(ivorn, packet_type=number) for ivorn in ivorns]


def label(packet: bytes) -> str:
    """Name a packet: its IVORN, and its place in that one's order."""
    found = _LABEL.search(packet)
    return f"{found[1].decode()} {found[2].decode()}" if found else f"what is no such packet: {packet[:80]!r}"


def out_of_order(labels: Iterable[str]) -> list[str]:
    """Give those that came after a later one of the same IVORN; each counts where it came first."""
    last: dict[str, int] = {}
    wrong, seen = [], set()
    for each in labels:
        if each in seen:
            continue
        seen.add(each)
        ivorn, _, number = each.rpartition(" ")
        if int(number) < last.get(ivorn, 0):
            wrong.append(each)
        last[ivorn] = max(int(number), last.get(ivorn, 0))
    return wrong


def logged(store: Path) -> list[str]:
    """Give the labels of a store's events, in the order that they came in."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        return [label(raw) for (raw,) in connection.execute("SELECT raw FROM packets ORDER BY seq")]


def tell(port: int, packets: Sequence[bytes]) -> set[str]:
    """Send packets to a node in their order, as one author; give the labels of those that it acknowledged.

    Raises:
        NeverHappenedError: it refused one, or closed.
    """
    acknowledged = set()
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        for start in range(0, len(packets), _AHEAD):
            some = packets[start : start + _AHEAD]
            for packet in some:
                send_frame(connection, packet)
            for packet in some:
                receipt = read_frame(connection)
                if receipt is None or role_of(receipt) != "ack":
                    raise NeverHappenedError(f"expected a receipt for {label(packet)}, got {receipt!r}")
                acknowledged.add(label(packet))
    return acknowledged


class Listener(Subscriber):
    """A plain subscriber that keeps the labels of what it gets, in their order."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.labels: list[str] = []

    def _take(self, connection: socket.socket, payload: bytes) -> None:
        if b"Transport" in payload[:300]:
            super()._take(connection, payload)
            return
        self.labels.append(label(payload))
        ivorn = self.labels[-1].rpartition(" ")[0]
        connection.sendall(answer("ack", ivorn))
