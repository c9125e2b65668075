"""Which events subscribers' filters let pass, and who waits for whom while that is found out."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import attrs
import structlog
import trio

import voeflow

from ._batch import NO, YES, Batch, Filters, Hand, any_of
from ._budget import Budget
from ._costs import Costs, limit
from ._crowd import network_of
from ._filtering import Filtering
from ._forker import Forker
from ._judge import Judge, Question
from ._penalties import OVER_BUDGET, Penalties
from ._plain import is_plain
from ._subscription import Subscription
from ._trial import Trial

log = structlog.get_logger()

#: How much nicer to others on the machine the process is that asks what is not quick.
_NICE = 10

#: The places in `Subscription.behind`, of what is asked first and second.
_PLAIN, _QUICK = 0, 1


@attrs.define(eq=False)
class Asking:
    """Takes the filters that subscribers bring, and asks them.

    A new one is tried on a sample. What is known to be quick is asked in one process if it is plain, and in
    another if it is not, and ended there as soon as it takes much longer than that; what is not quick is
    asked in a third, with all the time that one may have. So who has plain filters waits for those of
    others that are plain alone, and what one expression can delay those who have others that are quick is
    what it takes to end it.

    Attributes:
        name: the transport's table, for the log.
        filtering: says which filters may be asked at all.
        max_filter_time: how much processor time one may take for a batch, in seconds.
        budget: keeps account of what each network's filters take that are not quick.
        costs: what each filter was seen to take.
    """

    name: str
    filtering: Filtering
    max_filter_time: float
    budget: Budget = attrs.field(init=False)
    costs: Costs = attrs.field(factory=Costs, init=False)
    _forker: Forker = attrs.field(factory=Forker, init=False)
    _plain: Judge = attrs.field(init=False)
    _quick: Judge = attrs.field(init=False)
    _quick_of_past: Judge = attrs.field(init=False)  # so that what is new does not wait for what is not
    _new: Judge = attrs.field(init=False)
    _slow: Judge = attrs.field(init=False)
    _penalties: Penalties = attrs.field(init=False)
    _trial: Trial = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Make the budget, and the judges of filters."""
        self.budget = Budget(self.max_filter_time)
        self._plain, self._quick, self._quick_of_past, self._new = (Judge(self._forker) for _ in range(4))
        self._slow = Judge(self._forker, _NICE)
        self._penalties = Penalties(self.name, self.filtering)
        self._trial = Trial(
            self.max_filter_time, self.budget, self.costs, self._penalties, self._new, self._slow
        )

    async def set_filters(self, subscription: Subscription, expressions: Sequence[str]) -> None:
        """Give a subscriber the filters that it brings, and no others, and tell what is left out."""
        brought = self.filtering.sort(expressions, subscription.connection.host, trio.current_time())
        try:
            left_out = await self._trial.run(subscription, brought.admitted)
        except OSError as error:
            log.error("filters cannot be asked", transport=self.name, reason=str(error))
            subscription.drop("brought filters, and they cannot be asked")
            return
        admitted = [
            each for each in brought.admitted if each not in left_out and each not in subscription.lost
        ]
        subscription.filters = tuple(admitted)
        for expression, reason in (*left_out.items(), *brought.left_out):
            self._penalties.tell_left_out(subscription, expression, reason)
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
        if not deliveries:
            await trio.lowlevel.checkpoint()
            return list(deliveries)
        chosen: list[voeflow.Delivery] = []

        async def take(passed: list[voeflow.Delivery], _: list[Subscription]) -> None:
            chosen.extend(passed)
            await trio.lowlevel.checkpoint()

        batch = Batch(deliveries, [(subscription, subscription.filters)])
        for stage in (_PLAIN, _QUICK):
            await self._ask_quick(batch, take, self._quick_of_past, stage)
        await self.ask_slow(batch, take)
        return chosen

    async def ask_plain(self, batch: Batch, hand: Hand) -> None:
        """Serve those subscribers whose filters are quick and plain, see `is_plain`; the others are `left`.

        Raises:
            OSError: the process that asks filters cannot be started.
        """
        await self._ask_quick(batch, hand, self._plain, _PLAIN)
        self._trial.latest = batch.packets[-1]

    async def ask_quick(self, batch: Batch, hand: Hand) -> None:
        """Serve those that are left and whose filters are quick.

        Raises:
            OSError: the process that asks filters cannot be started.
        """
        await self._ask_quick(batch, hand, self._quick, _QUICK)

    async def ask_slow(self, batch: Batch, hand: Hand) -> None:
        """Serve those subscribers that are left; bar their filters that take too long.

        Raises:
            OSError: the process that asks filters cannot be started.
        """
        for some in self._in_turn(batch.left):
            await self._ask_all(some, batch)
            held = batch.judgement.held
            decided = []
            for subscription, filters in some:
                answers = [held[each] for each in filters if each in held]
                # Whose filters were all barred just now has none left, and none lets everything pass.
                decided.append((subscription, any_of(answers) or bytes([YES]) * len(batch.packets)))
            await batch.hand(decided, hand)
            for subscription, _ in some:
                subscription.behind[_PLAIN] -= 1
                subscription.behind[_QUICK] -= 1
        batch.left = []

    def greediest(self, networks: Mapping[str, Sequence[Subscription]], now: float) -> str:
        """Give the network, of at least one, whose filters take the most processor time."""

        def takes(network: str) -> float:
            filters = {each for subscription in networks[network] for each in subscription.filters}
            return self.budget.recent(network, now) + self.costs.seconds(filters)

        return max(networks, key=takes)

    async def aclose(self) -> None:
        """End the processes."""
        try:
            for judge in (self._plain, self._quick, self._quick_of_past, self._new, self._slow):
                await judge.aclose()
        finally:
            await self._forker.aclose()

    async def _ask_quick(self, batch: Batch, hand: Hand, judge: Judge, stage: int) -> None:
        costs, judgement = self.costs, batch.judgement
        ranks = {filters: costs.rank(filters) for filters in {filters for _, filters in batch.left}}
        turn = deque(
            sorted(batch.left, key=lambda one: costs.last if one[0].behind[stage] else ranks[one[1]])
        )
        batch.left = []
        brought = dict.fromkeys(each for _, filters in turn for each in filters)
        asked = {
            each: None
            for each in brought
            if each not in judgement.held and costs.quick(each) and (stage == _QUICK or is_plain(each))
        }
        first = asked

        async def serve() -> None:
            """Serve those, in turn, whose filters have all been asked."""
            decided = []
            while turn:
                subscription, filters = turn[0]
                answers = [held for each in filters if (held := judgement.held.get(each)) is not None]
                which = any_of(answers)
                behind = subscription.behind
                if behind[stage] or (len(answers) < len(filters) and (not which or NO in which)):
                    if not behind[stage] and any(
                        each in asked and each not in judgement.held for each in filters
                    ):
                        break
                    behind[stage] += 1
                    batch.left.append(turn.popleft())
                else:
                    if stage == _QUICK:
                        behind[_PLAIN] -= 1
                    decided.append((subscription, which))
                    turn.popleft()
            await batch.hand(decided, hand)

        while asked:
            await judge.ask(Question(list(asked), batch.packets, limit(batch.packets)), judgement, serve)
            if judgement.costly is None:
                break
            await serve()  # those who had their answers before that
            self._suspect(judgement.costly[0], batch.whose)
            judgement.costly = None
            asked = {each: None for each in asked if each not in judgement.held and costs.quick(each)}
        costs.note({each: judgement.took[each] for each in first if each in judgement.held}, batch.packets)
        asked = {}
        await serve()

    def _suspect(self, expression: str, whose: Sequence[Filters]) -> None:
        """Take an expression that had to be ended for quick no more, nor what its owners alone have."""
        self.costs.ended(expression)
        networks = {network_of(one.connection.host) for one, has in whose if expression in has}
        suspected: set[str] = set()
        others: set[str] = set()
        for subscription, filters in whose:
            mine = network_of(subscription.connection.host) in networks
            (suspected if mine else others).update(filters)
        self.costs.suspect(suspected - others)

    def _in_turn(self, whose: Sequence[Filters]) -> list[list[Filters]]:
        """Part subscribers into those of proven networks, and then the others, network by network.

        Those who have brought little come before those who have brought much.
        """
        now = trio.current_time()
        proven: list[Filters] = []
        others: dict[str, list[Filters]] = {}
        for subscription, filters in whose:
            network = network_of(subscription.connection.host)
            part = proven if self.budget.proven(network, now) else others.setdefault(network, [])
            part.append((subscription, filters))
        return [part for part in (proven, *sorted(others.values(), key=_length)) if part]

    async def _ask_all(self, whose: Sequence[Filters], batch: Batch) -> None:
        """Ask each expression that a subscriber still has of each packet; bar those that take too long.

        One that several networks brought is asked on the account of the first.
        """
        packets, held = batch.packets, batch.judgement.held
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
                return
            now = trio.current_time()
            budgets = {
                network: self.budget.left(network, now) + free.setdefault(network, self.budget.free(packets))
                for network in accounts.values()
            }
            question = Question(list(accounts), packets, self.max_filter_time, accounts, budgets)
            judgement = await self._slow.ask(question)
            held.update(judgement.held)
            barred.update(judgement.unusable)
            self.costs.note({each: judgement.took[each] for each in judgement.held}, packets)
            for network, taken in judgement.taken.items():
                self.budget.charge(network, taken, free[network], now)
                free[network] = max(0.0, free[network] - taken)
            for each in judgement.unpaid:
                network = accounts[each]
                owners = [one for one, has in whose if each in has]
                self._penalties.take_away(
                    each, OVER_BUDGET, [one for one in owners if network_of(one.connection.host) == network]
                )
            if judgement.costly is not None:
                barred.add(judgement.costly[0])
                self._penalties.bar(
                    *judgement.costly, [one for one, has in whose if judgement.costly[0] in has]
                )


def _length(whose: Sequence[Filters]) -> int:
    return sum(len(each) for _, filters in whose for each in filters)
