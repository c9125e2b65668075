"""How fast the connections and the events of one address may come."""

from __future__ import annotations

import functools
from collections import OrderedDict

from ._addresses import numeric
from ._crowd import network_of

#: How many addresses are remembered; one that is forgotten begins anew.
_MOST = 4096


@functools.lru_cache(maxsize=_MOST)
def counted(host: str) -> str:
    """Give the network that a peer is counted under, or nothing for this machine itself.

    Whoever is on this machine, or comes through a proxy here that stands for many, is not counted: he could
    hurt the node in easier ways.
    """
    if not host:
        return ""
    return "" if numeric(host).is_loopback else network_of(host)


class Rates:
    """A token bucket for each address, or IPv6 /64: nothing is turned away, but it may have to wait.

    Attributes:
        rate: how many may come a second in the long run; 0 for no limit.
        burst: how many may come at once after a rest.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self.rate = rate
        self.burst = burst
        self._full: OrderedDict[str, float] = OrderedDict()

    def take(self, network: str, now: float) -> float:
        """Take one token out of a network's bucket, or owe it one.

        Args:
            network: as `counted` gives it; nothing is not counted.
            now: in seconds of a clock that only goes forward.

        Returns:
            How long it has to wait, in seconds.
        """
        if not network or not self.rate:
            return 0.0
        full = max(now, self._full.get(network, now)) + 1 / self.rate  # when its bucket is full again
        self._full[network] = full
        self._full.move_to_end(network)
        if len(self._full) > _MOST:
            self._full.popitem(last=False)
        return max(0.0, full - now - self.burst / self.rate)
