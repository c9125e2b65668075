"""A real node in the test's own process, and the stand-ins by which a test talks to it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import attrs
import structlog
import trio

from voeflow._event import Event
from voeflow._hookspecs import hookimpl
from voeflow._node import RunningNode
from voeflow._node_api import Delivery, Node, Submission, Validation
from voeflow._observers import Observers
from voeflow._pipeline import load_pipeline
from voeflow._plugins import load_plugins
from voeflow._tables import Pipeline
from voeflow.testing._sole import sole_error

#: How long `Notebook.wait` and `Wire.wait` wait, in seconds of trio's clock.
PATIENCE = 30.0

#: How often a node here writes to its store what sinks have done, in seconds: so seldom that simulated hours
#: do not consist of that.
SAVE_INTERVAL = 60.0


@attrs.define(eq=False)
class Hand:
    """A source that submits what the test hands to it."""

    node: Any = attrs.field(default=None, init=False)

    async def run(self, node: Node, *, task_status: trio.TaskStatus[None]) -> None:
        """Be there."""
        self.node = node
        task_status.started()
        await trio.sleep_forever()


@attrs.define(eq=False)
class Wire:
    """A transport that is a sink: it keeps what it takes, settled or left to the test to settle."""

    sink: ClassVar[bool] = True
    settle: bool = True
    node: Any = attrs.field(default=None, init=False)
    deliveries: list[Delivery] = attrs.field(factory=list, init=False)
    changed: trio.Event = attrs.field(factory=trio.Event, init=False)
    crash: trio.Event = attrs.field(factory=trio.Event, init=False)

    async def run(self, node: Node, *, task_status: trio.TaskStatus[None]) -> None:
        """Take what there is."""
        self.node = node
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._crash)
            task_status.started()
            while True:
                for delivery in await node.take():
                    self.deliveries.append(delivery)
                    if self.settle:
                        delivery.done()
                self.changed.set()
                self.changed = trio.Event()

    async def _crash(self) -> None:
        await self.crash.wait()
        self.crash = trio.Event()
        raise RuntimeError("the wire broke")

    async def wait(self, number: int) -> list[Delivery]:
        """Wait until it has taken `number` deliveries."""
        with trio.fail_after(PATIENCE):
            while len(self.deliveries) < number:
                await self.changed.wait()
        return self.deliveries


@attrs.define(eq=False)
class Notebook:
    """A handler that notes what it is given, and fails as often as it is told to."""

    failures: int = 0
    hangs: bool = False
    seen: list[tuple[str, str, int]] = attrs.field(factory=list, init=False)
    changed: trio.Event = attrs.field(factory=trio.Event, init=False)

    async def handle(self, event: Event, delivery: Delivery) -> None:
        """Note it."""
        self.seen.append((event.ivorn, delivery.id, delivery.attempt))
        self.changed.set()
        self.changed = trio.Event()
        if self.hangs:
            await trio.sleep_forever()
        if self.failures:
            self.failures -= 1
            raise RuntimeError("no ink")

    async def wait(self, number: int) -> list[tuple[str, str, int]]:
        """Wait until it was given `number` deliveries."""
        with trio.fail_after(PATIENCE):
            while len(self.seen) < number:
                await self.changed.wait()
        return self.seen


class StandIns:
    """The stand-ins above, as a distribution would offer them: `hand`, `wire` and `notebook`."""

    @hookimpl
    def register_transports(self) -> dict[str, type]:
        """Offer a source and a sink."""
        return {"hand": Hand, "wire": Wire}

    @hookimpl
    def register_handlers(self) -> dict[str, type]:
        """Offer a handler."""
        return {"notebook": Notebook}


@contextmanager
def readable_log() -> Iterator[None]:
    """Let a node's log be told in plain lines, unless the test has set up a log of its own.

    What structlog does by itself draws a box around every local variable in a traceback.
    """
    if structlog.is_configured():
        yield
        return
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, plain]
    )
    try:
        yield
    finally:
        structlog.reset_defaults()


def read_pipeline(
    pipeline: str | Path, directory: Path, plugins: Sequence[object], environ: Mapping[str, str] | None
) -> tuple[Pipeline, Observers]:
    """Read a pipeline, given as text or as a file, with the installed plugins, the stand-ins and others.

    Raises:
        voeflow.PipelineError: it has mistakes.
        ExceptionGroup: of PluginError, for those of `plugins` that cannot be used.
    """
    path = directory / "pipeline.toml" if isinstance(pipeline, str) else pipeline
    if isinstance(pipeline, str):
        path.write_text(pipeline, encoding="utf-8")
    loaded = load_plugins([StandIns(), *plugins])
    if own := [each for each in loaded.failed if each.distribution == "no distribution"]:
        raise ExceptionGroup("plugins of the test cannot be used", own)
    return load_pipeline(path, loaded, os.environ if environ is None else environ), loaded.observers


@attrs.frozen
class LiveNode:
    """A node that runs.

    Attributes:
        pipeline: what it was made of, with the plugins' instances in its tables.
    """

    pipeline: Pipeline
    _running: RunningNode

    async def submit(
        self, event: Event | bytes, *, source: str = "", validate: Validation = "schema", peer: str = ""
    ) -> Submission:
        """Submit an event as a source would, and wait until it is on disk, or known, or refused.

        Args:
            event: the event, or a packet.
            source: the name of the transport's table through which it is to have come.
            validate: see `voeflow.Node.submit`.
            peer: who sent it.
        """
        raw = event.raw if isinstance(event, Event) else event
        return await self._running.submit(raw, source=source, validate=validate, peer=peer)

    def instance(self, name: str) -> Any:
        """Give the instance of the plugin's class that a table stands for, by the table's name.

        Raises:
            KeyError: no transport, filter or handler has this name.
        """
        for tables in (self.pipeline.transports, self.pipeline.filters, self.pipeline.handlers):
            if name in tables:
                return tables[name].instance
        raise KeyError(f"no table of the pipeline is named {name!r}")

    def stop(self) -> None:
        """Ask the node to drain and then to stop."""
        self._running.stop()


@asynccontextmanager
async def running_node(
    pipeline: str | Path,
    directory: Path,
    *,
    plugins: Sequence[object] = (),
    environ: Mapping[str, str] | None = None,
) -> AsyncIterator[LiveNode]:
    """Run a node, with everything that its pipeline names, for the length of a block.

    Besides the installed plugins a pipeline may name `hand`, a source that brings nothing by itself. With
    `simulate` around it, the node's waits take no time.

    Args:
        pipeline: the pipeline, as text or as a file.
        directory: where a pipeline given as text is written to, which its relative paths are relative to.
        plugins: modules or objects with hook implementations, besides what is installed.
        environ: the environment that the pipeline's strings refer to; this process's, if left out.

    Returns:
        For the block: the node, ready and taking events. At the end of the block it drains and stops.

    Raises:
        voeflow.PipelineError: the pipeline has mistakes.
        voeflow.StartError: the node cannot start.
    """
    read, observers = read_pipeline(pipeline, directory, plugins, environ)
    running = RunningNode(read, observers, save_interval=SAVE_INTERVAL)
    with readable_log(), sole_error():
        async with trio.open_nursery() as nursery:
            await nursery.start(lambda task_status: running.run(task_status=task_status))
            yield LiveNode(read, running)
            running.stop()
