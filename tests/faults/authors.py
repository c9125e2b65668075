"""Authors that keep a node busy, and a book of what it has promised them."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import BinaryIO, Self

from lxml import etree

from interop.processes import PATIENCE, NeverHappenedError
from interop.wire import send_frame
from support.samples import voevent

_COUNT = struct.Struct("!I")


class Book:
    """What authors have sent, and what was acknowledged. An event without a receipt is sent again.

    Args:
        stem: what every IVORN begins with.
        padding: how much longer than it need be each packet is, in bytes.
    """

    def __init__(self, stem: str, *, padding: int = 0) -> None:
        self.sent: dict[str, bytes] = {}
        self.sent_at: dict[str, float] = {}
        self.acknowledged: dict[str, float] = {}
        self.refused: list[str] = []
        self.unanswered = 0
        self.changed = threading.Condition()
        self._stem = stem
        self._tail = f"<!-- {'x' * padding} -->\n" if padding else "\n"
        self._again: deque[str] = deque()

    def take(self, number: int) -> list[tuple[str, bytes]]:
        """Give events to send: first those that had no receipt, then new ones."""
        with self.changed:
            taken = []
            for _ in range(number):
                if self._again:
                    ivorn = self._again.popleft()
                else:
                    ivorn = f"{self._stem}{len(self.sent)}"
                    self.sent[ivorn] = voevent(ivorn, tail=self._tail)
                self.sent_at[ivorn] = time.monotonic()
                taken.append((ivorn, self.sent[ivorn]))
            return taken

    def note(self, ivorn: str, receipt: bytes) -> None:
        """Note a receipt for an event.

        Raises:
            NeverHappenedError: it is for another.
        """
        root = etree.fromstring(receipt)
        if root.findtext("Origin") != ivorn:
            raise NeverHappenedError(f"expected a receipt for {ivorn}, got {receipt!r}")
        with self.changed:
            if root.get("role") == "ack":
                self.acknowledged.setdefault(ivorn, time.monotonic())
            else:
                self.refused.append(receipt.decode())
            self.changed.notify_all()

    def give_back(self, ivorns: Sequence[str]) -> None:
        """Note that a connection ended without receipts for these."""
        with self.changed:
            self._again.extend(ivorns)
            self.unanswered += 1
            self.changed.notify_all()

    def wait(self, *, acknowledged: int = 0, unanswered: int = 0, patience: float = PATIENCE) -> bool:
        """Wait until there are so many acknowledged events and connections that ended without receipts."""
        with self.changed:
            return self.changed.wait_for(
                lambda: len(self.acknowledged) >= acknowledged and self.unanswered >= unanswered, patience
            )


class Author(threading.Thread):
    """Sends events on one connection after another until told to stop.

    Args:
        book: where they come from.
        port: the node's, for authors.
        ahead: how many it sends before it reads their receipts.
        rate: how many it sends a second, at most and on average; the gaps are random.
        pick: of the gaps.
    """

    def __init__(
        self,
        book: Book,
        port: int,
        *,
        ahead: int = 1,
        rate: float,
        pick: random.Random,
    ) -> None:
        super().__init__(name=f"author {ahead} ahead", daemon=True)
        self._book = book
        self._port = port
        self._ahead = ahead
        self._gap = ahead / rate
        self._pick = pick
        self._stopped = threading.Event()
        self.failure: NeverHappenedError | None = None

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self._port), PATIENCE) as connection:
                    self._send_on(connection)
            except NeverHappenedError as error:
                self.failure = error
                return
            except TimeoutError:
                self.failure = NeverHappenedError(
                    f"{self.name}: neither a receipt nor an end in {PATIENCE:g} s"
                )
                return
            except OSError:  # the node is not there (any more)
                self._stopped.wait(0.05)

    def tell_to_stop(self) -> None:
        """Tell it to end soon, and do not wait for it."""
        self._stopped.set()

    def stop(self) -> None:
        """Let it finish what it has sent, and end.

        Raises:
            NeverHappenedError: it met an answer out of place, or none at all.
        """
        self._stopped.set()
        self.join(2 * PATIENCE)
        if self.failure is not None:
            raise self.failure
        if self.is_alive():
            raise NeverHappenedError(f"{self.name} never ended")

    def _send_on(self, connection: socket.socket) -> None:
        receipts = connection.makefile("rb")
        while not self._stopped.is_set():
            some = self._book.take(self._ahead)
            unanswered = [ivorn for ivorn, _ in some]
            try:
                for _, packet in some:
                    send_frame(connection, packet)
                for ivorn, _ in some:
                    receipt = _read_frame(receipts)
                    if receipt is None:
                        return
                    self._book.note(ivorn, receipt)
                    unanswered.remove(ivorn)
            finally:
                if unanswered:
                    self._book.give_back(unanswered)
            self._stopped.wait(self._pick.expovariate(1 / self._gap))


class Load:
    """Several authors at once, as a context.

    Args:
        book: where their events come from.
        port: the node's, for authors.
        rate: how many events a second they send, all together.
        seed: of their gaps.
        ahead: for each author, how many events it sends before it reads their receipts.
    """

    def __init__(
        self,
        book: Book,
        port: int,
        *,
        rate: float,
        seed: int,
        ahead: Sequence[int] = (1, 1, 1, 4, 16),
    ) -> None:
        self._authors = [
            Author(
                book,
                port,
                ahead=each,
                rate=rate / len(ahead),
                pick=random.Random(seed * 100 + number),
            )
            for number, each in enumerate(ahead)
        ]

    def __enter__(self) -> Self:
        for author in self._authors:
            author.start()
        return self

    def __exit__(self, *_: object) -> None:
        for author in self._authors:
            author.tell_to_stop()
        for author in self._authors:
            author.stop()


def _read_frame(stream: BinaryIO) -> bytes | None:
    """Read one frame, or None where the stream ends before it is whole, as when the node is killed."""
    head = stream.read(_COUNT.size)
    if len(head) < _COUNT.size:
        return None
    (length,) = _COUNT.unpack(head)
    payload = stream.read(length)
    return payload if len(payload) == length else None
