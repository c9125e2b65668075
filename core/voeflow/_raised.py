"""What plugin code raises: told apart from what only passes through it, and put into words."""

from __future__ import annotations

import importlib
import traceback
from pathlib import Path

import attrs
import trio

from voeflow._text import printable

#: What is none of a plugin's doing: its task is cancelled, or the process interrupted.
_PASSING = (trio.Cancelled, KeyboardInterrupt, GeneratorExit)

#: What a mistake in a program raises: its words alone seldom say where to look.
_BUGS = (ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError, TypeError)

#: Where the code lies that calls plugins: ours, trio's, that of outcome, which trio brings along, and what
#: imports them.
_TRIO = Path(trio.__file__).parent
_IMPORTLIB = Path(importlib.__file__).parent
_NOT_THEIRS = tuple(
    str(each) for each in (Path(__file__).parent, _TRIO, _TRIO.with_name("outcome"), _IMPORTLIB, "<")
)

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
    text = f"{type(error).__name__}: {words}" if words else type(error).__name__
    return text + _place_of(error)


def _place_of(error: BaseException) -> str:
    """Say where in the plugin a mistake lies; what speaks for itself, as an OSError does, needs no place."""
    if not isinstance(error, _BUGS):
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    called = [frame for frame in frames if not frame.filename.startswith(_NOT_THEIRS)]
    # What it calls may fail deep inside a library: its author knows the last line of the plugin's own.
    own = [frame for frame in called if _of_one_author(frame.filename, called[0].filename)]
    return f" ({printable(Path(own[-1].filename).name, 100)}:{own[-1].lineno})" if own else ""


def _of_one_author(one: str, other: str) -> bool:
    """Whether two files are the same, or lie in one package."""
    package = Path(other).parent
    return one == other or (Path(one).is_relative_to(package) and (package / "__init__.py").exists())


def words_of(value: object, limit: int = _MAX_WORDS) -> str:
    """Give `str(value)` as one bounded line of printable text; empty where a plugin's own code fails."""
    try:
        return printable(str(value), limit)
    except BaseException as error:  # a plugin's __str__ may raise anything, and is called to tell of it
        if isinstance(error, _PASSING):
            raise
        return ""


def _single(error: BaseException | None) -> BaseException | None:
    """Give the one error inside nested groups of one; a group of several as it is."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
