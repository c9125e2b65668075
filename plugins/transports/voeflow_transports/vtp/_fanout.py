"""How a broadcaster's events get to its subscribers."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import trio

import voeflow

from ._crowd import network_of
from ._filtering import Filtering
from ._frames import frame
from ._options import utcnow
from ._subscription import Subscription

if TYPE_CHECKING:
    from ._asking import Asking
    from ._batch import Batch, Filters, Hand

#: How much is sent to everybody before anybody's flush may go on, in bytes. Smaller pieces cost more system
#: calls, larger ones ask more of the peers' buffers.
_PIECE = 2**18

#: How many subscribers are sent to before other tasks may run: some milliseconds' worth of system calls.
_AT_ONCE = 100

#: How long a batch may wait for the filters to be asked, in seconds, and how many events may. Above the first
#: the network that has taken the most processor time of late goes, if that is more than `_GREEDY` seconds;
#: above the second in any case: the node lets 1024 events be open at once, and waits when there are more.
_MOST_WAIT, _MOST_WAITING, _GREEDY = 2.0, 512, 1.0

#: How long it takes to see whether that has helped, in seconds.
_PAUSE = 1.0


class FanOut:
    """Takes events from the node and hands each to the subscribers it is for.

    Subscribers without filters are served first, and are not kept waiting by the filters of others; nor are
    those whose filters are plain, or quick, by those whose filters are not, see `Asking`. The latter can be
    kept waiting by each other for as long as `Budget` allows.

    Attributes:
        node: the node.
        filtering: says which filters may be asked at all.
        max_filter_time: how much processor time one may take for a batch of events, in seconds.
        position: in the node's log, of the last event that was taken to be handed on.
        subscriptions: the subscribers; a dict for its order.
    """

    def __init__(self, node: voeflow.Node, filtering: Filtering, max_filter_time: float) -> None:
        self.node = node
        self.filtering = filtering
        self.max_filter_time = max_filter_time
        self.subscriptions: dict[Subscription, None] = {}
        self._asking: Asking | None = None
        self._waiting: dict[Batch, None] = {}  # and those that are being served
        self._relieved = -math.inf
        self.position = self.node.position

    @property
    def asking(self) -> Asking:
        """Asks subscribers' filters; imported when the first subscriber brings one."""
        if self._asking is None:
            from ._asking import Asking

            self._asking = Asking(self.node.name, self.filtering, self.max_filter_time)
        return self._asking

    async def run(self) -> None:
        """Hand events on until cancelled.

        Raises:
            OSError: the process that asks filters cannot be started.
        """
        to_plain, plain_ones = trio.open_memory_channel["Batch"](math.inf)
        to_quick, quick_ones = trio.open_memory_channel["Batch"](math.inf)
        to_slow, slow_ones = trio.open_memory_channel["Batch"](math.inf)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(
                    self._serve, plain_ones, lambda *each: self.asking.ask_plain(*each), to_quick
                )
                nursery.start_soon(
                    self._serve, quick_ones, lambda *each: self.asking.ask_quick(*each), to_slow
                )
                nursery.start_soon(self._serve, slow_ones, lambda *each: self.asking.ask_slow(*each))
                while True:
                    deliveries = await self.node.take()
                    # Without an await from here to the choice of whom they are for: see `CatchUp`.
                    self.position = max(self.position, *(each.position for each in deliveries))
                    present = [each for each in self.subscriptions if each.past is None]
                    plain = [each for each in present if not each.filters]
                    filtered = [(each, each.filters) for each in present if each.filters]
                    await self._hand(deliveries, plain)
                    if not filtered:
                        _done(deliveries)
                        continue
                    for batch in _batches(deliveries, filtered):
                        self._waiting[batch] = None
                        to_plain.send_nowait(batch)
                    self._relieve(trio.current_time())
        finally:
            if self._asking is not None:
                await self._asking.aclose()

    async def send_test_events(self, interval: float) -> None:
        """Send every subscriber a test event now and then, whatever its filters, as Comet does."""
        while True:
            await trio.sleep(interval)
            from ._test_event import test_event  # when it is time, since what composes comes with it

            ivorn, packet = test_event(self.node.ivoid, utcnow())
            await self._send([ivorn], frame(packet), list(self.subscriptions))

    async def _serve(
        self,
        batches: trio.MemoryReceiveChannel[Batch],
        ask: Callable[[Batch, Hand], Awaitable[None]],
        later: trio.MemorySendChannel[Batch] | None = None,
    ) -> None:
        async for batch in batches:
            await ask(batch, self._hand)
            if batch.left and later is not None:
                later.send_nowait(batch)
            else:
                self._end(batch)

    def _end(self, batch: Batch) -> None:
        del self._waiting[batch]
        _done(batch.deliveries)

    def _relieve(self, now: float) -> None:
        """Drop whose filters take the most where too much waits for filters."""
        oldest = next(iter(self._waiting)).since
        many = sum(len(batch.deliveries) for batch in self._waiting) > _MOST_WAITING
        if (not many and now - oldest <= _MOST_WAIT) or now - self._relieved < _PAUSE:
            return
        filtered: dict[str, list[Subscription]] = {}
        for subscription in self.subscriptions:
            if subscription.filters and not subscription.machine.over:
                filtered.setdefault(network_of(subscription.connection.host), []).append(subscription)
        if not filtered:
            return
        network = self.asking.greediest(filtered, now)
        if many or self.asking.budget.recent(network, now) > _GREEDY:
            self._relieved = now
            for subscription in filtered[network]:
                subscription.drop("has filters that take too long for as many events as come")

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


def _batches(deliveries: Sequence[voeflow.Delivery], filtered: Sequence[Filters]) -> Iterator[Batch]:
    from ._batch import Batch, parts  # for who has filters alone

    now = trio.current_time()
    return (Batch(some, filtered, now) for some in parts(deliveries))
