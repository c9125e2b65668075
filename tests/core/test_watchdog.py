"""Who blocks the event loop is named."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import attrs
import pytest
import trio
from structlog.testing import capture_logs

import voeflow
from support.nodes import running
from support.samples import voevent
from voeflow._watchdog import BLOCKED, Watchdog, at_work


class Work:
    """The watchdog's clock, which goes on by what is done here alone, however slow the machine is."""

    now = 0.0

    def block(self) -> None:
        """Block the event loop for longer than it may be."""
        self.now += 1.05 * BLOCKED


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    work = Work()
    monkeypatch.setattr("voeflow._watchdog.time", SimpleNamespace(perf_counter=lambda: work.now))
    return work


def test_a_task_that_blocks_the_loop_is_named_with_how_long(work: Work) -> None:
    async def greedy() -> None:
        work.block()  # what the watchdog is there to name
        await trio.lowlevel.checkpoint()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(greedy, name="handlers.greedy")

    with capture_logs() as logs:
        trio.run(main, instruments=[Watchdog()])

    (line,) = logs
    assert line["by"] == "handlers.greedy"
    assert line["seconds"] == pytest.approx(0.21)


def test_a_task_is_named_by_the_table_that_it_works_for(work: Work) -> None:
    async def greedy() -> None:
        work.block()

    async def table() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(greedy, name="a connection")

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(table, name="transports.public")

    with capture_logs() as logs:
        trio.run(main, instruments=[Watchdog()])

    (line,) = logs
    assert "transports.public" in line["by"]


@attrs.frozen
class Greedy:
    """A filter and an observer that block, in whoever's task they are called."""

    work: Work

    @voeflow.hookimpl
    def register_filters(self) -> dict[str, type]:
        work = self.work

        @attrs.define(eq=False)
        class Quick:
            inline: ClassVar[bool] = True

            def matches(self, event: voeflow.Event) -> bool:
                work.block()
                return True

        @attrs.define(eq=False)
        class Waiting:
            async def matches(self, event: voeflow.Event) -> bool:
                work.block()
                await trio.lowlevel.checkpoint()
                return True

        return {"quick": Quick, "waiting": Waiting}

    @voeflow.hookimpl
    def event_accepted(self) -> None:
        self.work.block()


def test_a_filter_and_a_hook_are_named_and_not_whoever_asked_them(tmp_path: Path, work: Work) -> None:
    toml = '[transports.in]\nplugin = "hand"\n'
    for kind in ("quick", "waiting"):
        toml += f'[filters.{kind}]\nplugin = "{kind}"\n'
        toml += f'[handlers.h_{kind}]\nplugin = "notebook"\nwhen = "{kind}"\n'

    async def main() -> None:
        async with running(tmp_path, toml, [Greedy(work)]) as (pipeline, _):
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
            assert told.wait(60)

    class Log:
        """Waits for the line that is meant: where the machine is slow, another step may have one, too."""

        lines: ClassVar[list[dict[str, Any]]] = []

        def error(self, event: str, **facts: Any) -> None:
            if facts["by"] == "filters.endless" and "threading.py:" in facts.get("at", ""):
                self.lines.append({"event": event, **facts})
                told.set()

        warning = error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("voeflow._watchdog.log", Log())
        trio.run(endless, instruments=[Watchdog(stuck=0.02)])

    assert Log.lines[0]["event"].startswith("the event loop is blocked")
