"""A node in the test's own process, with the stand-ins of `voeflow.testing` for a test to talk to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from voeflow._node import RunningNode
from voeflow._observers import Observers
from voeflow._tables import Pipeline
from voeflow.testing._node import Hand, Notebook, Wire, read_pipeline

__all__ = ["Hand", "Notebook", "Wire", "read", "running"]


def read(directory: Path, toml: str, extra: Sequence[object] = ()) -> tuple[Pipeline, Observers]:
    """Read a pipeline given as text, with the stand-ins, the built-in plugins and `extra`."""
    return read_pipeline(toml, directory, extra, {})


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
