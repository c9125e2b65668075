"""What plugin code raises: told apart from what only passes through it, and put into words."""

from __future__ import annotations

import attrs
import trio

from voeflow._text import printable

#: What is none of a plugin's doing: its task is cancelled, or the process interrupted.
_PASSING = (trio.Cancelled, KeyboardInterrupt, GeneratorExit)

#: The greatest length of an exception's own words, in characters.
_MAX_WORDS = 300


@attrs.frozen
class Raised:
    """An exception of a plugin's, taken apart.

    Attributes:
        fault: the plugin's own part, whatever it derives from: a panic of an extension written in Rust, and
            asyncio's cancellation, are no `Exception`. None if there is none.
        passing: what has to be raised further, or None.
    """

    fault: BaseException | None
    passing: BaseException | None

    @classmethod
    def of(cls, error: BaseException) -> Raised:
        """Take apart what was raised, groups too."""
        if isinstance(error, BaseExceptionGroup):
            passing, fault = error.split(_PASSING)
            return cls(_single(fault), passing)
        return cls(None, error) if isinstance(error, _PASSING) else cls(error, None)


def describe(error: BaseException) -> str:
    """Give an exception in a few printable words; for a group, its leaves."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(describe(leaf) for leaf in error.exceptions)
    words = words_of(error)
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def words_of(value: object, limit: int = _MAX_WORDS) -> str:
    """Give `str(value)` as one bounded line of printable text; empty where a plugin's own code fails."""
    try:
        return printable(str(value), limit)
    except Exception:  # noqa: BLE001 - a plugin's __str__ may raise anything, and is called to tell of it
        return ""


def _single(error: BaseException | None) -> BaseException | None:
    """Give the one error inside nested groups of one; a group of several as it is."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
