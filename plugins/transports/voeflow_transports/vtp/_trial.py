"""Trying filters that nobody has brought before, on a sample, before any event is kept waiting by them."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import attrs
import trio

import voeflow

from ._budget import Budget
from ._costs import Costs, limit
from ._crowd import network_of
from ._judge import Judge, Judgement, Question
from ._penalties import OVER_BUDGET, Penalties
from ._subscription import Subscription

#: How many of the filters that a subscriber brings may have to be ended when they are tried, before the rest
#: is not looked at. At the second that is barred it is dropped.
_MOST_ENDED = 2

#: The longest event that new filters are tried on, in bytes.
_LONGEST_SAMPLE = 2**16


@attrs.define(eq=False)
class Trial:
    """Tries new filters, for some milliseconds each, and those that need more with all that one may have.

    Attributes:
        max_filter_time: how much processor time one may take, in seconds.
        budget: keeps account of what each network's filters take.
        costs: is told what each took.
        penalties: what becomes of those that take too long.
        quick: asks each for some milliseconds.
        slow: asks those that need more.
        latest: the event that came last, to try them on besides a sample; empty for none.
    """

    max_filter_time: float
    budget: Budget
    costs: Costs
    penalties: Penalties
    quick: Judge
    slow: Judge
    latest: bytes = b""

    async def run(self, subscription: Subscription, expressions: Sequence[str]) -> dict[str, str]:
        """Try filters that nobody has brought before; give those that cannot be used, and why."""
        network = network_of(subscription.connection.host)
        samples = [_sample(), *([self.latest] if 0 < len(self.latest) <= _LONGEST_SAMPLE else [])]
        left = [each for each in expressions if not self.costs.known(each)]
        judgement = Judgement()
        ended: list[str] = []
        while left and len(ended) < _MOST_ENDED:
            await self.quick.ask(Question(left, samples, limit(samples)), judgement)
            if judgement.costly is None:
                left = []
            else:
                ended.append(judgement.costly[0])
                left = left[left.index(ended[-1]) + 1 :]
                judgement.costly = None
        self.costs.note({each: judgement.took[each] for each in judgement.held}, samples)
        self._charge(network, judgement, self.budget.free(()), trio.current_time())
        left_out = {**judgement.unusable, **dict.fromkeys(left, "came with some that take too long")}
        for expression in ended:
            if not subscription.machine.over:
                await self._try_long(subscription, expression, samples, left_out)
        return left_out

    async def _try_long(
        self, subscription: Subscription, expression: str, samples: list[bytes], left_out: dict[str, str]
    ) -> None:
        """Try a filter with all the time that one may have; take it away if that is not enough."""
        now, free = trio.current_time(), self.budget.free(())
        network = network_of(subscription.connection.host)
        budgets = {network: self.budget.left(network, now) + free}
        question = Question([expression], samples, self.max_filter_time, {expression: network}, budgets)
        judgement = await self.slow.ask(question)
        self._charge(network, judgement, free, now)
        if judgement.costly is not None:
            self.penalties.bar(*judgement.costly, [subscription])
        elif judgement.unpaid:
            self.penalties.take_away(expression, OVER_BUDGET, [subscription])
        elif judgement.unusable:
            left_out.update(judgement.unusable)
        else:
            self.costs.note(judgement.took, samples)

    def _charge(self, network: str, judgement: Judgement, free: float, now: float) -> None:
        if (taken := sum(judgement.took.values())) > free:
            self.budget.charge(network, taken, free, now)


@functools.cache
def _sample() -> bytes:
    """Give an event of a common size, to try filters on before any has come."""
    params = [voeflow.Param(f"name_{number}", str(number), "cts", "phot.count") for number in range(60)]
    groups = [
        voeflow.Group(f"group_{first}", "", voeflow.Params(params[first : first + 10]))
        for first in range(20, 60, 10)
    ]
    ivoid = "ivo://org.example/sample"
    return voeflow.compose(
        ivorn=f"{ivoid}#1", author=ivoid, date="2000-01-01T00:00:00", params=params[:20], groups=groups
    )
