"""Who blocks the event loop is named."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest
import trio
from structlog.testing import capture_logs

import voeflow
from support.nodes import running
from support.samples import voevent
from voeflow._watchdog import Watchdog, at_work


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


class Greedy:
    """A filter and an observer that block, in whoever's task they are called."""

    @voeflow.hookimpl
    def register_filters(self) -> dict[str, type]:
        @attrs.define(eq=False)
        class Quick:
            inline: ClassVar[bool] = True

            def matches(self, event: voeflow.Event) -> bool:
                time.sleep(0.21)
                return True

        @attrs.define(eq=False)
        class Waiting:
            async def matches(self, event: voeflow.Event) -> bool:
                time.sleep(0.21)  # noqa: ASYNC251 - as above
                await trio.lowlevel.checkpoint()
                return True

        return {"quick": Quick, "waiting": Waiting}

    @voeflow.hookimpl
    def event_accepted(self) -> None:
        time.sleep(0.21)


def test_a_filter_and_a_hook_are_named_and_not_whoever_asked_them(tmp_path: Path) -> None:
    toml = '[transports.in]\nplugin = "hand"\n'
    for kind in ("quick", "waiting"):
        toml += f'[filters.{kind}]\nplugin = "{kind}"\n'
        toml += f'[handlers.h_{kind}]\nplugin = "notebook"\nwhen = "{kind}"\n'

    async def main() -> None:
        async with running(tmp_path, toml, [Greedy()]) as (pipeline, _):
            await pipeline.transports["in"].instance.node.submit(voevent())
            for kind in ("quick", "waiting"):
                await pipeline.handlers[f"h_{kind}"].instance.wait(1)

    with capture_logs() as logs:
        trio.run(main, instruments=[Watchdog()])

    named = {line["by"] for line in logs if line["event"].startswith("the event loop was blocked")}
    assert named >= {"filters.quick", "filters.waiting", "event_accepted() of no distribution"}
    assert not [name for name in named if name.startswith(("handlers.", "intake"))]


def test_what_does_not_end_is_told_while_it_lasts_with_the_place() -> None:
    told = threading.Event()

    async def endless() -> None:
        with at_work("filters.endless"):
            told.wait(10)

    class Log:
        lines: ClassVar[list[dict[str, Any]]] = []

        def error(self, event: str, **facts: Any) -> None:
            self.lines.append({"event": event, **facts})
            told.set()

        warning = error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("voeflow._watchdog.log", Log())
        trio.run(endless, instruments=[Watchdog(stuck=0.02)])

    line = Log.lines[0]
    assert line["event"].startswith("the event loop is blocked")
    assert line["by"] == "filters.endless"
    assert "threading.py:" in line["at"]
