"""How long to wait before a connection is tried again (VTP 2.0, section 7.4: geometrically)."""

from __future__ import annotations

from collections.abc import Callable

import attrs


@attrs.define(eq=False)
class BackOff:
    """Waits that grow by a factor up to a ceiling, spread at random so that clients do not return together.

    Attributes:
        first: the first wait, in seconds.
        factor: what each is multiplied by for the next.
        ceiling: the longest, in seconds.
        jitter: how far a wait may be off, as a part of it.
        random: gives a number from 0 to 1.
    """

    first: float
    factor: float
    ceiling: float
    jitter: float
    random: Callable[[], float]
    _next: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Begin with the first."""
        self._next = self.first

    def wait(self) -> float:
        """Give the next wait in seconds."""
        wait = min(self._next, self.ceiling)
        self._next = wait * self.factor
        return min(wait * (1 + self.jitter * (2 * self.random() - 1)), self.ceiling)

    def reset(self) -> None:
        """Begin with the first again."""
        self._next = self.first
