"""A handler's workers: what is told of one that takes long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from support.samples import voevent
from voeflow import Event
from voeflow._node_api import Delivery, Ending
from voeflow._workers import run_handler


class Sink:
    """Gives one delivery to each who takes, `apart` seconds after the one before, and notes how they end."""

    def __init__(self, number: int, apart: float = 0.0) -> None:
        self.waiting = list(range(number))
        self.apart = apart
        self.endings: list[Ending] = []

    async def take(self, limit: int) -> Sequence[Delivery]:
        if not self.waiting:
            await trio.sleep_forever()
        number = self.waiting.pop(0)
        await trio.sleep(number * self.apart)
        event = Event.parse(voevent(f"ivo://org.example/a#{number}"))
        return [Delivery(event, f"{number}.slow", 1, lambda _, ending: self.endings.append(ending))]


def table(handle: Callable[..., Awaitable[None]], concurrency: int = 1) -> Any:
    return SimpleNamespace(
        name="slow",
        concurrency=concurrency,
        instance=SimpleNamespace(handle=handle),
        plugin=SimpleNamespace(name="slew", distribution="observatory"),
    )


async def told(handler: Any, sink: Sink, seconds: float) -> list[tuple[float, str, str]]:
    """Run a handler for a while; give when it was named, with which event, and for how long."""
    began = trio.current_time()
    lines: list[tuple[float, str, str]] = []

    def note(_: object, __: str, line: dict[str, Any]) -> dict[str, Any]:
        lines.append((trio.current_time() - began, line["ivorn"][-1], line["since"]))
        return line

    with capture_logs(processors=[note]) as logs:
        async with trio.open_nursery() as nursery:
            leaving = trio.Event()
            await nursery.start(
                lambda task_status: run_handler(handler, sink, leaving, task_status=task_status)
            )
            await trio.sleep(seconds)
            nursery.cancel_scope.cancel()
    assert {line["event"] for line in logs} <= {"handler still at work"}
    return lines


async def test_a_handler_that_takes_long_is_named_after_a_minute_and_whenever_it_has_taken_as_long_again(
    autojump_clock: MockClock,
) -> None:
    async def slow(event: Event) -> None:
        await trio.sleep(300)

    sink = Sink(2, apart=10)
    assert await told(table(slow), sink, 400) == [
        (60, "0", "1 min"),
        (120, "0", "2 min"),
        (240, "0", "4 min"),
        (370, "1", "1 min"),
    ]
    assert sink.endings == [None]


async def test_each_of_several_events_at_once_is_told_at_its_own_time(autojump_clock: MockClock) -> None:
    async def slow(event: Event) -> None:
        await trio.sleep(150 if event.ivorn.endswith("0") else 70)

    sink = Sink(2, apart=30)
    assert await told(table(slow, concurrency=2), sink, 200) == [
        (60, "0", "1 min"),
        (90, "1", "1 min"),
        (120, "0", "2 min"),
    ]
    assert sink.endings == [None, None]


async def test_of_quick_handlers_nothing_is_told_however_many_events_there_are(
    autojump_clock: MockClock,
) -> None:
    async def quick(event: Event) -> None:
        await trio.sleep(40)

    sink = Sink(10)
    assert await told(table(quick), sink, 1000) == []
    assert sink.endings == [None] * 10


@pytest.mark.parametrize("working", [True, False])
async def test_a_handler_that_is_to_leave_ends_with_what_it_has_begun(
    working: bool, autojump_clock: MockClock
) -> None:
    async def slow(event: Event) -> None:
        await trio.sleep(100)

    sink, leaving = Sink(2 if working else 0), trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(
            lambda task_status: run_handler(table(slow), sink, leaving, task_status=task_status)  # type: ignore[arg-type]
        )
        await trio.sleep(10)
        leaving.set()
    assert trio.current_time() == pytest.approx(100 if working else 10)
    assert sink.endings == ([None] if working else [])
