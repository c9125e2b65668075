"""Subscribers' connections, any number of them."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence

import attrs

from benchmarks.load.frames import Frames
from benchmarks.packets import greeting

#: How long anything that has to come is waited for, in seconds.
PATIENCE = 15.0

#: How much one read takes: above the length of a packet, and not so much that its buffer costs.
_READ = 16384


@attrs.define(eq=False)
class Crowd:
    """Subscribers, with one epoll for all."""

    poll: select.epoll = attrs.field(factory=select.epoll)
    sockets: dict[int, socket.socket] = attrs.field(factory=dict)
    frames: dict[int, Frames] = attrs.field(factory=dict)

    def join(self, port: int, number: int, filters: Sequence[str] = ()) -> None:
        """Connect one by one, each greeted before the next comes: no broker's backlog is put to the test.

        Args:
            port: the broker's, for subscribers.
            number: how many join.
            filters: what each of them asks for, if anything. They then have each an address of its own on the
                loopback, as subscribers at different sites do.
        """
        for place in range(number):
            own = f"127.0.{1 + place // 250}.{1 + place % 250}" if filters else "127.0.0.1"
            sock = socket.create_connection(("127.0.0.1", port), PATIENCE, source_address=(own, 0))
            frames = Frames()
            while not frames.feed(sock.recv(_READ)):
                continue
            sock.sendall(greeting(filters[place : place + 1]))
            sock.setblocking(False)
            self.sockets[sock.fileno()] = sock
            self.frames[sock.fileno()] = frames
            self.poll.register(sock, select.EPOLLIN)

    def await_event(self, payload: bytes, deadline: float, *, enough: int | None = None) -> list[float]:
        """Read until all subscribers, or `enough` of them, have an event; give the times, in order."""
        had: list[float] = []
        frame = len(payload).to_bytes(4, "big") + payload
        enough = len(self.sockets) if enough is None else enough
        while len(had) < enough and time.monotonic() < deadline:
            for ready, _ in self.poll.poll(0.1, 1024):
                data = self.sockets[ready].recv(_READ)
                if data == frame or payload in self.frames[ready].feed(data):
                    had.append(time.monotonic())
                elif not data:
                    self.poll.unregister(ready)
        return had

    def answer(self, receipt: bytes) -> None:
        """Let every subscriber acknowledge the event."""
        for sock in self.sockets.values():
            sock.send(receipt)

    def close(self) -> None:
        """Leave."""
        self.poll.close()
        for sock in self.sockets.values():
            sock.close()
