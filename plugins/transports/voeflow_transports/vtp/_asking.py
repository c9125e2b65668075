"""Which events subscribers' filters let pass, and what becomes of filters that take too long."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

import attrs
import structlog
import trio

import voeflow

from ._budget import Budget
from ._crowd import network_of
from ._filtering import Filtering
from ._judge import Judge
from ._subscription import Subscription

log = structlog.get_logger()

_OVER_BUDGET = "takes too long, with the others of its address"

#: A subscriber, with its filters as they were when a batch came.
Filters = tuple[Subscription, tuple[str, ...]]

#: Subscribers, by which events of a batch they are to have.
Groups = dict[tuple[bool, ...], list[Subscription]]


@attrs.define(eq=False)
class Asking:
    """Takes the filters that subscribers bring, and asks them.

    Attributes:
        name: the transport's table, for the log.
        filtering: says which filters may be asked at all.
        max_filter_time: how much processor time one may take for a batch, in seconds.
        budget: keeps account of what each network's filters take.
    """

    name: str
    filtering: Filtering
    max_filter_time: float
    budget: Budget = attrs.field(init=False)
    _judge: Judge = attrs.field(init=False)
    _judge_of_past: Judge = attrs.field(init=False)  # so that what is new does not wait for what is not

    def __attrs_post_init__(self) -> None:
        """Make the budget, and the judges of filters."""
        self.budget = Budget(self.max_filter_time)
        self._judge, self._judge_of_past = Judge(self.max_filter_time), Judge(self.max_filter_time)

    async def set_filters(self, subscription: Subscription, expressions: Sequence[str]) -> None:
        """Give a subscriber the filters that it brings, and no others, and tell what is left out."""
        host = subscription.connection.host
        network = network_of(host)
        left_out: list[tuple[str, str]] = []
        admitted: list[str] = []
        brought = self.filtering.sort(expressions, host, trio.current_time())
        for expression in brought.admitted:
            if subscription.lost:
                left_out.append((expression, "came with one that takes too long"))
                continue
            now, free = trio.current_time(), self.budget.free(())
            budget = {network: self.budget.left(network, now) + free}
            try:
                judgement = await self._judge.ask([expression], [], {expression: network}, budget)
            except OSError as error:
                log.error("filters cannot be asked", transport=self.name, reason=str(error))
                subscription.drop("brought filters, and they cannot be asked")
                return
            if (taken := judgement.taken.get(network, 0.0)) > free:
                self.budget.charge(network, taken, free, now)
            if judgement.costly is not None:
                self._bar(*judgement.costly, [subscription])
            elif judgement.unpaid:
                self._take_away(expression, _OVER_BUDGET, [subscription])
            elif expression in judgement.unusable:
                left_out.append((expression, judgement.unusable[expression]))
            else:
                admitted.append(expression)
        subscription.filters = tuple(admitted)
        for expression, reason in (*left_out, *brought.left_out):
            self._tell_left_out(subscription, expression, reason)
        if admitted:
            log.info(
                "filters set",
                transport=self.name,
                peer=subscription.connection.peer,
                filters=[voeflow.printable(each) for each in admitted],
            )

    async def choose(
        self, subscription: Subscription, deliveries: Sequence[voeflow.Delivery]
    ) -> list[voeflow.Delivery]:
        """Give those events of the past that one subscriber's filters let pass.

        Raises:
            OSError: the process that asks filters cannot be started.
        """
        if not subscription.filters or not deliveries:
            await trio.lowlevel.checkpoint()
            return list(deliveries)
        whose = [(subscription, subscription.filters)]
        ((which, _),) = (await self._sort(deliveries, whose, self._judge_of_past)).items()
        return list(compress(deliveries, which))

    async def sort(self, deliveries: Sequence[voeflow.Delivery], whose: Sequence[Filters]) -> Groups:
        """Sort subscribers by the events of a new batch that they are to have.

        Raises:
            OSError: the process that asks filters cannot be started.
        """
        return await self._sort(deliveries, whose, self._judge)

    async def aclose(self) -> None:
        """End the processes."""
        try:
            await self._judge.aclose()
        finally:
            await self._judge_of_past.aclose()

    async def _sort(
        self, deliveries: Sequence[voeflow.Delivery], whose: Sequence[Filters], judge: Judge
    ) -> Groups:
        packets = [delivery.event.raw for delivery in deliveries]
        held = await self._ask(whose, packets, judge)
        groups: Groups = {}
        for subscription, filters in whose:
            answers = [held[each] for each in filters if each in held]
            # Whose filters were all barred just now has none left, and none lets everything pass.
            which = tuple(map(any, zip(*answers, strict=True))) or (True,) * len(packets)
            groups.setdefault(which, []).append(subscription)
        return groups

    async def _ask(
        self, whose: Sequence[Filters], packets: Sequence[bytes], judge: Judge
    ) -> dict[str, list[bool]]:
        """Ask each expression that a subscriber still has of each packet; bar those that take too long.

        One that several networks brought is asked on the account of the first.
        """
        held: dict[str, list[bool]] = {}
        barred: set[str] = set()
        free: dict[str, float] = {}
        while True:
            accounts: dict[str, str] = {}
            for subscription, filters in whose:
                network = network_of(subscription.connection.host)
                for each in filters if not subscription.machine.over else ():
                    if each not in held and each not in barred and each not in subscription.lost:
                        accounts.setdefault(each, network)
            if not accounts:
                return held
            now = trio.current_time()
            budgets = {
                network: self.budget.left(network, now) + free.setdefault(network, self.budget.free(packets))
                for network in accounts.values()
            }
            judgement = await judge.ask(list(accounts), packets, accounts, budgets)
            held.update(judgement.held)
            barred.update(judgement.unusable)
            for network, taken in judgement.taken.items():
                self.budget.charge(network, taken, free[network], now)
                free[network] = max(0.0, free[network] - taken)
            for each in judgement.unpaid:
                network = accounts[each]
                owners = [one for one, has in whose if each in has]
                self._take_away(
                    each, _OVER_BUDGET, [one for one in owners if network_of(one.connection.host) == network]
                )
            if judgement.costly is not None:
                barred.add(judgement.costly[0])
                self._bar(*judgement.costly, [one for one, has in whose if judgement.costly[0] in has])

    def _bar(self, expression: str, reason: str, owners: Sequence[Subscription]) -> None:
        """Admit an expression no more, and take it away from those who brought it."""
        self.filtering.bar(expression, reason, [], trio.current_time())
        self._take_away(expression, reason, owners)

    def _take_away(self, expression: str, reason: str, owners: Sequence[Subscription]) -> None:
        """Take an expression away from those who brought it; who brings two such is dropped."""
        self.filtering.punish([each.connection.host for each in owners], trio.current_time())
        for subscription in owners:
            if subscription.machine.over:
                continue
            subscription.filters = tuple(each for each in subscription.filters if each != expression)
            self._tell_left_out(subscription, expression, reason)
            subscription.lost |= {expression}
            if len(subscription.lost) > 1:
                subscription.drop("brought filters that take too long")

    def _tell_left_out(self, subscription: Subscription, expression: str, reason: str) -> None:
        log.warning(
            "filter left out",
            transport=self.name,
            peer=subscription.connection.peer,
            filter=voeflow.printable(expression),
            reason=voeflow.printable(reason),
        )
