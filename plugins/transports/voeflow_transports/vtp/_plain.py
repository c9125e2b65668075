"""Telling XPath expressions that cannot take long from those that might."""

from __future__ import annotations

import functools
import re
from itertools import pairwise

#: What an expression consists of (XPath 1.0, section 3.7): literals, numbers, names, and the rest.
_TOKEN = re.compile(
    r"""\s*(?:(?P<literal>"[^"]*"|'[^']*')|(?P<number>\d+(?:\.\d*)?|\.\d+)|(?P<name>[^\W\d][\w.-]*)"""
    r"""|(?P<sign>//|::|\.\.|<=|>=|!=|[]\[()@,./|+=<>*-]))"""
)

_OPERATORS = frozenset({"and", "or", "div", "mod"})
_COMPARISONS = frozenset({"=", "!=", "<", "<=", ">", ">="})

#: The signs after which something has to follow that is no operator.
_NO_END = frozenset({"(", "[", ",", "/", "//", "@", "::", "|", "+", "-"}) | _COMPARISONS | _OPERATORS

#: Functions that take time in proportion to what they are given, and give nothing longer; and node types.
_FUNCTIONS = frozenset({
    "boolean", "not", "true", "false", "number", "sum", "floor", "ceiling", "round",
    "count", "last", "position", "local-name", "namespace-uri", "name",
    "string", "string-length", "normalize-space", "contains", "starts-with",
    "text", "node",
})  # fmt: skip

#: How many characters may be looked for with `contains`, in all: libxml2 may compare each with each.
_MOST_SOUGHT = 100

#: How many expressions are remembered: more than subscribers can bring filters.
_MOST = 100_000


@functools.lru_cache(maxsize=_MOST)
def is_plain(expression: str) -> bool:
    """Say whether an expression takes time in proportion to the event, as nearly all that are in use do.

    Such a one looks at each element once and asks of it what it is itself: its predicates hold no paths and
    no predicates, and it does not go from each element to others, nor back. It compares with a literal or a
    number alone, since comparing two node-sets takes a comparison for each pair, as uniting them does in
    libxml2; and it looks for short literals, in texts that it does not change. Whether it is XPath is not
    looked at. What is told apart here is only who waits for whom: whatever takes too long is ended.
    """
    tokens = _tokens(expression)
    if not tokens or len(_sought(tokens)) > _MOST_SOUGHT:
        return False
    depth = 0
    kinds = [kind for kind, _ in tokens]
    texts = [text if kind in ("name", "sign") else "" for kind, text in tokens]
    for place, text in enumerate(texts):
        before, after = texts[place - 1] if place else "", "".join(texts[place + 1 : place + 2])
        match text:
            case "::" | ".." | "|":
                return False
            case "[":
                depth += 1
            case "]":
                depth -= 1
            case "/" | "//" if depth > 0:
                return False
            case "//" if place and not _begins_path(texts, place):
                return False
            case "(" if place and kinds[place - 1] == "name" and before not in _FUNCTIONS | _OPERATORS:
                return False
            case "," if kinds[place + 1 : place + 2] != ["literal"] or texts[place + 2 : place + 3] != [")"]:
                return False
            case _ if text in _COMPARISONS and before and after and after != "-":  # a minus makes a number
                return False
        if depth > 1:
            return False
    return True


def _tokens(expression: str) -> list[tuple[str, str]]:
    """Give what an expression consists of, each with its kind; nothing if there is something else in it."""
    found, place, end = [], 0, len(expression.rstrip())
    while place < end:
        if (token := _TOKEN.match(expression, place)) is None:
            return []
        kind = str(token.lastgroup)
        found.append((kind, token[kind]))
        place = token.end()
    return found


def _begins_path(texts: list[str], place: int) -> bool:
    """Whether a path begins at a place, which is not the first: after an operator, a bracket or a sign."""
    before = texts[place - 1]
    if before in _OPERATORS:  # which is a name where none could end: //div//div (XPath 1.0, section 3.7)
        return place > 1 and texts[place - 2] not in _NO_END
    return before in _NO_END and before not in ("/", "//", "@")


def _sought(tokens: list[tuple[str, str]]) -> str:
    """Give all the literals that are looked for in other texts, one after another."""
    return "".join(text[1:-1] for (_, comma), (_, text) in pairwise(tokens) if comma == ",")
