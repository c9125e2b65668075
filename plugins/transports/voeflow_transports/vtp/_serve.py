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
    attend: Callable[[Connection], Awaitable[None]],
    *,
    task_status: trio.TaskStatus[list[Listener]],
) -> None:
    """Take connections until cancelled, each in a task of its own; `attend` has to close its connection.

    Args:
        name: the transport's table, for the log.
        port: where, and who may connect.
        attend: what is done with one; what it raises ends that connection alone.
        task_status: is told the listeners once all of them listen.

    Raises:
        OSError: an address cannot be listened on, or a certificate not read.
    """
    door, listeners = await open_port(name, port)

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

        await take(door, listeners, enter, task_status=task_status)


async def open_port(name: str, port: Port) -> tuple[Door, list[Listener]]:
    """Read a port's certificates, and listen.

    Args:
        name: the transport's table, for the log.
        port: its options.

    Raises:
        OSError: an address cannot be listened on, or a certificate not read.
    """
    await trio.to_thread.run_sync(port.reload)
    listeners = await open_listeners(port.listen)
    return Door(name, port, Crowd(port.max_connections)), listeners


def tell_failure(name: str, connection: Connection, error: Exception) -> None:
    """Say what has ended a connection: it was lost, or something here is wrong."""
    if isinstance(error, OSError | trio.ClosedResourceError):
        log.debug("connection lost", transport=name, peer=connection.peer, reason=str(error))
    else:
        log.error("connection failed", transport=name, peer=connection.peer, exc_info=error)


async def take(
    door: Door,
    listeners: list[Listener],
    enter: Callable[[Connection], None],
    *,
    task_status: trio.TaskStatus[list[Listener]],
) -> None:
    """Take connections until cancelled.

    Args:
        door: lets them in; others see only a close, as with Comet. Whoever closes one that is in has to let
            it leave the door's crowd.
        listeners: where; they are closed in the end.
        enter: is given each that is let in; must not raise.
        task_status: is told the listeners.
    """
    told, name, crowd = Sparingly(TOLD_EVERY), door.name, door.crowd

    async def welcome(connection: Connection, wait: float) -> None:
        try:
            welcomed = await door.welcome(connection, wait) and not connection.closed
        except BaseException as error:
            crowd.leave(connection)
            connection.close()
            if not isinstance(error, Exception):
                raise
            tell_failure(name, connection, error)
            return
        if welcomed:
            enter(connection)
        else:
            crowd.leave(connection)
            connection.close()

    def let_in(connection: Connection) -> None:
        if not door.judge(connection):
            connection.close()
            return
        leaver = crowd.enter(connection)
        if leaver is not None:
            if (more := told.due("full " + leaver.host, trio.current_time())) is not None:
                log.warning(
                    "connection closed to make room",
                    transport=name,
                    peer=leaver.peer,
                    reason=f"all {crowd.most} connections are taken, and its address has the most",
                    unsaid=more,
                )
            leaver.close()
        if leaver is connection:
            return
        wait = door.wait_for(connection)
        if wait or door.port.tls is not None:
            nursery.start_soon(welcome, connection, wait)
        else:
            enter(connection)

    async def take_from(listener: Listener) -> None:
        while True:
            try:
                connections = await listener.accept()
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                if (more := told.due("exhausted", trio.current_time())) is not None:
                    log.error("cannot take connections", transport=name, reason=error.strerror, unsaid=more)
                await trio.sleep(_PAUSE)
                continue
            for connection in connections:
                let_in(connection)

    try:
        async with trio.open_nursery() as nursery:
            for listener in listeners:
                nursery.start_soon(take_from, listener)
            for listener in listeners:
                log.info("listening", transport=name, address=listener.name, **door.facts)
            nursery.start_soon(door.port.certificates.watch, name)
            task_status.started(listeners)
    finally:
        for listener in listeners:
            listener.close()
