"""A filter's answer that says why."""

from __future__ import annotations

import attrs


@attrs.frozen
class Verdict:
    """A filter's answer with its reason in words.

    A filter may return one instead of a bool; `voeflow test`, the log and the store then show the reason.

    Attributes:
        holds: whether the filter holds for the event.
        reason: why, in a few words: `altitude 62 deg above 30 deg until 03:12 UTC`.
    """

    holds: bool
    reason: str = ""

    def __bool__(self) -> bool:
        return self.holds
