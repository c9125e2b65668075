"""One subscriber of a broadcaster: its connection, its machine and its filters."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import trio

from ._broadcaster import Broadcaster
from ._connection import Connection


@attrs.define(eq=False)
class Subscription:
    """One subscriber. Nothing waits for it: what it does not take is kept, up to a bound; then it goes.

    Attributes:
        connection: to the subscriber.
        machine: the broker's end of the protocol.
        max_unsent: how many bytes may wait for it.
        flushes: the nursery in which what waits is sent.
        filters: the expressions of which one must hold; without any, every event is for it.
        strikes: how many of the filters that it brought took too long.
    """

    connection: Connection
    machine: Broadcaster
    max_unsent: int
    flushes: trio.Nursery
    filters: tuple[str, ...] = ()
    strikes: int = 0
    _flushing: bool = attrs.field(default=False, init=False)

    def hand(self, data: bytes, ivorns: Iterable[str] = ()) -> None:
        """Send bytes, among them the events of these IVORNs, or keep them for it, or drop the subscriber."""
        if self.machine.over or not data:
            return
        if self.connection.unsent > self.max_unsent:
            # Judged before this piece is added, so that one piece alone, however large, drops nobody.
            self.drop(f"took too little: {self.connection.unsent} bytes wait for it")
            return
        try:
            self.connection.send_nowait(data)
        except (OSError, trio.ClosedResourceError) as error:
            self.drop(f"is gone: {error}")
            return
        self.machine.sent(ivorns)
        if self.machine.fault:
            self.connection.close()
        elif self.connection.unsent and not self._flushing:
            self._flushing = True
            self.flushes.start_soon(self._flush)

    def drop(self, reason: str) -> None:
        """End the subscription; the task that reads from it learns of this at once."""
        self.machine.end(reason)
        self.connection.close()

    async def _flush(self) -> None:
        try:
            await self.connection.flush()
        except (OSError, trio.ClosedResourceError) as error:
            self.drop(f"is gone: {error}")
        finally:
            self._flushing = False
