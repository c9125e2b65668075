"""Which events go into which digest: those of a stretch of time, in one mail when it is over.

Nothing here has to outlive the process: what is held back waits in the node's store, and is handed over again
when its time has come. After a restart it is then collected anew, for a moment, before it is told.
"""

from __future__ import annotations

import threading

import attrs

from ._ceiling import Digest, Hold, Told

#: How long is waited, after the end of a stretch of time, for what belongs to it: what came in its last
#: second, and after a restart all of it; in seconds.
GATHER = 20.0

#: How long a delivery is held back at once, at most, in seconds: what was told before its time, because there
#: was so much, is done with after this, and not told again if the node starts anew.
HELD_AT_ONCE = 3600.0

#: How long is waited after a digest could not be sent, in seconds; only one delivery is counted as failing.
_SENT_AGAIN = 60.0

#: How long a delivery waits whose digest is on its way at this moment, in seconds.
_MEANWHILE = 5.0

#: The most events that a digest may be asked to hold. A sink holds back 1000 deliveries and then takes no new
#: ones, and those of the last digest may be among them.
MOST = 400


@attrs.define
class _Held:
    entry: str
    at: float
    until: float


class Digests:
    """What is held back for digests. It has no clock and sends nothing; it may be asked from several threads.

    Args:
        period: how long a stretch of time is, in seconds; they begin at 1970-01-01, 00:00 UTC.
        most: how many events make a digest that is sent at once.
    """

    def __init__(self, period: float, most: int) -> None:
        self._period = period
        self._most = most
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}
        self._told: dict[str, None] = {}
        self._telling: frozenset[str] = frozenset()
        self._not_before = 0.0

    def ask(self, delivery: str, entry: str, received: float, now: float) -> Told | Hold | Digest:
        """Ask what to do with a delivery.

        Args:
            delivery: its id, the same whenever it is handed over again.
            entry: what a digest says of it.
            received: when the event came in, in seconds of Unix time.
            now: the time, likewise.

        Returns:
            That it was told; how long to hold it back; or a digest to send now, after which `told` or
            `untold` is to be said.
        """
        with self._lock:
            if delivery in self._told:
                del self._told[delivery]
                return Told()
            held = self._held.get(delivery)
            if held is None:
                end = (received // self._period + 1) * self._period
                held = self._held[delivery] = _Held(entry, received, max(end, now) + GATHER)
            if self._telling:
                return Hold(_MEANWHILE)
            if now < self._not_before:
                return Hold(self._not_before - now)
            if now < held.until and len(self._held) < self._most:
                return Hold(min(held.until - now, HELD_AT_ONCE))
            return self._digest(now)

    def told(self, digest: Digest) -> None:
        """Say that a digest went out: what is in it is done with when it is handed over again."""
        with self._lock:
            self._telling = frozenset()
            for delivery in digest.ids:
                self._held.pop(delivery, None)
                self._told[delivery] = None
            while len(self._told) > 10 * MOST:  # given up meanwhile, and never handed over again
                del self._told[next(iter(self._told))]

    def untold(self, now: float) -> None:
        """Say that a digest did not go out: another is made after a while."""
        with self._lock:
            self._telling = frozenset()
            self._not_before = now + _SENT_AGAIN

    def _digest(self, now: float) -> Digest:
        """Take together all whose time has come, or all there is where that is enough."""
        full = len(self._held) >= self._most
        taken = {id_: held for id_, held in self._held.items() if full or held.until <= now}
        self._telling = frozenset(taken)
        times = [held.at for held in taken.values()]
        in_order = sorted(taken, key=lambda id_: (taken[id_].at, id_))
        return Digest(tuple(in_order), [taken[id_].entry for id_ in in_order], min(times), max(times))
