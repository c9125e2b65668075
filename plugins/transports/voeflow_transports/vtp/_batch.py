"""Events on their way to subscribers that have filters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

import attrs

import voeflow

from ._costs import allowance
from ._judge import Judgement
from ._subscription import Subscription

#: What a judge says of a packet for which an expression holds, and of another.
YES, NO = b"10"

#: How many events are asked about together: so many that a quick filter may take this long, in seconds.
_PART = 0.01

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
            passed = [each for each, digit in zip(self.deliveries, which, strict=True) if digit == YES]
            await hand(passed, subscriptions)


def any_of(answers: Sequence[bytes]) -> bytes:
    """Give for each packet whether any of some filters holds; nothing if there are none."""
    if len(answers) < 2:
        return answers[0] if answers else b""
    return bytes(map(max, zip(*answers, strict=True)))


def parts(deliveries: Sequence[voeflow.Delivery]) -> Iterator[list[voeflow.Delivery]]:
    """Part a batch so that none keeps others waiting for long, see `limit`; where it is small, not at all."""
    part: list[voeflow.Delivery] = []
    packets: list[bytes] = []
    for delivery in deliveries:
        part.append(delivery)
        packets.append(delivery.event.raw)
        if allowance(packets) > _PART:
            yield part
            part, packets = [], []
    if part:
        yield part
