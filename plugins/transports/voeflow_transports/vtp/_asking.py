"""Which events subscribers' filters let pass, and what becomes of filters that take too long."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import attrs
import structlog
import trio

import voeflow

from ._budget import Budget
from ._costs import Costs, limit
from ._crowd import network_of
from ._filtering import Filtering
from ._forker import Forker
from ._judge import Judge, Judgement, Question
from ._plain import is_plain
from ._subscription import Subscription

log = structlog.get_logger()

_OVER_BUDGET = "takes too long, with the others of its address"

#: How much nicer to others on the machine the process is that asks what is not quick.
_NICE = 10

#: How many of the filters that a subscriber brings may have to be ended when they are tried, before the rest
#: is not looked at. At the second that is barred it is dropped.
_MOST_ENDED = 2

#: The longest event that new filters are tried on, in bytes.
_LONGEST_SAMPLE = 2**16

_YES, _NO = b"10"

#: The places in `Subscription.behind`, of what is asked first and second.
_PLAIN, _QUICK = 0, 1

#: A subscriber, with its filters as they were when a batch came.
Filters = tuple[Subscription, tuple[str, ...]]

#: Is given some of a batch's events, and subscribers that are to have these.
Hand = Callable[[list[voeflow.Delivery], list[Subscription]], Awaitable[None]]


@attrs.define(eq=False)
class Batch:
    """Events for subscribers that have filters.

    Attributes:
        deliveries: the events, at least one.
        whose: the subscribers, those who were here first before others, with their filters.
        since: when it came.
        left: those of `whose` that have not been served yet.
    """

    deliveries: Sequence[voeflow.Delivery]
    whose: Sequence[Filters]
    since: float = 0.0
    left: list[Filters] = attrs.field(factory=list, init=False)
    packets: list[bytes] = attrs.field(init=False)
    judgement: Judgement = attrs.field(factory=Judgement, init=False)

    def __attrs_post_init__(self) -> None:
        """Look up the packets."""
        self.left = list(self.whose)
        self.packets = [each.event.raw for each in self.deliveries]

    async def hand(self, decided: Iterable[tuple[Subscription, bytes]], hand: Hand) -> None:
        """Hand to each subscriber the events that its filters let pass, to all with the same at once."""
        groups: dict[bytes, list[Subscription]] = {}
        for subscription, which in decided:
            groups.setdefault(which, []).append(subscription)
        for which, subscriptions in groups.items():
            passed = [each for each, digit in zip(self.deliveries, which, strict=True) if digit == _YES]
            await hand(passed, subscriptions)


@attrs.define(eq=False)
class Asking:
    """Takes the filters that subscribers bring, and asks them.

    A new one is tried on a sample. What is known to be quick is asked in one process if it is plain, and in
    another if it is not, and ended there as soon as it takes much longer than that; what is not quick is
    asked in a third, with all the time that one may have. So who has plain filters waits for nobody's, and
    what one expression can delay those who have others that are quick is what it takes to end it.

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
    _latest: bytes = attrs.field(default=b"", init=False)

    def __attrs_post_init__(self) -> None:
        """Make the budget, and the judges of filters."""
        self.budget = Budget(self.max_filter_time)
        self._plain, self._quick, self._quick_of_past, self._new = (Judge(self._forker) for _ in range(4))
        self._slow = Judge(self._forker, _NICE)

    async def set_filters(self, subscription: Subscription, expressions: Sequence[str]) -> None:
        """Give a subscriber the filters that it brings, and no others, and tell what is left out."""
        brought = self.filtering.sort(expressions, subscription.connection.host, trio.current_time())
        try:
            left_out = await self._try_out(subscription, brought.admitted)
        except OSError as error:
            log.error("filters cannot be asked", transport=self.name, reason=str(error))
            subscription.drop("brought filters, and they cannot be asked")
            return
        admitted = [
            each for each in brought.admitted if each not in left_out and each not in subscription.lost
        ]
        subscription.filters = tuple(admitted)
        for expression, reason in (*left_out.items(), *brought.left_out):
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
        self._latest = batch.packets[-1]

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
                decided.append((subscription, _any(answers) or bytes([_YES]) * len(batch.packets)))
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

    async def _try_out(self, subscription: Subscription, expressions: Sequence[str]) -> dict[str, str]:
        """Try filters that nobody has brought before; give those that cannot be used, and why."""
        network = network_of(subscription.connection.host)
        samples = [_sample(), *([self._latest] if 0 < len(self._latest) <= _LONGEST_SAMPLE else [])]
        left = [each for each in expressions if not self.costs.known(each)]
        judgement = Judgement()
        ended: list[str] = []
        while left and len(ended) < _MOST_ENDED:
            await self._new.ask(Question(left, samples, limit(samples)), judgement)
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
        judgement = await self._slow.ask(question)
        self._charge(network, judgement, free, now)
        if judgement.costly is not None:
            self._bar(*judgement.costly, [subscription])
        elif judgement.unpaid:
            self._take_away(expression, _OVER_BUDGET, [subscription])
        elif judgement.unusable:
            left_out.update(judgement.unusable)
        else:
            self.costs.note(judgement.took, samples)

    def _charge(self, network: str, judgement: Judgement, free: float, now: float) -> None:
        if (taken := sum(judgement.took.values())) > free:
            self.budget.charge(network, taken, free, now)

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
                which = _any(answers)
                behind = subscription.behind
                if behind[stage] or (len(answers) < len(filters) and (not which or _NO in which)):
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


def _any(answers: Sequence[bytes]) -> bytes:
    """Give for each packet whether any of some filters holds; nothing if there are none."""
    if len(answers) < 2:
        return answers[0] if answers else b""
    return bytes(map(max, zip(*answers, strict=True)))


def _length(whose: Sequence[Filters]) -> int:
    return sum(len(each) for _, filters in whose for each in filters)


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
