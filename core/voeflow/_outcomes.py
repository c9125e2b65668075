"""What becomes of one sink's deliveries: made, put off, tried again or given up, and who is to hear of it."""

from __future__ import annotations

import math
from collections.abc import Iterable

import attrs
import structlog
import trio

from voeflow import _wall
from voeflow._answers import Envelope
from voeflow._errors import GiveUp, Later
from voeflow._feed import Feed
from voeflow._ledger import Ledger
from voeflow._node_api import Ending
from voeflow._observers import Observers
from voeflow._policy import Policy
from voeflow._quantities import show_seconds
from voeflow._store_records import Delivered, Waiting

log = structlog.get_logger()

#: By how much the machine's clock must have been put back at once for it to count, in seconds.
CLOCK_STEP = 1.0


class Outcomes:
    """Writes each ending in the ledger, plans the next try, and wakes whoever waits for that.

    Args:
        name: the name of the sink's table.
        ledger: of what the sink has still to do.
        feed: of what is new for it; whoever waits there for room goes on when there is some.
        observers: the plugins that watch.
    """

    def __init__(self, name: str, ledger: Ledger, feed: Feed, observers: Observers) -> None:
        self._name = name
        self._ledger = ledger
        self._feed = feed
        self._observers = observers
        self._ahead = -math.inf  # of trio's clock, the machine's, at the last look
        self._rested = trio.lowlevel.ParkingLot()  # of those who wait until the sink is idle
        self._log = log.bind(sink=name)  # to find out each time that a line is not wanted takes longer

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do now; what waits to be tried again, until it is, does not count."""
        return self._feed.empty and not self._ledger.open_count

    async def wait_idle(self) -> None:
        """Wait until there is nothing to do now."""
        while not self.idle:
            await self._rested.park()

    def rest(self) -> None:
        """Where there is nothing to do now, let those know who wait for that."""
        if self._rested and self.idle:
            self._rested.unpark_all()

    def next_due(self) -> float | None:
        """Give when the next waiting delivery is due, in seconds since 1970, or None; heeds the clock."""
        due = self._ledger.next_due
        if due is None:
            return None
        self._heed_clock()
        return self._ledger.next_due

    def ended(self, envelope: Envelope, row: Waiting | None, ending: Ending, policy: Policy) -> None:
        """Heed what has been said of a delivery.

        Args:
            envelope: the event.
            row: what waited, if it was tried or asked for before.
            ending: what has been said.
            policy: says how a failure goes on.
        """
        if ending is None:
            self._delivered(envelope, 1 if row is None else row.attempts + 1)
            return
        row = row or Waiting(envelope.seq)
        if isinstance(ending, Later):
            self._heed_clock()
            log.info("delivery put off", sink=self._name, ivorn=envelope.event.ivorn, reason=str(ending))
            # At least 1, or the filters would be asked again whether they want what they wanted before.
            attempts = max(1, row.attempts)
            due = _wall.now() + ending.seconds
            self._ledger.postpone(attrs.evolve(row, attempts=attempts, due=due, reason=ending.reason))
            self._wake()
        else:
            hopeless = isinstance(ending, GiveUp)
            reason = ending.reason if isinstance(ending, GiveUp) else ending
            failed = attrs.evolve(row, attempts=row.attempts + 1, reason=reason)
            self.failed(envelope, failed, failed.failures, policy, hopeless=hopeless)

    def failed(
        self, envelope: Envelope, row: Waiting, tries: int, policy: Policy, *, hopeless: bool = False
    ) -> bool:
        """Plan the next try, or give up; whether it is given up.

        Args:
            envelope: the event.
            row: what waits or is given up, but for the time.
            tries: how often the sink, or its filters, have failed.
            policy: says how long to wait, and when to give up.
            hopeless: whether another try cannot end better.
        """
        self._heed_clock()
        now = _wall.now()
        since = row.since if row.since is not None else now
        dead = hopeless or policy.gives_up(tries, since, now)
        attempt = row.attempts or tries
        facts = {"sink": self._name, "ivorn": envelope.event.ivorn, "attempt": attempt, "reason": row.reason}
        if dead:
            log.error("delivery given up", **facts)
            self._ledger.bury(attrs.evolve(row, due=now, since=since, dead=True))
        else:
            wait = policy.wait(tries, since, now)
            log.warning("delivery failed", **facts, again_in=show_seconds(wait))
            self._ledger.postpone(attrs.evolve(row, due=now + wait, since=since))
        self._wake()
        self._observers.tell(
            "delivery_failed",
            event=envelope.event,
            sink=self._name,
            reason=row.reason,
            attempt=attempt,
            dead=dead,
        )
        return dead

    def put_back(self, rows: Iterable[Waiting], due: float) -> None:
        """Let deliveries that came to no try wait until `due`; that counts as no failure."""
        for row in rows:
            self._ledger.postpone(attrs.evolve(row, due=due))
        self._wake()

    def settle(self, seq: int, delivered: Delivered | None = None) -> None:
        """Close a delivery for good, and wake whoever waits for room or for rest."""
        had_room = self._ledger.has_room
        self._ledger.settle(seq, delivered)
        if not had_room:
            self._feed.changed.unpark_all()
        self.rest()

    def _delivered(self, envelope: Envelope, attempts: int) -> None:
        self.settle(envelope.seq, Delivered(envelope.seq, _wall.now(), attempts))
        self._log.debug("delivered", ivorn=envelope.event.ivorn)
        self._observers.tell("event_delivered", event=envelope.event, sink=self._name)

    def _heed_clock(self) -> None:
        """Where the machine's clock was put back since the last look, hasten what waits by that."""
        ahead = _wall.now() - trio.current_time()
        if self._ahead - ahead > CLOCK_STEP:
            self._ledger.hasten(self._ahead - ahead)
        self._ahead = ahead

    def _wake(self) -> None:
        """Let all who wait look again."""
        self._feed.changed.unpark_all()
        self.rest()
