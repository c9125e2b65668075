"""How much the frames that have begun and not ended may take together."""

from __future__ import annotations

from collections import defaultdict

import structlog
import trio

from ._connection import Connection
from ._crowd import network_of
from ._door import TOLD_EVERY
from ._sparingly import Sparingly

log = structlog.get_logger()


class Partials:
    """The unfinished frames of a port's connections.

    When they hold too much, the network that holds the most loses the connection that holds the most of it.

    Attributes:
        name: the transport's table, for the log.
        most: how much they may hold together, in bytes.
    """

    def __init__(self, name: str, most: int) -> None:
        self.name = name
        self.most = most
        self._held: dict[Connection, int] = {}
        self._total = 0
        self._told = Sparingly(TOLD_EVERY)

    def note(self, connection: Connection, held: int) -> None:
        """Note how much a connection's unfinished frame holds now, 0 when it ends; close what is too much."""
        if not held and connection not in self._held:  # nearly always
            return
        self._total += held - self._held.pop(connection, 0)
        if held:
            self._held[connection] = held
        while self._total > self.most:
            self._close(self._largest())

    def _largest(self) -> Connection:
        networks: defaultdict[str, int] = defaultdict(int)
        for connection, held in self._held.items():
            networks[network_of(connection.host)] += held
        network = max(networks, key=networks.__getitem__)
        return max(
            (each for each in self._held if network_of(each.host) == network), key=self._held.__getitem__
        )

    def _close(self, connection: Connection) -> None:
        self._total -= self._held.pop(connection)
        connection.close()
        if (more := self._told.due(network_of(connection.host), trio.current_time())) is not None:
            log.warning(
                "connection closed to save memory",
                transport=self.name,
                peer=connection.peer,
                reason=f"unfinished frames hold above {self.most} bytes, and its address has the most",
                unsaid=more,
            )
