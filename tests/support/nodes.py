"""A node in the test's own process, with plugins that a test can talk to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import attrs
import trio

import voeflow
from voeflow._node import RunningNode
from voeflow._observers import Observers
from voeflow._pipeline import load_pipeline
from voeflow._plugins import load_plugins
from voeflow._tables import Pipeline


@attrs.define(eq=False)
class Hand:
    """A source that submits what the test hands to it."""

    node: Any = attrs.field(default=None, init=False)

    async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[None]) -> None:
        self.node = node
        task_status.started()
        await trio.sleep_forever()


@attrs.define(eq=False)
class Wire:
    """A transport that is a sink: it keeps the deliveries that it takes until the test settles them."""

    sink: ClassVar[bool] = True
    settle: bool = True
    node: Any = attrs.field(default=None, init=False)
    deliveries: list[voeflow.Delivery] = attrs.field(factory=list, init=False)
    changed: trio.Event = attrs.field(factory=trio.Event, init=False)
    crash: trio.Event = attrs.field(factory=trio.Event, init=False)

    async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[None]) -> None:
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

    async def wait(self, number: int) -> list[voeflow.Delivery]:
        """Wait until it has taken `number` deliveries."""
        with trio.fail_after(10):
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

    async def handle(self, event: voeflow.Event, delivery: voeflow.Delivery) -> None:
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
        with trio.fail_after(10):
            while len(self.seen) < number:
                await self.changed.wait()
        return self.seen


class TestPlugins:
    """The plugins above, as a distribution would offer them."""

    @voeflow.hookimpl
    def register_transports(self) -> dict[str, type]:
        return {"hand": Hand, "wire": Wire}

    @voeflow.hookimpl
    def register_handlers(self) -> dict[str, type]:
        return {"notebook": Notebook}


def read(directory: Path, toml: str, extra: Sequence[object] = ()) -> tuple[Pipeline, Observers]:
    """Read a pipeline given as text, with the plugins above, the built-in ones and `extra`."""
    path = directory / "pipeline.toml"
    path.write_text(toml)
    plugins = load_plugins([TestPlugins(), *extra])
    assert not plugins.failed, plugins.failed
    return load_pipeline(path, plugins, {}), plugins.observers


@asynccontextmanager
async def running(
    directory: Path, toml: str, extra: Sequence[object] = ()
) -> AsyncIterator[tuple[Pipeline, RunningNode]]:
    """Run a node, give its pipeline (whose tables have the plugins' instances), and stop it at the end."""
    pipeline, observers = read(directory, toml, extra)
    node = RunningNode(pipeline, observers)
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: node.run(task_status=task_status))
        yield pipeline, node
        node.stop()
