"""Saying a thing now and then instead of every time, so that nobody outside can fill the log."""

from __future__ import annotations

from collections import OrderedDict

import attrs

#: How many things are remembered; an attacker with many addresses must not fill the memory either.
_MOST = 4096


@attrs.define(eq=False)
class Sparingly:
    """Decides whether something is to be said.

    Attributes:
        interval: the shortest time in seconds between two sayings of one thing.
    """

    interval: float
    _said: OrderedDict[str, tuple[float, int]] = attrs.field(factory=OrderedDict, init=False, repr=False)

    def due(self, thing: str, now: float) -> int | None:
        """Ask whether `thing` is to be said at `now`, in seconds of a clock that only goes forward.

        Returns:
            How many times it was left unsaid since the last saying, or None if it is to be left unsaid now.
        """
        last = self._said.get(thing)
        if last is not None and now - last[0] < self.interval:
            self._said[thing] = (last[0], last[1] + 1)
            return None
        self._said[thing] = (now, 0)
        self._said.move_to_end(thing)
        if len(self._said) > _MOST:
            self._said.popitem(last=False)
        return last[1] if last is not None else 0
