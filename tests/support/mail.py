"""A mail server that leaves no connection open when it stops."""

from __future__ import annotations

import asyncio
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

#: How long the connections may take to end, in seconds.
_PATIENCE = 30

#: How many turns of the loop a connection that has just been taken needs to be there, and to be closed.
_TURNS = 6


class MailController(Controller):
    """aiosmtpd's controller, which ends the connections that there still are before it stops.

    Its own stops the loop under them: the sockets stay open until the garbage is collected, and pytest then
    has whatever test that happens in fail.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._served: list[SMTP] = []

    def factory(self) -> SMTP:
        """Make what serves one connection."""
        served = super().factory()  # type: ignore[no-untyped-call]  # aiosmtpd's
        assert isinstance(served, SMTP)
        self._served.append(served)
        return served

    def stop(self, no_assert: bool = False) -> None:
        """End every connection, take no new ones, and end the thread."""
        asyncio.run_coroutine_threadsafe(self._end(), self.loop).result(_PATIENCE)
        super().stop(no_assert)  # type: ignore[no-untyped-call]  # aiosmtpd's

    async def _end(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        for listening in self.server.sockets:  # which are closed later: who was taken just now needs them
            self.loop.remove_reader(listening.fileno())
        for _ in range(_TURNS):
            for served in self._served:
                if served.transport is not None:
                    served.transport.abort()
            await asyncio.sleep(0)
