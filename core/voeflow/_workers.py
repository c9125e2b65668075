"""Handlers at work: each takes from its sink, handles, and says what came of it."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Iterable, Sequence

import attrs
import structlog
import trio

from voeflow._errors import GiveUp, Later, StartError
from voeflow._event import Event
from voeflow._hookspecs import PROJECT
from voeflow._node_api import Delivery
from voeflow._quantities import show_seconds
from voeflow._raised import Raised, describe, words_of
from voeflow._sink import Sink
from voeflow._tables import HandlerTable

log = structlog.get_logger()

#: How long a plugin may take to get ready, in seconds.
START_TIMEOUT = 60.0

#: How much of a plugin's own words is shown where it cannot start, in characters.
MAX_WORDS = 1000

#: A handler that works on one event longer than this is named in the log, and again each time it has
#: taken as long again, in seconds.
LONG = 60.0


async def start_handler(table: HandlerTable) -> None:
    """Call the handler's `start()`, if it has one.

    Raises:
        StartError: it raised, or took too long.
    """
    start = getattr(table.instance, "start", None)
    if start is None:
        return
    where = f"handlers.{table.name}"
    try:
        with trio.fail_after(START_TIMEOUT):
            if inspect.iscoroutinefunction(start):
                await start()
            else:
                await trio.to_thread.run_sync(start, abandon_on_cancel=True)
    except trio.TooSlowError:
        raise StartError(where, f"{_of(table)} was not ready within {START_TIMEOUT:g} s") from None
    except BaseException as error:
        raised = Raised.of(error)
        if raised.fault is None or raised.passing is not None:
            raise
        raise StartError(where, why_not_started(_of(table), raised.fault)) from error


async def start_handlers(tables: Iterable[HandlerTable]) -> None:
    """Call the `start()` of every one of some handlers.

    Raises:
        StartError: some raised; it tells of all of them, so that they can be mended in one go.
    """
    errors = []
    for table in tables:
        try:
            await start_handler(table)
        except StartError as error:
            errors.append(error)
    if errors:
        first, *others = errors
        raise StartError(first.where, first.reason, others) from first


def why_not_started(plugin: str, error: BaseException) -> str:
    """Say why a plugin cannot start: the reason alone where it speaks for itself, else whose fault it is."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.strerror}: {os.fsdecode(error.filename)}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, ValueError | OSError) and (words := words_of(error, MAX_WORDS)):
        return words
    return f"{plugin} raised {describe(error)}"


async def run_handler(
    table: HandlerTable, sink: Sink, leaving: trio.Event, *, task_status: trio.TaskStatus[None]
) -> None:
    """Handle what `sink` gives, as many at once as the table says, until cancelled.

    Once `leaving` is set, nothing more is taken, and it returns when what was taken has been handled.
    """
    handle = table.instance.handle
    with_delivery, is_async = _wants_delivery(handle), inspect.iscoroutinefunction(handle)
    limiter = trio.CapacityLimiter(table.concurrency)
    watch = _Watch(table)

    async def call(delivery: Delivery) -> None:
        arguments: tuple[Event] | tuple[Event, Delivery] = (
            (delivery.event, delivery) if with_delivery else (delivery.event,)
        )
        if is_async:
            await handle(*arguments)
        else:
            # Abandoned when the node stops: what was not settled then is handed over again after the start.
            await trio.to_thread.run_sync(
                functools.partial(handle, *arguments), abandon_on_cancel=True, limiter=limiter
            )

    takers: set[trio.CancelScope] = set()

    async def take() -> Sequence[Delivery]:
        with trio.CancelScope() as scope:
            takers.add(scope)
            try:
                return await sink.take(1)
            finally:
                takers.discard(scope)
        return ()

    async def work() -> None:
        while not leaving.is_set():
            for delivery in await take():
                watch.begin(delivery)
                try:
                    await _settle(table, delivery, call)
                finally:
                    watch.end(delivery)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        async with trio.open_nursery() as workers:
            for _ in range(table.concurrency):
                workers.start_soon(work)
            task_status.started()
            await leaving.wait()
            for scope in takers:
                scope.cancel()
        nursery.cancel_scope.cancel()


async def _settle(table: HandlerTable, delivery: Delivery, call: object) -> None:
    assert callable(call)
    try:
        bound = structlog.contextvars.bind_contextvars(sink=table.name)
        try:
            await call(delivery)
        finally:
            structlog.contextvars.reset_contextvars(**bound)
    except Later as later:
        delivery.later(later.seconds, later.reason)
    except GiveUp as hopeless:
        delivery.give_up(hopeless.reason)
    except BaseException as error:
        raised = Raised.of(error)
        if raised.fault is not None:
            log.debug("handler raised", handler=table.name, exc_info=error)
        if raised.fault is None or raised.passing is not None:
            raise  # what is not settled is handed over again
        delivery.failed(_why_failed(table, raised.fault))
    else:
        delivery.done()


def _why_failed(table: HandlerTable, error: BaseException) -> str:
    """Say why a delivery failed: a failure that one of voeflow's own handlers expects speaks for itself."""
    ours = table.plugin.distribution.partition(" ")[0] == PROJECT
    if ours and _package(type(error)) == _package(table.plugin.cls) and (words := words_of(error)):
        return words
    return f"{_of(table)} raised {describe(error)}"


def _package(cls: type) -> str:
    return cls.__module__.partition(".")[0]


@attrs.define(eq=False, repr=False)
class _Watch:
    """Names a handler that takes long over an event: it cannot be stopped, but it is not a riddle.

    One task for all of a handler's events, which is woken once in `LONG` at most: a task for each would take
    more than what a quick handler does.
    """

    _table: HandlerTable
    _at_work: dict[Delivery, tuple[float, float]] = attrs.field(factory=dict, init=False)  # since, told at
    _begun: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)

    def begin(self, delivery: Delivery) -> None:
        """Watch over a delivery from now on."""
        self._at_work[delivery] = trio.current_time(), LONG
        self._begun.unpark()

    def end(self, delivery: Delivery) -> None:
        """Watch over it no more."""
        del self._at_work[delivery]

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            while not self._at_work:
                await self._begun.park()
            # One that begins meanwhile has LONG to go.
            due = [since + limit for since, limit in self._at_work.values()]
            await trio.sleep_until(min(trio.current_time() + LONG, *due))
            for delivery, (since, limit) in self._at_work.items():
                if trio.current_time() >= since + limit:
                    self._at_work[delivery] = since, 2 * limit
                    self._tell(delivery, limit)

    def _tell(self, delivery: Delivery, taken: float) -> None:
        log.warning(
            "handler still at work",
            handler=self._table.name,
            ivorn=delivery.event.ivorn,
            since=show_seconds(taken),
            plugin=_of(self._table),
        )


def _wants_delivery(handle: object) -> bool:
    """Whether `handle` takes the delivery beside the event."""
    assert callable(handle)
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in positional for p in inspect.signature(handle).parameters.values()) > 1


def _of(table: HandlerTable) -> str:
    return f"plugin {table.plugin.name} of {table.plugin.distribution}"
