"""How a broadcaster's events get to its subscribers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

import attrs
import structlog
import trio

import voeflow

from ._filtering import Filtering
from ._frames import frame
from ._judge import Judge
from ._options import utcnow
from ._subscription import Subscription
from ._test_event import test_event

log = structlog.get_logger()

#: How much is sent to everybody before anybody's flush may go on, in bytes. Smaller pieces cost more system
#: calls, larger ones ask more of the peers' buffers.
_PIECE = 2**18

#: How many subscribers are sent to before other tasks may run: some milliseconds' worth of system calls.
_AT_ONCE = 100

#: How many batches may wait for the filters to be asked, while subscribers without filters are served on.
_WAITING = 4


@attrs.frozen
class _Filtered:
    """A batch for the subscribers that have filters, as they were when it came.

    Attributes:
        deliveries: the events.
        whose: the subscribers, each with its filters.
    """

    deliveries: Sequence[voeflow.Delivery]
    whose: Sequence[tuple[Subscription, tuple[str, ...]]]


@attrs.define(eq=False)
class FanOut:
    """Takes events from the node and hands each to the subscribers it is for.

    Subscribers without filters are served first, and are not kept waiting by the filters of others.

    Attributes:
        node: the node.
        filtering: is told which filters to bar.
        max_filter_time: how much processor time one may take for a batch, in seconds.
        position: in the node's log, of the last event that was taken to be handed on.
        subscriptions: the subscribers; a dict for its order.
    """

    node: voeflow.Node
    filtering: Filtering
    max_filter_time: float
    position: int = attrs.field(init=False)
    subscriptions: dict[Subscription, None] = attrs.field(factory=dict, init=False)
    _judge: Judge = attrs.field(init=False)
    _judge_of_past: Judge = attrs.field(init=False)  # so that what is new does not wait for what is not

    def __attrs_post_init__(self) -> None:
        """Make the judges of filters."""
        self.position = self.node.position
        self._judge, self._judge_of_past = Judge(self.max_filter_time), Judge(self.max_filter_time)

    async def run(self) -> None:
        """Hand events on until cancelled.

        Raises:
            OSError: the process that asks filters cannot be started.
        """
        send, receive = trio.open_memory_channel[_Filtered](_WAITING)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._serve_filtered, receive)
            while True:
                deliveries = await self.node.take()
                # Without an await from here to the choice of whom they are for: see `CatchUp`.
                self.position = max(self.position, *(each.position for each in deliveries))
                present = [each for each in self.subscriptions if each.past is None]
                plain = [each for each in present if not each.filters]
                filtered = [(each, each.filters) for each in present if each.filters]
                await self._hand(deliveries, plain)
                if filtered:
                    await send.send(_Filtered(deliveries, filtered))
                else:
                    _done(deliveries)

    async def send_test_events(self, interval: float) -> None:
        """Send every subscriber a test event now and then, whatever its filters, as Comet does."""
        while True:
            await trio.sleep(interval)
            ivorn, packet = test_event(self.node.ivoid, utcnow())
            await self._send([ivorn], frame(packet), list(self.subscriptions))

    async def set_filters(self, subscription: Subscription, expressions: Sequence[str]) -> None:
        """Give a subscriber the filters that it brings, and no others, and tell what is left out."""
        host = subscription.connection.host
        left_out: list[tuple[str, str]] = []
        admitted: list[str] = []
        brought = self.filtering.sort(expressions, host, trio.current_time())
        for expression in brought.admitted:
            if subscription.strikes:
                left_out.append((expression, "came with one that takes too long"))
                continue
            try:
                judgement = await self._judge.ask([expression], [])
            except OSError as error:
                log.error("filters cannot be asked", transport=self.node.name, reason=str(error))
                subscription.drop("brought filters, and they cannot be asked")
                return
            if judgement.costly is not None:
                self._bar(*judgement.costly, [subscription])
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
                transport=self.node.name,
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
        batch = _Filtered(deliveries, [(subscription, subscription.filters)])
        ((which, _),) = (await self._sort(batch, self._judge_of_past)).items()
        return list(compress(deliveries, which))

    async def _serve_filtered(self, batches: trio.MemoryReceiveChannel[_Filtered]) -> None:
        try:
            async for batch in batches:
                for which, subscriptions in (await self._sort(batch, self._judge)).items():
                    await self._hand(list(compress(batch.deliveries, which)), subscriptions)
                _done(batch.deliveries)
        finally:
            try:
                await self._judge.aclose()
            finally:
                await self._judge_of_past.aclose()

    async def _sort(self, batch: _Filtered, judge: Judge) -> dict[tuple[bool, ...], list[Subscription]]:
        """Sort a batch's subscribers by the events that they are to have."""
        packets = [delivery.event.raw for delivery in batch.deliveries]
        held = await self._ask(batch, packets, judge)
        groups: dict[tuple[bool, ...], list[Subscription]] = {}
        for subscription, filters in batch.whose:
            answers = [held[each] for each in filters if each in held]
            # Whose filters were all barred just now has none left, and none lets everything pass.
            which = tuple(map(any, zip(*answers, strict=True))) or (True,) * len(packets)
            groups.setdefault(which, []).append(subscription)
        return groups

    async def _ask(self, batch: _Filtered, packets: Sequence[bytes], judge: Judge) -> dict[str, list[bool]]:
        """Ask each expression that a subscriber still has of each packet; bar those that take too long."""
        held: dict[str, list[bool]] = {}
        barred: set[str] = set()
        while True:
            wanted = {
                each: None for whose, filters in batch.whose if not whose.machine.over for each in filters
            }
            left = [each for each in wanted if each not in held and each not in barred]
            if not left:
                return held
            judgement = await judge.ask(left, packets)
            held.update(judgement.held)
            barred.update(judgement.unusable)
            if judgement.costly is not None:
                barred.add(judgement.costly[0])
                self._bar(
                    *judgement.costly, [whose for whose, has in batch.whose if judgement.costly[0] in has]
                )

    def _bar(self, expression: str, reason: str, owners: Sequence[Subscription]) -> None:
        """Take an expression away from those who brought it; who brings two such is dropped."""
        self.filtering.bar(expression, reason, [each.connection.host for each in owners], trio.current_time())
        for subscription in owners:
            subscription.filters = tuple(each for each in subscription.filters if each != expression)
            self._tell_left_out(subscription, expression, reason)
            subscription.strikes += 1
            if subscription.strikes > 1:
                subscription.drop("brought filters that take too long")

    def _tell_left_out(self, subscription: Subscription, expression: str, reason: str) -> None:
        log.warning(
            "filter left out",
            transport=self.node.name,
            peer=subscription.connection.peer,
            filter=voeflow.printable(expression),
            reason=voeflow.printable(reason),
        )

    async def _hand(
        self, deliveries: Sequence[voeflow.Delivery], subscriptions: Sequence[Subscription]
    ) -> None:
        """Hand events to subscribers in pieces, each one buffer for all of them."""
        if not subscriptions:
            return
        ivorns: list[str] = []
        frames: list[bytes] = []
        size = 0
        for delivery in deliveries:
            ivorns.append(delivery.event.ivorn)
            frames.append(frame(delivery.event.raw))
            size += len(frames[-1])
            if size >= _PIECE:
                await self._send(ivorns, b"".join(frames), subscriptions)
                ivorns, frames, size = [], [], 0
        if frames:
            await self._send(ivorns, b"".join(frames), subscriptions)

    async def _send(self, ivorns: list[str], piece: bytes, subscriptions: Sequence[Subscription]) -> None:
        for number, subscription in enumerate(subscriptions, 1):
            if subscription.past is None:  # else it has begun to be given the past, and this is in there
                subscription.hand(piece, ivorns)
            if number % _AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()


def _done(deliveries: Sequence[voeflow.Delivery]) -> None:
    for delivery in deliveries:
        delivery.done()
