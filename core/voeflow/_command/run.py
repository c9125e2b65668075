"""`voeflow run`: the node in the foreground."""

from __future__ import annotations

import functools
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import click
import structlog
import trio

from voeflow._command._pipelines import fail, pipeline_argument, read_or_exit
from voeflow._errors import StartError
from voeflow._log import configure_log
from voeflow._node import RunningNode
from voeflow._text import printable
from voeflow._watchdog import Watchdog

log = structlog.get_logger()


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
def command(pipeline: Path, log_format: str, log_level: str) -> None:
    """Run the node that PIPELINE describes, until SIGINT or SIGTERM.

    The first signal lets it finish what is in hand (the pipeline's `drain`), a second one stops it at once;
    either way nothing that was acknowledged is lost. Exit status: 0; 1 if something cannot be started; 2 if
    the pipeline is wrong.
    """
    loaded, plugins = read_or_exit(pipeline)
    configure_log(log_level, log_format)  # type: ignore[arg-type]  # click has checked the choice
    node = RunningNode(loaded, plugins.observers)
    try:
        trio.run(functools.partial(_run, node), instruments=[Watchdog()])
    except StartError as error:
        click.echo(f"{pipeline}: {printable(str(error), 1000)}", err=True)
        fail("the node was not started; nothing was accepted.", 1)


async def _run(node: RunningNode) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_stop_on, signals, node, nursery.cancel_scope)
            await node.run()
            nursery.cancel_scope.cancel()
    log.info("stopped")


async def _stop_on(signals: AsyncIterator[int], node: RunningNode, scope: trio.CancelScope) -> None:
    asked = False
    async for number in signals:
        log.info("signal received", signal=signal.Signals(number).name)
        if asked:
            scope.cancel()
            return
        asked = True
        node.stop()
