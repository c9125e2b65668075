"""A running node: the store, the intake, the sinks, and every plugin in its place.

```
node ─┬─ intake          two threads that read and store; a process that reads in a burst
      ├─ bookkeeping     what sinks have done, to the store; pruning
      ├─ alarms          over sources that hear nothing
      ├─ sinks ──── one task a handler, a nursery for its concurrency
      └─ transports ─ one task each, supervised; a nursery inside for its connections
```
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import trio

from voeflow._bookkeeping import prune, save_often
from voeflow._errors import StartError, StoreError
from voeflow._node_api import Submission, Validation
from voeflow._observers import Observers
from voeflow._quantities import show_seconds
from voeflow._store import Store
from voeflow._tables import Pipeline
from voeflow._works import Works

log = structlog.get_logger()


class RunningNode:
    """A node made of a pipeline.

    Args:
        pipeline: what to run.
        observers: the plugins that watch.
        save_interval: how often what sinks have done is written to the store, in seconds; as usual if None.
    """

    def __init__(
        self, pipeline: Pipeline, observers: Observers, *, save_interval: float | None = None
    ) -> None:
        self._save_interval = save_interval
        self._pipeline = pipeline
        self._observers = observers
        self._stopping = trio.Event()
        self._reloading = trio.Lock()
        self._works: Works

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

    async def reload(self, pipeline: Pipeline) -> None:
        """Go on by another pipeline; what it has in common with the present one is not touched.

        Raises:
            StartError: something new cannot be started, or only a restart can change it; all goes on as it
                was.
        """
        async with self._reloading:
            with _needing_the_store():
                await self._works.become(pipeline)

    async def submit(
        self, raw: bytes, *, source: str, validate: Validation = "schema", peer: str = ""
    ) -> Submission:
        """Submit a packet as the transport `source` would, once the node is ready; see `Node.submit`.

        Raises:
            StoreError: the store cannot write now.
        """
        return await self._works.intake.submit(raw, source=source, validate=validate, peer=peer)

    @property
    def delivered_up_to(self) -> int:
        """See `Node.delivered_up_to`."""
        return self._works.delivered_up_to

    async def _run_on(self, store: Store, task_status: trio.TaskStatus[None]) -> None:
        works: Works | None = None
        try:
            async with trio.open_nursery() as nursery:
                with _needing_the_store():
                    self._works = works = Works(self._pipeline, store, self._observers, nursery)
                nursery.start_soon(save_often, works.save, self._save_interval, name="bookkeeping")
                with _needing_the_store():
                    await works.start()
                works.opened.set()
                nursery.start_soon(works.intake.run, name="intake")
                nursery.start_soon(works.alarms.run, name="alarms")
                nursery.start_soon(prune, store, lambda: works.pipeline.node.retention, name="retention")
                self._tell_ready()
                task_status.started()
                await self._stopping.wait()
                await self._drain(works)
                log.info("taken since the start", **works.intake.counts)
                nursery.cancel_scope.cancel()
        finally:
            if works is not None:
                with trio.CancelScope(shield=True):  # one write of a few rows
                    await works.save()
                if busy := works.busy:
                    names = [sink.name for sink in busy]
                    log.warning("stopped before these were done; they go on at the next start", sinks=names)

    def _tell_ready(self) -> None:
        pipeline = self._pipeline
        log.info(
            "node ready",
            pipeline=str(pipeline.path),
            transports=", ".join(pipeline.transports),
            handlers=", ".join(pipeline.handlers),
        )
        self._observers.tell("node_started", ivoid=pipeline.node.ivoid, pipeline=pipeline.path)

    async def _drain(self, works: Works) -> None:
        """Take no more events, and let every sink finish what there is, within the pipeline's `drain`."""
        patience = works.pipeline.node.drain
        log.info("stopping", drain=show_seconds(patience))
        self._observers.tell("node_stopping")
        await works.stop_sources()
        if busy := works.busy:
            log.info("sinks still at work; a second signal stops at once", sinks=[sink.name for sink in busy])
        with trio.move_on_after(patience):
            await works.wait_idle()


@contextmanager
def _needing_the_store() -> Iterator[None]:
    """Tell of a store that fails as the key `store` of a node that cannot start (or cannot change)."""
    try:
        yield
    except StoreError as error:
        raise StartError("store", str(error)) from error


def _start_error(group: BaseExceptionGroup[BaseException]) -> StartError | None:
    """Give the one error for which the node did not start, out of the nursery that is our own detail.

    Tables are started one after another, so there are never two; beside any other error, none is given.
    """
    errors, rest = group.split(StartError)
    leaf: BaseException | None = errors
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf if rest is None and isinstance(leaf, StartError) else None
