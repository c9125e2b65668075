"""`python -m faults.attackers`: a flood on a node, from many addresses of this machine, until SIGTERM.

It yields to all others on the machine: on the network it would be others' processors that are busy with it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import sys
from collections import Counter
from contextlib import suppress

import trio

from faults.peers import answer
from threats.world import filters

#: From how many addresses each kind of attack comes.
_ADDRESSES = 100

#: How long who was cut off waits before it comes again, in seconds: from half of this to this.
_PAUSE = 2.0

_SLOW = "//*[count(//*[count(//*[count(//*)>{n}])>0])>0]"


class Flood:
    """Everyone who attacks; `counts` tells how often each was there, and was cut off."""

    def __init__(self, authors: int, public: int) -> None:
        self.authors, self.public = authors, public
        self.counts: Counter[str] = Counter()
        self._there = trio.Event()
        self._wanted = 0

    async def run(self, idle: int, loris: int, subscribers: int) -> None:
        self._wanted = idle + loris + subscribers
        async with trio.open_nursery() as nursery:
            for number in range(idle):
                port = (self.authors, self.public)[number % 2]
                nursery.start_soon(self._again, "idle", number, port, self._idle)
            for number in range(loris):
                nursery.start_soon(self._again, "loris", number, self.authors, self._loris)
            for number in range(subscribers):
                nursery.start_soon(self._again, "filters", number, self.public, self._bring_filters)
            nursery.start_soon(self._until_told, nursery.cancel_scope)
            await self._there.wait()
            print("at work", flush=True)

    async def _until_told(self, scope: trio.CancelScope) -> None:
        with trio.open_signal_receiver(signal.SIGTERM) as signals:
            async for _ in signals:
                scope.cancel()

    async def _again(self, kind: str, number: int, port: int, attack: object) -> None:
        first = {"idle": 1, "loris": 2, "filters": 3}[kind]
        source = f"127.{first}.0.{number % _ADDRESSES + 1}"
        await trio.sleep(random.uniform(0, _PAUSE))
        while True:
            with trio.socket.socket() as connection, suppress(OSError):
                await connection.bind((source, 0))
                await connection.connect(("127.0.0.1", port))
                self.counts[kind] += 1
                if self.counts.total() >= self._wanted:
                    self._there.set()
                await attack(connection, number)  # type: ignore[operator]
                self.counts[f"{kind} cut off"] += 1
            await trio.sleep(random.uniform(_PAUSE / 2, _PAUSE))

    async def _idle(self, connection: trio.socket.SocketType, _: int) -> None:
        while await connection.recv(65536):
            pass

    async def _loris(self, connection: trio.socket.SocketType, _: int) -> None:
        await connection.send(struct.pack("!I", 100_000))
        while True:
            await connection.send(b"<")
            await trio.sleep(1)

    async def _bring_filters(self, connection: trio.socket.SocketType, number: int) -> None:
        message = filters(*(_SLOW.format(n=number * 10 + each) for each in range(4)))
        await connection.send(struct.pack("!I", len(message)) + message)
        while data := await connection.recv(65536):
            if b'role="iamalive"' in data:
                await connection.send(answer("iamalive", "ivo://org.example/voeflow"))


def main() -> None:
    """Attack the ports that the command line names, with so many of each kind."""
    authors, public, idle, loris, subscribers = map(int, sys.argv[1:])
    os.nice(10)
    flood = Flood(authors, public)
    trio.run(flood.run, idle, loris, subscribers)
    print(json.dumps(flood.counts), flush=True)


if __name__ == "__main__":
    main()
