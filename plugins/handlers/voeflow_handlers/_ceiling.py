"""How many mails go out in an hour, and what becomes of the rest: held back, then told in one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TypeAlias

import attrs

#: The time that a ceiling is for, in seconds.
WINDOW = 3600.0

#: How many held deliveries are known by their ids, and how many of those with a line each. One beyond is
#: asked about as if it were new once the window is over.
HELD_MAX, LINES_MAX = 10_000, 1000

#: How long a delivery waits whose digest is on its way at this moment, in seconds.
_MEANWHILE = 5.0


@attrs.frozen
class Go:
    """Send it. Say `unsent` if that failed."""


@attrs.frozen
class Told:
    """It was in a digest: there is nothing to send."""


@attrs.frozen
class Hold:
    """Not now: ask again in `seconds`."""

    seconds: float


@attrs.frozen
class Digest:
    """Send one mail for all of these, then say `told`, or `untold` if that failed.

    Attributes:
        ids: the deliveries.
        lines: a line for each of the first `LINES_MAX`.
        since: when the first was held back, in seconds of Unix time.
        until: when the last was, likewise.
    """

    ids: Sequence[str]
    lines: Sequence[str]
    since: float
    until: float


Answer: TypeAlias = Go | Told | Hold | Digest


@attrs.define
class _Held:
    line: str
    at: float
    until: float
    telling: bool = False


class Ceiling:
    """At most so many mails in an hour, counted from the first; the rest is held back for one digest.

    It has no clock and sends nothing: time is an argument, and answers are to be acted upon. It may be asked
    from several threads at once. It remembers nothing across a restart: what was held is then new.

    Args:
        limit: how many; 0 is no ceiling.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._begun = 0.0
        self._sent = 0
        self._held: dict[str, _Held] = {}
        self._told: dict[str, None] = {}

    def ask(self, delivery: str, line: str, now: float) -> Answer:
        """Ask what to do with a delivery.

        Args:
            delivery: its id, the same whenever it is handed over again.
            line: what a digest says of it.
            now: seconds of Unix time.
        """
        if not self._limit:
            return Go()
        with self._lock:
            if delivery in self._told:
                del self._told[delivery]
                return Told()
            if (held := self._held.get(delivery)) is not None:
                if held.telling:
                    return Hold(_MEANWHILE)
                if 0 < held.until - now <= WINDOW:
                    return Hold(held.until - now)
                return self._digest(held.until)
            if not 0 <= now - self._begun < WINDOW:  # over, or the clock was set back
                self._begun, self._sent = now, 0
            if self._sent < self._limit:
                self._sent += 1
                return Go()
            until = self._begun + WINDOW
            if len(self._held) < HELD_MAX:
                self._held[delivery] = _Held(line if len(self._held) < LINES_MAX else "", now, until)
            return Hold(until - now)

    def unsent(self) -> None:
        """Say that a mail did not go out, so that it does not count."""
        with self._lock:
            self._sent = max(0, self._sent - 1)

    def told(self, digest: Digest) -> None:
        """Say that a digest went out: what is in it is done with when it is handed over again."""
        with self._lock:
            for delivery in digest.ids:
                self._held.pop(delivery, None)
                self._told[delivery] = None
            while len(self._told) > 2 * HELD_MAX:  # given up meanwhile, and never handed over again
                del self._told[next(iter(self._told))]

    def untold(self, digest: Digest) -> None:
        """Say that a digest did not go out: the next that is handed over tries again."""
        with self._lock:
            for delivery in digest.ids:
                if delivery in self._held:
                    self._held[delivery].telling = False

    def _digest(self, until: float) -> Digest:
        """Take together what was held back up to the end of a window, and has not been told."""
        of_old = {id_: held for id_, held in self._held.items() if held.until <= until and not held.telling}
        for held in of_old.values():
            held.telling = True
        times = [held.at for held in of_old.values()]
        return Digest(
            tuple(of_old), [held.line for held in of_old.values() if held.line], min(times), max(times)
        )
