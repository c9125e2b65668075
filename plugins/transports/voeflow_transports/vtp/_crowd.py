"""Who must leave when there are too many connections."""

from __future__ import annotations

import functools
import ipaddress

from ._connection import Connection

#: Of how many addresses the network is remembered.
_MOST = 4096


class Crowd:
    """The connections that are open at a port.

    When there is no room for one more, the network that has the most connections gives up its oldest, or is
    turned away if it is its own newcomer: so one peer can fill the port, and yet keep no other out.

    Attributes:
        most: how many connections there may be.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._inside: dict[str, dict[Connection, None]] = {}
        self._count = 0

    def enter(self, newcomer: Connection) -> Connection | None:
        """Let a connection in.

        Returns:
            None if there was room. Otherwise the connection to close, which is no longer counted: another,
            and the newcomer is in; or the newcomer itself.
        """
        leaver = None
        own = network_of(newcomer.host)
        if self._count >= self.most:
            largest = max(self._inside.values(), key=len)
            if len(largest) <= len(self._inside.get(own, ())) + 1:
                return newcomer
            leaver = next(iter(largest))
            self.leave(leaver)
        self._inside.setdefault(own, {})[newcomer] = None
        self._count += 1
        return leaver

    def count(self, host: str) -> int:
        """Give how many connections the network of a host has."""
        return len(self._inside.get(network_of(host), ()))

    def leave(self, connection: Connection) -> None:
        """Count a connection no longer; harmless if it is not counted."""
        own = network_of(connection.host)
        group = self._inside.get(own)
        if group is not None and connection in group:
            del group[connection]
            self._count -= 1
            if not group:
                del self._inside[own]


@functools.lru_cache(maxsize=_MOST)
def network_of(host: str) -> str:
    """Give what one peer can be taken to have: an IPv4 address, or the /64 of an IPv6 address."""
    if ":" not in host:
        return host
    return str(ipaddress.IPv6Network((host.partition("%")[0], 64), strict=False))
