"""Which of the XPath filters that subscribers bring may be asked at all."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

import attrs

from ._crowd import network_of

#: How many barred expressions, and networks that brought one, are remembered.
_MOST_BARRED = 1000

#: How long a network that brought an expression that was barred can bring none, in seconds.
_PENANCE = 3600.0


@attrs.frozen(eq=False, repr=False)
class Sorted:
    """The filters that a subscriber brought.

    Attributes:
        admitted: the expressions that may be asked, each once.
        left_out: the others, each with the reason. Of those that are too many only the first is here.
    """

    admitted: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


class Filtering:
    """Says which filters may be asked at all, and remembers those that were barred.

    Attributes:
        most: how many filters one subscriber may bring.
        longest: how long each may be, in characters.
    """

    def __init__(self, most: int, longest: int) -> None:
        self.most = most
        self.longest = longest
        self._barred: OrderedDict[str, str] = OrderedDict()
        self._penitent: OrderedDict[str, float] = OrderedDict()

    def sort(self, expressions: Sequence[str], host: str, now: float) -> Sorted:
        """Sort what a subscriber at a numeric address brings at `now`, in seconds of any clock.

        Whether those admitted are XPath is not looked at: only the judge can safely say.
        """
        admitted: dict[str, None] = {}
        left_out: list[tuple[str, str]] = []
        for expression in expressions:
            if expression in admitted:
                continue
            if len(admitted) == self.most:
                reason = f"a subscriber may have {self.most} filters; this one and the rest are too many"
                left_out.append((expression, reason))
                break
            if reason := self._why_not(expression, host, now):
                left_out.append((expression, reason))
            else:
                admitted[expression] = None
        return Sorted(tuple(admitted), tuple(left_out))

    def bar(self, expression: str, reason: str, hosts: Iterable[str], now: float) -> None:
        """Admit an expression no more, and for a while none at all from the networks that brought it.

        Otherwise one peer could bring another whenever the last was barred.
        """
        self._barred[expression] = reason
        while len(self._barred) > _MOST_BARRED:
            self._barred.popitem(last=False)
        self.punish(hosts, now)

    def punish(self, hosts: Iterable[str], now: float) -> None:
        """Admit no filters for a while from the networks of some hosts."""
        for host in hosts:
            if host:  # who may open a Unix socket was chosen by its owner
                self._penitent[network_of(host)] = now + _PENANCE
        while len(self._penitent) > _MOST_BARRED:
            self._penitent.popitem(last=False)

    def _why_not(self, expression: str, host: str, now: float) -> str:
        if len(expression) > self.longest:
            return f"is longer than {self.longest} characters"
        if now < self._penitent.get(network_of(host), 0.0):
            return "its address has brought some that take too long"
        if expression in self._barred:
            return self._barred[expression]
        return ""
