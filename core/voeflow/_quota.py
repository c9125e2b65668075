"""How many lines a thing may have in the log, so that nobody outside can fill a disk with it."""

from __future__ import annotations

from collections import OrderedDict

#: How many things are remembered; one with many addresses must not fill the memory either.
_MOST = 4096


class _Spent:
    def __init__(self, since: float, lines: int = 0, unsaid: int = 0) -> None:
        self.since = since
        self.lines = lines
        self.unsaid = unsaid


class Quota:
    """So many lines a thing in each interval of its own, the first ones; the rest is counted.

    Attributes:
        lines: how many.
        interval: in seconds.
    """

    def __init__(self, lines: int, interval: float) -> None:
        self.lines = lines
        self.interval = interval
        self._spent: OrderedDict[str, _Spent] = OrderedDict()

    def ask(self, thing: str, now: float) -> int | None:
        """Ask for a line about `thing` at `now`, in seconds of a clock that only goes forward.

        Returns:
            How many were left unsaid since its last line, or None if this one is to be left unsaid.
        """
        spent = self._spent.get(thing)
        unsaid = 0
        if spent is None or now - spent.since >= self.interval:
            unsaid = spent.unsaid if spent is not None else 0
            spent = self._spent[thing] = _Spent(now)
            self._spent.move_to_end(thing)
            if len(self._spent) > _MOST:
                self._spent.popitem(last=False)
        if spent.lines >= self.lines:
            spent.unsaid += 1
            return None
        spent.lines += 1
        return unsaid
