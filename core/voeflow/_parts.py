"""A table of the pipeline at work: its task, and how it is ended alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import trio

from voeflow._tables import HandlerTable, TransportTable


@attrs.define(eq=False, repr=False)
class Part:
    """A transport or handler that has been started.

    Attributes:
        table: what it was made of.
        leaving: set when it is to take no more and finish what it has.
        scope: cancels it.
        ended: set when it has ended.
    """

    table: HandlerTable | TransportTable
    leaving: trio.Event = attrs.field(factory=trio.Event)
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    ended: trio.Event = attrs.field(factory=trio.Event)

    async def start(self, nursery: trio.Nursery, name: str, run: Callable[..., Awaitable[None]]) -> None:
        """Start `run` in `nursery`, and wait until it calls `task_status.started()`.

        Raises:
            StartError: it could not be started.
        """
        await nursery.start(self._run, run, name=name)

    async def leave(self, patience: float) -> None:
        """Let it finish what it has in hand, for at most `patience` seconds, and end it."""
        self.leaving.set()
        with trio.move_on_after(patience):
            await self.ended.wait()
        await self.end()

    async def end(self) -> None:
        """End it now; what it had in hand is handed over again later."""
        self.scope.cancel()
        await self.ended.wait()

    async def _run(self, run: Callable[..., Awaitable[None]], *, task_status: trio.TaskStatus[None]) -> None:
        try:
            with self.scope:
                await run(task_status=task_status)
        finally:
            self.ended.set()
