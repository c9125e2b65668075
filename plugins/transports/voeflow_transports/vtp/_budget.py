"""How much processor time the filters of one network may take."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

import attrs

#: What costs a network nothing, for each event, and for each of its bytes, in seconds of processor time. An
#: ordinary expression takes some 0.02 ms on a small event, and 12 ms on one of 600 kB.
_FREE_PER_EVENT, _FREE_PER_BYTE = 0.02, 0.5e-6

#: How long a network takes to have its whole budget again after it has spent it, in seconds.
_RECOVERY = 3600.0

#: Over how long what a network took is remembered when one is looked for that took the most, in seconds.
_RECENT = 10.0

#: How many networks are remembered.
_MOST = 4096


@attrs.define
class _Account:
    at: float
    debt: float = 0.0
    recent: float = 0.0


@attrs.define(eq=False)
class Budget:
    """Keeps the account of every network whose filters are asked.

    What an ordinary filter takes is free. Beyond that a network may take `most` in all, which it has again
    after an hour: so it can delay the others by about that much, once.

    Attributes:
        most: in seconds of processor time.
    """

    most: float
    _accounts: OrderedDict[str, _Account] = attrs.field(factory=OrderedDict, init=False, repr=False)

    def free(self, packets: Sequence[bytes]) -> float:
        """Give what one network may take for a batch without being charged."""
        return min(
            self.most, _FREE_PER_EVENT * max(1, len(packets)) + _FREE_PER_BYTE * sum(map(len, packets))
        )

    def proven(self, network: str, now: float) -> bool:
        """Say whether a network's filters were asked before, and took no more than what is free."""
        return network in self._accounts and not self.debt(network, now)

    def left(self, network: str, now: float) -> float:
        """Give what a network may still take besides that; `now` is of a clock that only goes forward."""
        return max(0.0, self.most - self.debt(network, now))

    def debt(self, network: str, now: float) -> float:
        """Give what a network has taken besides what is free, and has not had back."""
        account = self._accounts.get(network)
        return 0.0 if account is None else max(0.0, account.debt - (now - account.at) * self.most / _RECOVERY)

    def recent(self, network: str, now: float) -> float:
        """Give what a network has taken of late, free or not; what is long past counts less."""
        account = self._accounts.get(network)
        return 0.0 if account is None else account.recent * math.exp((account.at - now) / _RECENT)

    def charge(self, network: str, taken: float, free: float, now: float) -> None:
        """Note what a network has taken, of which `free` at most was free."""
        self._accounts[network] = _Account(
            now, self.debt(network, now) + max(0.0, taken - free), self.recent(network, now) + taken
        )
        self._accounts.move_to_end(network)
        if len(self._accounts) > _MOST:
            self._accounts.popitem(last=False)
