"""Waiting for many connections in one task."""

from __future__ import annotations

import selectors
from typing import Protocol

import attrs
import trio

#: What to wait for: that there is something to read, that there is room to send.
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

#: How many connections are served before other tasks may run: some milliseconds' worth.
_AT_ONCE = 100


class Watched(Protocol):
    """What can be waited for."""

    def fileno(self) -> int:
        """Give the number of its file."""
        ...

    def ready(self, events: int) -> None:
        """Do what can be done without waiting, now that some of `READ` and `WRITE` hold. Never raises."""
        ...


@attrs.define(eq=False)
class Poller:
    """Waits for the connections of all subscribers.

    An event to a thousand subscribers brings a thousand receipts within moments, and waking a task for each
    takes several times as long as reading it. So the system is asked here which connections are ready, and
    trio waits only until any is.

    Nobody can keep the others waiting: one at a time is served what it sent, up to one piece; then the next.
    """

    _selector: selectors.DefaultSelector = attrs.field(factory=selectors.DefaultSelector, init=False)
    _over: bool = attrs.field(default=False, init=False)

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            while True:
                await trio.lowlevel.wait_readable(self._selector)
                for number, (key, events) in enumerate(self._selector.select(0), 1):
                    key.data.ready(events)
                    if number % _AT_ONCE == 0:
                        await trio.lowlevel.checkpoint()
        finally:
            self._over = True
            self._selector.close()

    def watch(self, watched: Watched, before: int, events: int) -> None:
        """Wait for `events` of one and no longer for those waited for `before`; for none before it closes."""
        if self._over or events == before:
            return
        if not before:
            self._selector.register(watched, events, watched)
        elif events:
            self._selector.modify(watched, events, watched)
        else:
            self._selector.unregister(watched)
