"""A running node: the store, the intake, the sinks, and every plugin in its place.

```
node ─┬─ intake          one task; its worker thread parses and stores
      ├─ bookkeeping     what sinks have done, to the store; pruning
      ├─ sinks ──── one task a handler, a nursery for its concurrency
      └─ transports ─ one task each, supervised; a nursery inside for its connections
```
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import attrs
import structlog
import trio

from voeflow._answers import Envelope, Filters
from voeflow._bookkeeping import prune, save_progress, save_progress_often
from voeflow._errors import StartError, StoreError
from voeflow._intake import Intake
from voeflow._node_api import Delivery, Submission, Validation
from voeflow._observers import Observers
from voeflow._quantities import show_seconds
from voeflow._sink import Policy, Sink
from voeflow._store import Store
from voeflow._supervisor import run_transport
from voeflow._tables import HandlerTable, Pipeline, TransportTable
from voeflow._workers import run_handler, start_handler

log = structlog.get_logger()

#: How often a delivery that a transport failed is tried again, and the first wait, in seconds.
TRANSPORT_RETRIES, TRANSPORT_RETRY_WAIT = 5, 5.0

#: How many deliveries a transport takes at once, at most.
TAKEN_AT_ONCE = 256


@attrs.define(eq=False)
class NodeOfTransport:
    """The node as one transport sees it; see `voeflow.Node`."""

    name: str
    ivoid: str
    max_event: int
    _intake: Intake
    _open: trio.Event
    _sink: Sink | None

    async def submit(self, raw: bytes, *, validate: Validation = "schema", peer: str = "") -> Submission:
        """See `voeflow.Node.submit`; waits until the whole node is ready."""
        await self._open.wait()
        return await self._intake.submit(raw, source=self.name, validate=validate, peer=peer)

    async def take(self) -> Sequence[Delivery]:
        """See `voeflow.Node.take`."""
        if self._sink is None:
            raise TypeError(f"transports.{self.name} is no sink: its class has to say `sink = True`")
        return await self._sink.take(TAKEN_AT_ONCE)


class RunningNode:
    """A node made of a pipeline.

    Args:
        pipeline: what to run.
        observers: the plugins that watch.
    """

    def __init__(self, pipeline: Pipeline, observers: Observers) -> None:
        self._pipeline = pipeline
        self._observers = observers
        self._stopping = trio.Event()

    def stop(self) -> None:
        """Ask the node to drain and then to stop; asking again changes nothing."""
        self._stopping.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run until `stop()` or a cancellation; ready, and taking events, once `task_status` is told.

        Raises:
            StartError: the store, a handler or a transport cannot be had; nothing was accepted.
        """
        path = self._pipeline.node.store
        try:
            store = await trio.to_thread.run_sync(Store.open, path)
        except StoreError as error:
            raise StartError("store", str(error)) from error
        try:
            await self._run_on(store, task_status)
        except BaseExceptionGroup as group:
            raise _start_error(group) or group from None
        finally:
            with trio.CancelScope(shield=True):  # bounded by the disk alone, and nothing else runs any more
                await trio.to_thread.run_sync(store.close)

    async def _run_on(self, store: Store, task_status: trio.TaskStatus[None]) -> None:
        for handler in self._pipeline.handlers.values():
            await start_handler(handler)
        filters = Filters(self._pipeline.filters, self._pipeline.node.filter_timeout)
        sinks = self._make_sinks(store, filters)
        everyone = list(sinks.values())

        def offer(envelopes: Sequence[Envelope]) -> None:
            for sink in everyone:
                sink.offer(envelopes)

        intake = Intake(store, offer, self._observers, self._pipeline.node.max_event)
        opened = trio.Event()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(intake.run, name="intake")
                nursery.start_soon(save_progress_often, store, everyone, filters, name="bookkeeping")
                nursery.start_soon(
                    functools.partial(prune, store, self._pipeline.node.retention), name="retention"
                )
                scopes = {
                    name: await self._start_transport(nursery, table, intake, opened, sinks.get(name))
                    for name, table in self._sinks_first()
                }
                for name, table in self._pipeline.handlers.items():
                    nursery.start_soon(run_handler, table, sinks[name], name=f"handlers.{name}")
                opened.set()
                self._tell_ready()
                task_status.started()
                await self._stopping.wait()
                await self._drain(scopes, everyone)
                nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):  # one write of a few rows
                await save_progress(store, everyone, filters)

    def _sinks_first(self) -> list[tuple[str, TransportTable]]:
        return sorted(self._pipeline.transports.items(), key=lambda item: not item[1].is_sink)

    async def _start_transport(
        self,
        nursery: trio.Nursery,
        table: TransportTable,
        intake: Intake,
        opened: trio.Event,
        sink: Sink | None,
    ) -> trio.CancelScope:
        settings = self._pipeline.node
        node = NodeOfTransport(table.name, settings.ivoid, settings.max_event, intake, opened, sink)
        scope = trio.CancelScope()
        await nursery.start(
            functools.partial(_run_in, scope, functools.partial(run_transport, table, node, sink)),
            name=f"transports.{table.name}",
        )
        return scope

    def _make_sinks(self, store: Store, filters: Filters) -> dict[str, Sink]:
        policies = {
            table.name: Policy(table.when, table.sources, TRANSPORT_RETRIES, TRANSPORT_RETRY_WAIT)
            for table in self._pipeline.transports.values()
            if table.is_sink
        } | {table.name: _policy(table) for table in self._pipeline.handlers.values()}
        states = store.open_sinks(list(policies))
        latest = store.last_seq()
        return {
            name: Sink(
                name,
                policy,
                states[name],
                latest,
                store=store,
                filters=filters,
                observers=self._observers,
            )
            for name, policy in policies.items()
        }

    def _tell_ready(self) -> None:
        pipeline = self._pipeline
        log.info(
            "node ready",
            pipeline=str(pipeline.path),
            transports=", ".join(pipeline.transports),
            handlers=", ".join(pipeline.handlers),
        )
        self._observers.tell("node_started", ivoid=pipeline.node.ivoid, pipeline=pipeline.path)

    async def _drain(self, scopes: dict[str, trio.CancelScope], sinks: Sequence[Sink]) -> None:
        """Take no more events, and let every sink finish what there is, within the pipeline's `drain`."""
        log.info("stopping", drain=show_seconds(self._pipeline.node.drain))
        self._observers.tell("node_stopping")
        for name, table in self._pipeline.transports.items():
            if not table.is_sink:
                scopes[name].cancel()
        with trio.move_on_after(self._pipeline.node.drain) as limit:
            while unfinished := [sink for sink in sinks if not sink.idle]:
                await unfinished[0].wait_idle()
        if limit.cancelled_caught:
            names = [sink.name for sink in sinks if not sink.idle]
            log.warning("stopped before these were done; they go on at the next start", sinks=names)


def _start_error(group: BaseExceptionGroup[BaseException]) -> StartError | None:
    """Give the one error for which the node did not start, out of the nursery that is our own detail.

    Tables are started one after another, so there are never two; beside any other error, none is given.
    """
    errors, rest = group.split(StartError)
    while isinstance(errors, BaseExceptionGroup):
        errors = errors.exceptions[0]  # type: ignore[assignment]  # a leaf, in the end
    return errors if rest is None else None


def _policy(table: HandlerTable) -> Policy:
    return Policy(table.when, table.sources, table.retries, table.retry_wait)


async def _run_in(
    scope: trio.CancelScope,
    run: Callable[..., object],
    *,
    task_status: trio.TaskStatus[None],
) -> None:
    with scope:
        await run(task_status=task_status)  # type: ignore[misc]
