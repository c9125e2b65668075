"""One subscriber of a broadcaster: its connection, its machine and its filters."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import trio

from ._broadcaster import Broadcaster
from ._connection import Connection


@attrs.define(eq=False)
class Past:
    """What a subscriber is being given from the node's log before it is given what is new.

    That is all after `position`; or all up to `until`, and then all after `then`.

    Attributes:
        position: up to where it has been given.
        until: the end of the first part, or 0 where there is one part only.
        then: where the second part begins.
        max_event: the longest packet that the subscriber takes, in bytes, or None.
        resumed: whether it asked for this, and is to be told when it has all.
        begun: whether it has begun to be given.
        given: how many events it has been given.
    """

    position: int
    until: int = 0
    then: int = 0
    max_event: int | None = None
    resumed: bool = False
    begun: bool = False
    given: int = 0


@attrs.define(eq=False)
class Subscription:
    """One subscriber. Nothing waits for it: what it does not take is kept, up to a bound; then it goes.

    Attributes:
        connection: to the subscriber.
        machine: the broker's end of the protocol.
        max_unsent: how many bytes may wait for it.
        flushes: the nursery in which what waits is sent.
        filters: the expressions of which one must hold; without any, every event is for it.
        lost: those of the filters that it brought that took too long.
        asked: whether it has asked to resume; it may do so once.
        past: what it is being given of the past: until it has that, nothing new is for it.
        answered: set when it has said something, as most do at once when they are greeted.
        changed: unparked when it may have room again, or is no more.
    """

    connection: Connection
    machine: Broadcaster
    max_unsent: int
    flushes: trio.Nursery
    filters: tuple[str, ...] = ()
    lost: set[str] = attrs.field(factory=set, init=False)
    asked: bool = False
    past: Past | None = None
    answered: trio.Event = attrs.field(factory=trio.Event, init=False)
    changed: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)
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
        self.changed.unpark_all()

    async def wait_for_room(self, number: int) -> None:
        """Wait until it has taken all that was sent, and may be sent `number` events more; or is no more."""
        await trio.lowlevel.checkpoint()
        machine = self.machine
        while not machine.over and (
            self.connection.unsent or machine.unacknowledged + number > machine.max_unacknowledged
        ):
            await self.changed.park()

    async def _flush(self) -> None:
        try:
            await self.connection.flush()
        except (OSError, trio.ClosedResourceError) as error:
            self.drop(f"is gone: {error}")
        finally:
            self._flushing = False
            self.changed.unpark_all()
