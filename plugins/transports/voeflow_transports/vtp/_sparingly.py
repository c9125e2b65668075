"""Saying a thing now and then instead of every time, so that nobody outside can fill the log."""

from __future__ import annotations

from collections import OrderedDict

#: How many things are remembered; an attacker with many addresses must not fill the memory either.
_MOST = 4096


class Sparingly:
    """Decides whether something is to be said.

    Attributes:
        interval: in seconds, from the first saying of a thing.
        most: how many sayings of it there may be within that.
    """

    def __init__(self, interval: float, most: int = 1) -> None:
        self.interval = interval
        self.most = most
        self._said: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def due(self, thing: str, now: float) -> int | None:
        """Ask whether `thing` is to be said at `now`, in seconds of a clock that only goes forward.

        Returns:
            How many times it was left unsaid in the last interval, or None if it is to be left unsaid now.
        """
        last = self._said.get(thing)
        if last is not None and now - last[0] < self.interval:
            since, asked = last
            self._said[thing] = (since, asked + 1)
            return 0 if asked < self.most else None
        self._said[thing] = (now, 1)
        self._said.move_to_end(thing)
        if len(self._said) > _MOST:
            self._said.popitem(last=False)
        return max(0, last[1] - self.most) if last is not None else 0
