"""What becomes of filters that take too long, and of those who brought them."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import structlog
import trio

import voeflow

from ._filtering import Filtering
from ._subscription import Subscription

log = structlog.get_logger()

#: Why a filter was taken away for which its network had too little time left.
OVER_BUDGET = "takes too long, with the others of its address"


@attrs.frozen(eq=False)
class Penalties:
    """Takes filters away, and drops those who bring two that have to be.

    Attributes:
        name: the transport's table, for the log.
        filtering: remembers what is barred, and whose.
    """

    name: str
    filtering: Filtering

    def bar(self, expression: str, reason: str, owners: Sequence[Subscription]) -> None:
        """Admit an expression no more, and take it away from those who brought it."""
        self.filtering.bar(expression, reason, [], trio.current_time())
        self.take_away(expression, reason, owners)

    def take_away(self, expression: str, reason: str, owners: Sequence[Subscription]) -> None:
        """Take an expression away from those who brought it; who brings two such is dropped."""
        self.filtering.punish([each.connection.host for each in owners], trio.current_time())
        for subscription in owners:
            if subscription.machine.over:
                continue
            subscription.filters = tuple(each for each in subscription.filters if each != expression)
            self.tell_left_out(subscription, expression, reason)
            subscription.lost |= {expression}
            if len(subscription.lost) > 1:
                subscription.drop("brought filters that take too long")

    def tell_left_out(self, subscription: Subscription, expression: str, reason: str) -> None:
        """Tell the log of a filter that is not asked, or no more."""
        log.warning(
            "filter left out",
            transport=self.name,
            peer=subscription.connection.peer,
            filter=voeflow.printable(expression),
            reason=voeflow.printable(reason),
        )
