"""Who blocks the event loop is named."""

from __future__ import annotations

import time

import trio
from structlog.testing import capture_logs

from voeflow._watchdog import Watchdog


def test_a_task_that_blocks_the_loop_is_named_with_how_long() -> None:
    async def greedy() -> None:
        time.sleep(0.21)  # noqa: ASYNC251 - what the watchdog is there to name
        await trio.lowlevel.checkpoint()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(greedy, name="handlers.greedy")

    with capture_logs() as logs:
        trio.run(main, instruments=[Watchdog()])

    (line,) = logs
    assert line["by"] == "handlers.greedy"
    assert line["seconds"] >= 0.2


def test_a_task_is_named_by_the_table_that_it_works_for() -> None:
    async def greedy() -> None:
        time.sleep(0.21)  # noqa: ASYNC251 - as above

    async def table() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(greedy, name="a connection")

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(table, name="transports.public")

    with capture_logs() as logs:
        trio.run(main, instruments=[Watchdog()])

    assert "transports.public" in logs[0]["by"]
