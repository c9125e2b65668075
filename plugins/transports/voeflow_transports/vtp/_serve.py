"""A port that takes connections: who may come in, how many, and what is told of it."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable

import structlog
import trio

from ._connection import Connection
from ._crowd import Crowd
from ._door import TOLD_EVERY, Door
from ._listeners import Listener, open_listeners
from ._poller import READ, Poller
from ._port import Port
from ._sparingly import Sparingly

log = structlog.get_logger()

#: The wait before connections are taken again when the system had none to give (too many open files), in
#: seconds.
_PAUSE = 0.1

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


async def serve(
    name: str,
    port: Port,
    poller: Poller,
    attend: Callable[[Connection], Awaitable[None]],
    *,
    task_status: trio.TaskStatus[list[Listener]],
) -> None:
    """Take connections until cancelled, each in a task of its own; `attend` has to close its connection.

    Args:
        name: the transport's table, for the log.
        port: where, and who may connect.
        poller: waits for them; it has to run.
        attend: what is done with one; what it raises ends that connection alone.
        task_status: is told the listeners once all of them listen.

    Raises:
        OSError: an address cannot be listened on, or a certificate not read.
    """
    door, listeners = await open_port(name, port, Crowd(port.max_connections))

    async def attend_one(connection: Connection) -> None:
        try:
            await attend(connection)
        except Exception as error:  # noqa: BLE001 - what one connection raises ends that connection alone
            tell_failure(name, connection, error)
        finally:
            door.crowd.leave(connection)
            connection.close()

    async with trio.open_nursery() as nursery:

        def enter(connection: Connection) -> None:
            nursery.start_soon(attend_one, connection)

        await take(door, listeners, poller, enter, task_status=task_status)


async def open_port(name: str, port: Port, crowd: Crowd) -> tuple[Door, list[Listener]]:
    """Read a port's certificates, and listen.

    Args:
        name: the transport's table, for the log.
        port: its options.
        crowd: where its connections are counted.

    Returns:
        What lets them in, and where they come; to be taken, with `take`, before anything is waited for.

    Raises:
        OSError: an address cannot be listened on, or a certificate not read.
    """
    if port.tls is not None:
        await trio.to_thread.run_sync(port.reload)
    listeners = await open_listeners(port.listen)
    return Door(name, port, crowd), listeners


def tell_failure(name: str, connection: Connection, error: Exception) -> None:
    """Say what has ended a connection: it was lost, or something here is wrong."""
    if isinstance(error, OSError | trio.ClosedResourceError):
        log.debug("connection lost", transport=name, peer=connection.peer, reason=str(error))
    else:
        log.error("connection failed", transport=name, peer=connection.peer, exc_info=error)


async def take(
    door: Door,
    listeners: list[Listener],
    poller: Poller,
    enter: Callable[[Connection], None],
    *,
    task_status: trio.TaskStatus[list[Listener]],
) -> None:
    """Take connections until cancelled.

    Args:
        door: lets them in; others see only a close, as with Comet. Whoever closes one that is in has to let
            it leave the door's crowd.
        listeners: where; they are closed in the end.
        poller: waits for them; it has to run.
        enter: is given each that is let in; must not raise.
        task_status: is told the listeners.
    """
    gates: list[Gate] = []
    try:
        async with trio.open_nursery() as nursery:
            entrance = Entrance(door, poller, enter, nursery)
            for listener in listeners:
                gates.append(Gate(listener, entrance))
                gates[-1].open()
                log.info("listening", transport=door.name, address=listener.name, **door.facts)
            nursery.start_soon(door.port.certificates.watch, door.name)
            task_status.started(listeners)
            await trio.sleep_forever()
    finally:
        for gate in gates:
            gate.shut()
        for listener in listeners:
            listener.close()


class Entrance:
    """Where the connections of a port come in, by whichever listener.

    Attributes:
        door: lets them in.
        poller: waits for the listeners.
        enter: is given each that is let in.
        nursery: has a task for each that is to wait.
    """

    def __init__(
        self, door: Door, poller: Poller, enter: Callable[[Connection], None], nursery: trio.Nursery
    ) -> None:
        self.door = door
        self.poller = poller
        self.enter = enter
        self.nursery = nursery
        self._told = Sparingly(TOLD_EVERY)

    def let_in(self, connection: Connection) -> None:
        """Let a connection in, or close it; another may be closed to make room."""
        door = self.door
        if not door.judge(connection):
            connection.close()
            return
        leaver = door.crowd.enter(connection)
        if leaver is not None:
            self._tell_leaver(leaver)
            leaver.close()
        if leaver is connection:
            return
        wait = door.wait_for(connection)
        if wait or door.port.tls is not None:
            self.nursery.start_soon(self._welcome, connection, wait)
        else:
            self.enter(connection)

    async def _welcome(self, connection: Connection, wait: float) -> None:
        door = self.door
        try:
            welcomed = await door.welcome(connection, wait) and not connection.closed
        except BaseException as error:
            door.crowd.leave(connection)
            connection.close()
            if not isinstance(error, Exception):
                raise
            tell_failure(door.name, connection, error)
            return
        if welcomed:
            self.enter(connection)
        else:
            door.crowd.leave(connection)
            connection.close()

    def tell_exhausted(self, error: OSError) -> None:
        """Say that the system has no connections to give."""
        if (more := self._told.due("exhausted", trio.current_time())) is not None:
            log.error("cannot take connections", transport=self.door.name, reason=error.strerror, unsaid=more)

    def _tell_leaver(self, leaver: Connection) -> None:
        if (more := self._told.due("full " + leaver.host, trio.current_time())) is not None:
            log.warning(
                "connection closed to make room",
                transport=self.door.name,
                peer=leaver.peer,
                reason=f"all {self.door.crowd.most} connections are taken, and its address has the most",
                unsaid=more,
            )


class Gate:
    """One listener, as the poller waits for it: a task would cost a turn of the event loop a connection.

    Attributes:
        listener: takes the connections.
        entrance: is given them.
    """

    def __init__(self, listener: Listener, entrance: Entrance) -> None:
        self.listener = listener
        self.entrance = entrance
        self._watched = 0

    def open(self) -> None:
        """Take what comes, from now on."""
        self._watch(READ)

    def shut(self) -> None:
        """Take nothing more."""
        self._watch(0)

    def fileno(self) -> int:
        """Give the number of the listener's file."""
        return self.listener.fileno()

    def ready(self, events: int) -> None:
        """Take what has come, or rest where the system has nothing to give.

        Raises:
            OSError: no more can be taken, now or later.
        """
        try:
            connections = self.listener.accept()
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            self.entrance.tell_exhausted(error)
            self.shut()
            self.entrance.nursery.start_soon(self._rest)
            return
        for connection in connections:
            self.entrance.let_in(connection)

    async def _rest(self) -> None:
        await trio.sleep(_PAUSE)
        self.open()

    def _watch(self, events: int) -> None:
        self.entrance.poller.watch(self, self._watched, events)
        self._watched = events
