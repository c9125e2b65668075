"""What a transport whose table says the same reads again when the pipeline is: certificates, say."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

import structlog
import trio

from voeflow._raised import Raised, describe
from voeflow._tables import TransportTable
from voeflow._workers import START_TIMEOUT

log = structlog.get_logger()


async def renew(tables: Iterable[TransportTable]) -> None:
    """Call the `reload()` of every one of some transports that go on untouched, where the class has one.

    One that raises is told, and goes on with what it had.
    """
    for table in tables:
        if callable(getattr(type(table.instance), "reload", None)):
            await _renew(table)


async def _renew(table: TransportTable) -> None:
    reload = table.instance.reload
    try:
        with trio.fail_after(START_TIMEOUT):
            if inspect.iscoroutinefunction(reload):
                await reload()
            else:
                await trio.to_thread.run_sync(reload, abandon_on_cancel=True)
    except BaseException as error:
        raised = Raised.of(error)
        if raised.fault is None or raised.passing is not None:
            raise
        reason = str(raised.fault) if isinstance(raised.fault, ValueError) else describe(raised.fault)
        log.error("what it read before goes on", transport=table.name, reason=reason)
