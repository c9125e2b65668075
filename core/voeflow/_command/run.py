"""`voeflow run`: the node in the foreground."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import click
import structlog
import trio

from voeflow._command import collect_garbage
from voeflow._command._pipelines import fail, pipeline_argument, read_or_exit
from voeflow._errors import PipelineError, StartError
from voeflow._log import LogFormat, configure_log
from voeflow._node import RunningNode
from voeflow._pipeline import load_pipeline
from voeflow._plugins import Plugins
from voeflow._systemd import feed_watchdog, notify
from voeflow._text import printable
from voeflow._watchdog import Watchdog

log = structlog.get_logger()

#: How long after a second signal the process is ended whatever still runs in it, in seconds.
LAST_PATIENCE = 5.0


@click.command("run")
@pipeline_argument
@click.option(
    "--log-format",
    type=click.Choice(["auto", "console", "json"]),
    default="auto",
    help="Log lines for people (console, the default) or one JSON object a line.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="The least level that is logged.",
)
def command(pipeline: Path, log_format: LogFormat, log_level: str) -> None:
    """Run the node that PIPELINE describes, until SIGINT or SIGTERM.

    The first signal lets it finish what is in hand (the pipeline's `drain`), a second one stops it at once;
    either way nothing that was acknowledged is lost. SIGHUP reads PIPELINE again: a bad one is refused whole,
    and of a good one only what changed is started anew. Exit status: 0; 1 if something cannot be started; 2
    if the pipeline is wrong.
    """
    loaded, plugins = read_or_exit(pipeline)
    configure_log(log_level, log_format)
    collect_garbage()
    try:
        trio.run(_run, RunningNode(loaded, plugins.observers), pipeline, plugins, instruments=[Watchdog()])
    except StartError as error:
        for each in (error, *error.others):
            click.echo(f"{pipeline}: {printable(str(each), 1000)}", err=True)
        fail("the node was not started; nothing was accepted.", 1)


class _Ready:
    """Is told when the node is ready, and lets systemd know."""

    def __init__(self) -> None:
        self.is_told = False

    def started(self, _: None = None) -> None:
        self.is_told = True
        # What is there now stays. Without this a full collection goes through it all: 30 ms, which may
        # be in an alert's way.
        gc.freeze()
        notify("READY=1")


async def _run(node: RunningNode, path: Path, plugins: Plugins) -> None:
    ready, failure = _Ready(), None
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(feed_watchdog)
            nursery.start_soon(_heed, signals, node, ready, partial(_reload, node, path, plugins), nursery)
            try:
                await node.run(task_status=ready)
            except StartError as error:
                failure = error
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    log.info("stopped")


async def _heed(
    signals: AsyncIterator[int],
    node: RunningNode,
    ready: _Ready,
    reload: Callable[[], Awaitable[None]],
    nursery: trio.Nursery,
) -> None:
    stopping = False
    reloads: set[trio.CancelScope] = set()
    async for number in signals:
        log.info("signal received", signal=signal.Signals(number).name)
        if number == signal.SIGHUP:
            if ready.is_told and not stopping:
                nursery.start_soon(_until_stopped, reloads, reload)
        elif stopping or not ready.is_told:
            _end_soon()
            nursery.cancel_scope.cancel()
        else:
            stopping = True
            notify("STOPPING=1")
            for scope in reloads:
                scope.cancel()
            node.stop()


async def _until_stopped(reloads: set[trio.CancelScope], reload: Callable[[], Awaitable[None]]) -> None:
    with trio.CancelScope() as scope:
        reloads.add(scope)
        try:
            await reload()
        finally:
            reloads.discard(scope)


def _end_soon() -> None:
    """End the process in a while, should a plugin keep it from stopping: a second signal stops at once."""
    timer = threading.Timer(LAST_PATIENCE, os._exit, [1])
    timer.daemon = True
    timer.start()


async def _reload(node: RunningNode, path: Path, plugins: Plugins) -> None:
    """Read the pipeline again and go on by it; where it cannot be, say why, and go on as before."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
    try:
        pipeline = await trio.to_thread.run_sync(load_pipeline, path, plugins, os.environ)
        for deprecation in pipeline.deprecations:
            log.warning("deprecated", what=deprecation)
        await node.reload(pipeline)
    except PipelineError as error:
        for mistake in error.mistakes:
            log.error("mistake in the pipeline", file=str(path), mistake=str(mistake))
        log.error("pipeline not reloaded: the old one goes on", mistakes=len(error.mistakes))
    except StartError as error:
        log.error("pipeline not reloaded: the old one goes on", reason=str(error))
    finally:
        notify("READY=1")
