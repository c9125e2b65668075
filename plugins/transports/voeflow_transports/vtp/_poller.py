"""Waiting for many connections in one task."""

from __future__ import annotations

import select
import selectors
from collections.abc import Callable
from typing import Protocol

import trio

#: Whether the system is asked by epoll itself: to go through `selectors` costs as much as the system does.
_EPOLL = hasattr(select, "epoll")

#: What to wait for: that there is something to read, that there is room to send.
READ = select.EPOLLIN if _EPOLL else selectors.EVENT_READ
WRITE = select.EPOLLOUT if _EPOLL else selectors.EVENT_WRITE

#: How many connections are served before other tasks may run: some milliseconds' worth.
_AT_ONCE = 100


class Watched(Protocol):
    """What can be waited for."""

    def fileno(self) -> int:
        """Give the number of its file."""
        ...

    def ready(self, events: int) -> None:
        """Do what can be done without waiting, now that some of `READ` and `WRITE` hold.

        What it raises ends the poller, and all that it serves.
        """
        ...


class _Elsewhere(selectors.DefaultSelector):
    """Asks a system that has no epoll, as epoll is asked."""

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        return [(key.fd, events) for key, events in self.select(timeout)]


_system: Callable[[], select.epoll | _Elsewhere] = select.epoll if _EPOLL else _Elsewhere


class Poller:
    """Waits for all connections of a port, and for new ones.

    An event to a thousand subscribers brings a thousand receipts within moments, and waking a task for each
    takes several times as long as reading it. So the system is asked here which connections are ready, and
    trio waits only until any is.

    Nobody can keep the others waiting: one at a time is served what it sent, up to one piece; then the next.
    """

    def __init__(self) -> None:
        self._system: select.epoll | _Elsewhere = _system()
        self._watched: dict[int, Watched] = {}
        self._over = False

    async def run(self) -> None:
        """Serve until cancelled."""
        system, number = self._system, self._system.fileno()
        try:
            while True:
                await trio.lowlevel.wait_readable(number)
                for served, (each, events) in enumerate(system.poll(0), 1):
                    if (watched := self._watched.get(each)) is not None:  # else it was closed just now
                        watched.ready(events & _BOTH or _BOTH)  # what has failed is ready for either
                    if served % _AT_ONCE == 0:
                        await trio.lowlevel.checkpoint()
        finally:
            self._over = True
            system.close()

    def watch(self, watched: Watched, before: int, events: int) -> None:
        """Wait for `events` of one and no longer for those waited for `before`; for none before it closes."""
        if self._over or events == before:
            return
        number = watched.fileno()
        if not before:
            self._system.register(number, events)
            self._watched[number] = watched
        elif events:
            self._system.modify(number, events)
        else:
            del self._watched[number]
            self._system.unregister(number)


_BOTH = READ | WRITE
