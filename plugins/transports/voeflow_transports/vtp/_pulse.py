"""Asking subscribers, by the interval, whether they live (VTP 2.0, section 5)."""

from __future__ import annotations

from collections import OrderedDict

import trio

from ._subscription import Subscription

#: How many are asked before other tasks may run.
_AT_ONCE = 100


class Pulse:
    """Keeps the subscribers in the order in which they are to be asked next.

    All have the same interval, so whoever was asked goes to the end.

    Attributes:
        interval: in seconds.
    """

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self._order: OrderedDict[Subscription, None] = OrderedDict()

    def add(self, subscription: Subscription) -> None:
        """Ask one, first when the interval is over."""
        self._order[subscription] = None

    def remove(self, subscription: Subscription) -> None:
        """Ask one no more."""
        self._order.pop(subscription, None)

    async def run(self) -> None:
        """Ask until cancelled."""
        asked = 0
        while True:
            first = next(iter(self._order), None)
            now = trio.current_time()
            if first is None:
                await trio.sleep(self.interval)
            elif first.machine.over:
                self.remove(first)
            elif now < first.machine.deadline:
                await trio.sleep_until(first.machine.deadline)
            else:
                self._order.move_to_end(first)
                first.tick(now)
                asked += 1
                if asked % _AT_ONCE == 0:
                    await trio.lowlevel.checkpoint()
