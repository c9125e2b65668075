"""A port that takes connections: who may come in, how many, and what is told of it."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable, Sequence

import structlog
import trio

from ._addresses import Address
from ._allow import Allow
from ._connection import Connection
from ._crowd import Crowd
from ._listeners import Listener, open_listeners
from ._sparingly import Sparingly

log = structlog.get_logger()

#: The wait before connections are taken again when the system had none to give (too many open files), in
#: seconds.
_PAUSE = 0.1

#: How often one thing about one address is told, in seconds: some clients reconnect without a pause.
TOLD_EVERY = 60.0

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


async def serve(
    name: str,
    listen: Sequence[Address],
    allow: Allow,
    most: int,
    attend: Callable[[Connection], Awaitable[None]],
    *,
    task_status: trio.TaskStatus[list[Listener]],
) -> None:
    """Take connections until cancelled, each in a task of its own; `attend` has to close its connection.

    Args:
        name: the transport's table, for the log.
        listen: where.
        allow: who may connect; others see only a close, as with Comet.
        most: how many connections there may be at once.
        attend: what is done with one; what it raises ends that connection alone.
        task_status: is told the listeners once all of them listen.

    Raises:
        OSError: an address cannot be listened on; the message names it.
    """
    listeners = await open_listeners(listen)
    crowd = Crowd(most)

    async def attend_one(connection: Connection) -> None:
        try:
            await attend(connection)
        except Exception as error:  # noqa: BLE001 - what one connection raises ends that connection alone
            tell_failure(name, connection, error)
        finally:
            crowd.leave(connection)
            connection.close()

    async with trio.open_nursery() as nursery:

        def enter(connection: Connection) -> None:
            nursery.start_soon(attend_one, connection)

        await take(name, listeners, allow, crowd, enter, task_status=task_status)


def tell_failure(name: str, connection: Connection, error: Exception) -> None:
    """Say what has ended a connection: it was lost, or something here is wrong."""
    if isinstance(error, OSError | trio.ClosedResourceError):
        log.debug("connection lost", transport=name, peer=connection.peer, reason=str(error))
    else:
        log.error("connection failed", transport=name, peer=connection.peer, exc_info=error)


async def take(
    name: str,
    listeners: list[Listener],
    allow: Allow,
    crowd: Crowd,
    enter: Callable[[Connection], None],
    *,
    task_status: trio.TaskStatus[list[Listener]],
) -> None:
    """Take connections until cancelled.

    Args:
        name: the transport's table, for the log.
        listeners: where; they are closed in the end.
        allow: who may connect; others see only a close, as with Comet.
        crowd: those who are in; whoever closes a connection has to let it leave.
        enter: is given each that is let in; must not raise.
        task_status: is told the listeners.
    """
    told = Sparingly(TOLD_EVERY)

    def let_in(connection: Connection) -> None:
        if not allow.admits(connection.host):
            if (more := told.due("refused " + connection.host, trio.current_time())) is not None:
                log.warning(
                    "connection refused",
                    transport=name,
                    peer=connection.peer,
                    reason="not in allow",
                    unsaid=more,
                )
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
        if leaver is not connection:
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
                log.info("listening", transport=name, address=listener.name)
            task_status.started(listeners)
    finally:
        for listener in listeners:
            listener.close()
