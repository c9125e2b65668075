"""Telling XPath expressions that cannot take long from those that might."""

from __future__ import annotations

import functools
import re

_LITERAL = re.compile(r"\"[^\"]*\"|'[^']*'")
_PREDICATE = re.compile(r"\[([^\[\]]*)\]")
_CHAINED = re.compile(r"([\w.-]+|[*\])])\s*(?=//)")

#: What stands before the `//` that begins a path.
_OPERATORS = frozenset({"and", "or", "div", "mod"})

#: How many answers are remembered: more than subscribers can bring filters.
_MOST = 100_000


@functools.lru_cache(maxsize=_MOST)
def is_plain(expression: str) -> bool:
    """Say whether an expression takes time in proportion to the event, as nearly all that are in use do.

    Such a one looks at each element once and asks of it what it is itself: its predicates hold no paths and
    no predicates, and it does not go from each element to others, nor back. Whether it is XPath is not looked
    at. What is told apart here is only who waits for whom: whatever takes too long is ended.
    """
    bare = _LITERAL.sub("''", expression)
    if "::" in bare or ".." in bare:
        return False
    outside = _PREDICATE.sub("", bare)
    if "[" in outside or any("/" in predicate for predicate in _PREDICATE.findall(bare)):
        return False
    return all(before in _OPERATORS for before in _CHAINED.findall(outside))
