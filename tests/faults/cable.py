"""A cable between a broadcaster and its subscriber, which can be cut."""

from __future__ import annotations

import threading
from typing import Self

import trio


class Cable(threading.Thread):
    """Carries TCP connections to a port of this machine, on a trio loop of its own; a context.

    Args:
        remote: the port at the far end.

    Attributes:
        port: the one at the near end.
    """

    def __init__(self, remote: int) -> None:
        super().__init__(name="cable", daemon=True)
        self.port = 0
        self._remote = remote
        self._ready = threading.Event()
        self._token: trio.lowlevel.TrioToken
        self._whole: trio.Event
        self._refuses = False
        self._streams: set[trio.SocketStream] = set()
        self._scope: trio.CancelScope

    def __enter__(self) -> Self:
        self.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._token.run_sync_soon(self._scope.cancel)
        self.join()

    def cut(self, *, silent: bool) -> None:
        """Carry nothing more; where it is not silent, end all connections, and each new one at once."""
        trio.from_thread.run(self._cut, silent, trio_token=self._token)

    def mend(self) -> None:
        """Carry everything again, and what was on its way too."""
        trio.from_thread.run_sync(self._mend, trio_token=self._token)

    def run(self) -> None:
        trio.run(self._carry)

    async def _carry(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._whole = trio.Event()
        self._whole.set()
        with trio.CancelScope() as self._scope:
            (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
            self.port = listener.socket.getsockname()[1]
            self._ready.set()
            await trio.serve_listeners(self._connect, [listener])

    async def _connect(self, near: trio.SocketStream) -> None:
        async with near:
            if self._refuses:
                return
            await self._whole.wait()
            try:
                far = await trio.open_tcp_stream("127.0.0.1", self._remote)
            except OSError:
                return
            async with far, trio.open_nursery() as nursery:
                self._streams |= {near, far}
                nursery.start_soon(self._copy, near, far, nursery.cancel_scope)
                nursery.start_soon(self._copy, far, near, nursery.cancel_scope)
            self._streams -= {near, far}

    async def _copy(self, one: trio.SocketStream, other: trio.SocketStream, scope: trio.CancelScope) -> None:
        try:
            async for data in one:
                await self._whole.wait()
                await other.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        await self._whole.wait()  # nor does an end come through a cable that is cut
        scope.cancel()

    async def _cut(self, silent: bool) -> None:
        if silent:
            self._whole = trio.Event()
        else:
            self._refuses = True
            for stream in list(self._streams):
                await stream.aclose()

    def _mend(self) -> None:
        self._whole.set()
        self._refuses = False
