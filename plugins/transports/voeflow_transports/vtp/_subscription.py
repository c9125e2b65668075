"""One subscriber of a broadcaster: its connection, its machine and its filters."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import trio

from ._broadcaster import Broadcaster
from ._connection import Connection
from ._machine import Found
from ._partials import Partials
from ._poller import READ, WRITE, Poller

#: How much is read from one subscriber before the next has its turn, in bytes: some fifty receipts.
_PIECE = 2**14


@attrs.define(eq=False, repr=False)
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


@attrs.define(eq=False, repr=False)
class Subscription:
    """One subscriber. Nothing waits for it: what it does not take is kept, up to a bound; then it goes.

    What comes from it is read by the poller. Its own task has only what is more than a receipt to see to, and
    nothing is read meanwhile.

    Attributes:
        connection: to the subscriber.
        machine: the broker's end of the protocol.
        max_unsent: how many bytes may wait for it.
        poller: waits for its connection.
        partials: is told how much of an unfinished frame is held.
        filters: the expressions of which one must hold; without any, every event is for it.
        lost: those of the filters that it brought that took too long.
        behind: how many batches of events wait for those of its filters that are not plain; and, among these,
            for those that are not quick. Until they have been handed on, later ones wait behind them.
        asked: whether it has asked to resume; it may do so once.
        past: what it is being given of the past: until it has that, nothing new is for it.
        answered: set when it has said something, and that was seen to; most do at once when they are greeted.
    """

    connection: Connection
    machine: Broadcaster
    max_unsent: int
    poller: Poller
    partials: Partials
    filters: tuple[str, ...] = ()
    lost: frozenset[str] = attrs.field(default=frozenset(), init=False)
    behind: list[int] = attrs.field(factory=lambda: [0, 0], init=False)
    asked: bool = attrs.field(default=False, init=False)
    past: Past | None = attrs.field(default=None, init=False)
    answered: trio.Event = attrs.field(factory=trio.Event, init=False)
    _found: list[Found] = attrs.field(factory=list, init=False)  # what its task is to see to
    _failure: Exception | None = attrs.field(default=None, init=False)
    _watched: int = attrs.field(default=0, init=False)  # what the poller waits for
    _news: trio.Event | None = attrs.field(default=None, init=False)  # for its task
    _room: trio.Event | None = attrs.field(default=None, init=False)  # for who gives it the past

    def open(self) -> None:
        """Greet it, and begin to read what it says."""
        self.connection.on_close = self._closing
        self.hand(self.machine.outbox())
        self._watch()

    async def see(self) -> list[Found]:
        """Wait for what is more than a receipt: `go_on` once that is seen to.

        Returns:
            What was found; nothing when the subscription has ended.
        """
        await trio.lowlevel.checkpoint()
        while not self._found and not self.machine.over:
            self._news = trio.Event()
            await self._news.wait()
        if self._failure is not None:
            raise self._failure
        return self._found

    def go_on(self) -> None:
        """Answer, and read on."""
        self._found = []
        self.hand(self.machine.outbox())
        self._watch()
        self.answered.set()

    def hand(self, data: bytes, ivorns: Iterable[str] = ()) -> None:
        """Send bytes, among them the events of these IVORNs, or keep them for it, or drop the subscriber."""
        machine, connection = self.machine, self.connection
        if machine.over or not data:
            return
        if connection.unsent > self.max_unsent:
            # Judged before this piece is added, so that one piece alone, however large, drops nobody.
            self.drop(f"took too little: {connection.unsent} bytes wait for it")
            return
        try:
            connection.send_nowait(data)
        except (OSError, trio.ClosedResourceError) as error:
            self.drop(f"is gone: {error}")
            return
        machine.sent(ivorns)
        if machine.fault:
            self.drop(machine.fault)
        elif connection.unsent:
            self._watch()

    def take(self, data: bytes) -> None:
        """Take what has come from it; none at all is the end of its stream."""
        machine = self.machine
        if not machine.take_receipts(data):
            self._found = machine.receive(data, trio.current_time())
            self.partials.note(self.connection, machine.held)
            if not self._found and not machine.over:
                self.hand(machine.outbox())
            self._watch()
            self._wake()
        if machine.heard and not self._found:  # else it has answered once that is seen to
            self.answered.set()
        self._make_room()

    def tick(self, now: float) -> None:
        """Ask whether it lives, or give it up; harmless when it is called early."""
        self.machine.tick(now)
        self.hand(self.machine.outbox())
        self._wake()

    def drop(self, reason: str) -> None:
        """End the subscription; its task learns of this at once."""
        self.machine.end(reason)
        self.connection.close()

    async def wait_for_room(self, number: int) -> None:
        """Wait until it has taken all that was sent, and may be sent `number` events more; or is no more."""
        await trio.lowlevel.checkpoint()
        machine = self.machine
        while not machine.over and (
            self.connection.unsent or machine.unacknowledged + number > machine.max_unacknowledged
        ):
            self._room = self._room or trio.Event()
            await self._room.wait()

    async def say_farewell(self, patience: float) -> None:
        """Send what waits for it at the end of the broadcaster, for so many seconds at most, and close."""
        self._unwatch()
        if self.connection.unsent:
            with trio.move_on_after(patience, shield=True):
                await self.connection.finish(patience)

    def fileno(self) -> int:
        """Give the number of the connection's file."""
        return self.connection.fileno()

    def ready(self, events: int) -> None:
        """Send what waits, and take what has come, as far as that goes without waiting."""
        try:
            if events & self._watched & WRITE:
                self.connection.flush_nowait()
                self._make_room()
                self._watch()
            if events & self._watched & READ and (data := self.connection.receive_nowait(_PIECE)) is not None:
                self.take(data)
        except OSError as error:
            self.drop(f"is gone: {error}")
        except Exception as error:  # noqa: BLE001 - what one connection raises ends that connection alone
            self._failure = error
            self.drop(f"failed: {error!r}")

    def _watch(self) -> None:
        """Have the poller wait for what is of use now."""
        wanted = 0 if self._found else READ
        if self.connection.unsent:
            wanted |= WRITE
        if self.machine.over:
            wanted = 0
        if wanted != self._watched:
            self.poller.watch(self, self._watched, wanted)
            self._watched = wanted

    def _unwatch(self) -> None:
        if self._watched:
            self.poller.watch(self, self._watched, 0)
            self._watched = 0

    def _closing(self) -> None:
        """The connection is being closed, by whomever."""
        self._unwatch()
        self.machine.end("is gone: closed here")
        self._wake()
        self._make_room()

    def _wake(self) -> None:
        """Wake its task, if there is something for it."""
        if self._news is not None and (self._found or self.machine.over):
            self._news.set()
            self._news = None

    def _make_room(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None
