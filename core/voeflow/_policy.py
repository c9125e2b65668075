"""What a sink wants, and what becomes of its failures."""

from __future__ import annotations

import random

import attrs

from voeflow._when import When

#: Waits between tries double up to this, in seconds.
MAX_RETRY_WAIT = 3600.0


@attrs.frozen(eq=False, repr=False)
class Policy:
    """What a sink wants, and what becomes of its failures.

    Attributes:
        when: which events it wants.
        sources: the transports whose events it wants, or None for all.
        retries: how often a failed delivery is tried again before it is given up, or None for no limit.
        retry_wait: the first wait before that, in seconds; it doubles each time, with jitter.
        give_up_after: how long after its first failure a delivery is given up, in seconds, or None for no
            limit. The last try is made when this time is over.
    """

    when: When
    sources: frozenset[str] | None
    retries: int | None
    retry_wait: float
    give_up_after: float | None = None

    def gives_up(self, failures: int, since: float, now: float) -> bool:
        """Whether a delivery that has failed so often, for the first time at `since`, is given up."""
        return (self.retries is not None and failures > self.retries) or (
            self.give_up_after is not None and now - since >= self.give_up_after
        )

    def wait(self, failures: int, since: float, now: float) -> float:
        """Give how long to wait before the next try, in seconds."""
        doublings = min(failures - 1, 60)  # beyond any wait, and within the range of a float
        wait = min(self.retry_wait * 2.0**doublings, MAX_RETRY_WAIT) * random.uniform(0.8, 1.2)
        return wait if self.give_up_after is None else min(wait, max(0.0, since + self.give_up_after - now))
