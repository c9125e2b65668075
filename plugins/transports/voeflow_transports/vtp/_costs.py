"""What subscribers' filters have been seen to cost."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

import attrs

#: What a quick expression takes at most, for each event and for each of its bytes, in seconds of processor
#: time. An ordinary one takes some 0.02 ms on an event of 5 kB, and 12 ms on one of 600 kB.
_QUICK_PER_EVENT, _QUICK_PER_BYTE = 1e-3, 30e-9

#: What the smallest limit adds to that: the kernel counts in steps of up to 10 ms, which come on top.
_SLACK = 5e-3

#: How much of what an expression cost is remembered the next time it costs less.
_MEMORY = 0.8

#: What an expression is taken to cost that was ended: it has to be quick some thirty times before it is taken
#: for quick again.
_ENDED = 1000.0

#: What one is taken to cost at least whose owner has brought such a one.
_SUSPECT = 2.0

#: Up to which cost together filters are of the first rank, the second, and so on.
_RANKS = (0.05, 0.25, 1.0)

#: How many expressions are remembered: more than all subscribers can bring.
_MOST = 100_000


@attrs.define(eq=False)
class Costs:
    """Remembers what expressions cost, where 1 is the most that a quick one takes.

    What is quick is asked before what is not, and ended as soon as it takes much longer than that; so what
    was quick so far, and is not on one event, delays others by some milliseconds.
    """

    _costs: dict[str, float] = attrs.field(factory=dict, init=False, repr=False)

    def known(self, expression: str) -> bool:
        """Whether an expression was asked before, and so is XPath that can be used."""
        return expression in self._costs

    def quick(self, expression: str) -> bool:
        """Whether an expression is known to be quick."""
        return self._costs.get(expression, _SUSPECT) <= 1.0

    def rank(self, expressions: Iterable[str]) -> int:
        """Give when filters are to be asked: a lower rank first; `last` if one of them is not quick."""
        total = 0.0
        for each in expressions:
            cost = self._costs.get(each, _SUSPECT)
            if cost > 1.0:
                return self.last
            total += cost
        return bisect_left(_RANKS, total)

    @property
    def last(self) -> int:
        """The rank of filters of which one is not quick."""
        return len(_RANKS) + 1

    def seconds(self, expressions: Iterable[str]) -> float:
        """Give what filters are taken to cost for a small event, in seconds."""
        return _QUICK_PER_EVENT * sum(self._costs.get(each, _SUSPECT) for each in expressions)

    def note(self, took: Mapping[str, float], packets: Sequence[bytes]) -> None:
        """Note how much processor time expressions took for some packets, at least one, in seconds."""
        costs, most = self._costs, allowance(packets)
        for expression, seconds in took.items():
            cost = seconds / most
            before = costs.get(expression, 0.0)
            costs[expression] = cost if cost >= before else _MEMORY * before + (1 - _MEMORY) * cost
        while len(costs) > _MOST:
            del costs[next(iter(costs))]

    def ended(self, expression: str) -> None:
        """Note that an expression had to be ended."""
        self._costs[expression] = _ENDED

    def suspect(self, expressions: Iterable[str]) -> None:
        """Note that who brought these has brought one that had to be ended."""
        for each in expressions:
            self._costs[each] = max(self._costs.get(each, 0.0), _SUSPECT)


def allowance(packets: Sequence[bytes]) -> float:
    """Give what one expression that is quick takes at most for some packets, in seconds."""
    return _QUICK_PER_EVENT * len(packets) + _QUICK_PER_BYTE * sum(map(len, packets))


def limit(packets: Sequence[bytes]) -> float:
    """Give when one expression that was taken for quick is ended, in seconds of processor time."""
    return _SLACK + 2 * allowance(packets)
