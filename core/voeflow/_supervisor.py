"""A transport at work: started, watched, and started again when it fails."""

from __future__ import annotations

import random

import structlog
import trio

from voeflow._errors import StartError
from voeflow._node_api import Node
from voeflow._quantities import show_seconds
from voeflow._raised import Raised, describe
from voeflow._sink import Sink
from voeflow._tables import TransportTable
from voeflow._workers import START_TIMEOUT, why_not_started

log = structlog.get_logger()

#: The wait before a transport that failed is started again doubles from the first to the second, in seconds.
FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0

#: A transport that ran this long before it failed is started again after the first wait, in seconds.
PROVEN = 60.0


async def run_transport(
    table: TransportTable, node: Node, sink: Sink | None, *, task_status: trio.TaskStatus[None]
) -> None:
    """Run a transport until it is cancelled; when it raises, start it again with back-off.

    A source may return, when all that it had to bring has come in. A sink may not: the store would keep what
    is owed to it for ever, and nobody would be told.

    Calls `task_status.started()` when the transport is ready for the first time.

    Raises:
        StartError: it could not be made ready the first time.
    """
    ready, wait = False, FIRST_WAIT
    while True:
        began = trio.current_time()
        try:
            async with trio.open_nursery() as nursery:
                with trio.fail_after(START_TIMEOUT):
                    await nursery.start(_run, table, node)
                if not ready:
                    ready = True
                    task_status.started()
            if sink is None:
                log.info("transport finished", transport=table.name)
                return
            raise RuntimeError("run() returned, and events are still to go out to it")
        except BaseException as error:
            raised = Raised.of(error)
            cause = raised.fault
            if cause is None:
                raise
            if raised.passing is not None:
                log.error("transport failed as it was stopped", transport=table.name, reason=describe(cause))
                raise raised.passing from None
            if not ready:
                raise StartError(f"transports.{table.name}", why_not_started(_of(table), cause)) from cause
            if trio.current_time() - began >= PROVEN:
                wait = FIRST_WAIT
            log.error(
                "transport failed",
                transport=table.name,
                plugin=_of(table),
                reason=describe(cause),
                again_in=show_seconds(wait),
            )
            log.debug("transport raised", transport=table.name, exc_info=error)
        if sink is not None:
            sink.rewind()
        await trio.sleep(wait * random.uniform(0.8, 1.2))
        wait = min(wait * 2, LONGEST_WAIT)


async def _run(table: TransportTable, node: Node, *, task_status: trio.TaskStatus[object]) -> None:
    """Run the plugin."""
    structlog.contextvars.bind_contextvars(transport=table.name)  # all of the plugin's tasks inherit it
    await table.instance.run(node, task_status=task_status)


def _of(table: TransportTable) -> str:
    return f"plugin {table.plugin.name} of {table.plugin.distribution}"
