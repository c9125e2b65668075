"""The expressions of a sink's `when` key: filter names, `and`, `or`, `not` and brackets.

```
either = both { "or" both }
both   = item { "and" item }
item   = "not" item | "(" either ")" | NAME
```

A name is ASCII letters, digits, `_` and `-`, and none of the three words. Nothing here is evaluated as
code: an expression becomes a small tree, which is asked what it needs to know next.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NoReturn

import attrs

#: The longest expression, in characters: some hundreds of names, more than a person can read.
MAX_LENGTH = 4096

#: How deep brackets and `not` may nest; bounds the recursion, here and in Python's own stack.
MAX_DEPTH = 50

WORDS = frozenset({"and", "or", "not"})

_TOKEN = re.compile(r"\s*(?:(?P<name>[A-Za-z0-9_][A-Za-z0-9_-]*)|(?P<bracket>[()])|(?P<odd>\S))")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*", re.ASCII)


def why_no_name(name: str) -> str:
    """Say why a table's name cannot stand in a `when` expression or in a log; empty if it can."""
    if not _NAME.fullmatch(name):
        return "a table's name is letters, digits, _ and -, and does not begin with -"
    return ""


@attrs.frozen(eq=False, repr=False)
class _Not:
    part: _Tree


@attrs.frozen(eq=False, repr=False)
class _All:
    parts: tuple[_Tree, ...]


@attrs.frozen(eq=False, repr=False)
class _Any:
    parts: tuple[_Tree, ...]


_Tree = str | _Not | _All | _Any


@attrs.frozen(eq=False, repr=False)
class When:
    """A boolean expression over filter names, ready to be asked.

    Attributes:
        text: the expression as written, or None for one that holds for every event.
        names: the filters it names.
    """

    text: str | None
    names: frozenset[str]
    _tree: _Tree = attrs.field(alias="tree", repr=False)

    def decide(self, known: Mapping[str, bool]) -> bool | str:
        """Give the answer if `known` suffices for one, or else the name of the filter to ask next.

        Filters are asked from left to right, and none that can no longer change the answer: in `near and
        slow`, `slow` is not asked where `near` does not hold. An answer that is already known is used
        wherever it stands, so that a filter which another sink had asked can spare the asking of one to its
        left.

        Args:
            known: the answers of the filters asked so far, by name.

        Returns:
            True or False, or a name that is in `names` and not in `known`.
        """
        return _decide(self._tree, known)

    def explain(self, known: Mapping[str, bool]) -> Part:
        """Give the value of every part of the expression, and which of them decide it.

        Args:
            known: the answers of the filters, by name; one that is missing gave none.
        """
        return _explain(self._tree, known, decides=True)


@attrs.frozen(eq=False, repr=False)
class Part:
    """A part of a `when` expression, or the whole, for one event.

    Attributes:
        text: the part, as it could be written.
        value: whether it holds; None where that hangs on a filter that gave no answer.
        decides: whether the value of the whole comes from this part: were it another, so could that be.
        parts: what it consists of; none for the name of a filter.
    """

    text: str
    value: bool | None
    decides: bool
    parts: tuple[Part, ...] = ()

    def deciding(self) -> Iterator[str]:
        """The names of the filters that decide the whole, each once, in the order of the expression."""
        seen: set[str] = set()
        for leaf in self._leaves():
            if leaf.decides and leaf.text not in seen:
                seen.add(leaf.text)
                yield leaf.text

    def _leaves(self) -> Iterator[Part]:
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part._leaves()


def _explain(tree: _Tree, known: Mapping[str, bool], *, decides: bool) -> Part:
    answer = _decide(tree, known)
    value = None if isinstance(answer, str) else answer
    text = _written(tree)
    if isinstance(tree, str):
        return Part(text, value, decides)
    if isinstance(tree, _Not):
        return Part(text, value, decides, (_explain(tree.part, known, decides=decides),))
    parts = []
    for part in tree.parts:
        own = _decide(part, known)
        # All parts hold an `and` that holds up; of one that does not, those do that do not. The same of `or`,
        # the other way round. Where an answer is missing, what is missing decides.
        agrees = isinstance(own, str) if value is None else own is value
        parts.append(_explain(part, known, decides=decides and agrees))
    return Part(text, value, decides, tuple(parts))


def _written(tree: _Tree, inside: type[_Not | _All | _Any] | None = None) -> str:
    if isinstance(tree, str):
        return tree
    if isinstance(tree, _Not):
        return f"not {_written(tree.part, _Not)}"
    text = (" and " if isinstance(tree, _All) else " or ").join(
        _written(each, type(tree)) for each in tree.parts
    )
    bare = inside is None or (inside is _Any and isinstance(tree, _All))
    return text if bare else f"({text})"


def _decide(tree: _Tree, known: Mapping[str, bool]) -> bool | str:
    if isinstance(tree, str):
        return known.get(tree, tree)
    if isinstance(tree, _Not):
        answer = _decide(tree.part, known)
        return answer if isinstance(answer, str) else not answer
    settles = isinstance(tree, _Any)  # one such part settles the whole: True in an `or`, False in an `and`
    ask = ""
    for part in tree.parts:
        answer = _decide(part, known)
        if answer is settles:
            return settles
        if isinstance(answer, str):
            ask = ask or answer
    return ask or not settles


def parse_when(text: str | None) -> When:
    """Read a `when` expression.

    Args:
        text: the expression; None stands for one that holds for every event.

    Returns:
        The expression, ready to be asked.

    Raises:
        ValueError: it is none; the message says at which character, what was expected and what was there.
    """
    if text is None:
        return When(text=None, names=frozenset(), tree=_All(()))
    if len(text) > MAX_LENGTH:
        raise ValueError(f"expected at most {MAX_LENGTH} characters, got {len(text)}")
    reader = _Reader(text)
    tree = reader.either(0)
    if reader.token:
        reader.fail('"and", "or" or the end')
    return When(text=text, names=frozenset(reader.names), tree=tree)


class _Reader:
    """A recursive descent over the tokens, one token ahead."""

    def __init__(self, text: str) -> None:
        self.names: set[str] = set()
        self._tokens = _tokens(text)
        self.token, self.position = next(self._tokens)

    def either(self, depth: int) -> _Tree:
        parts = [self.both(depth)]
        while self.took("or"):
            parts.append(self.both(depth))
        return parts[0] if len(parts) == 1 else _Any(tuple(parts))

    def both(self, depth: int) -> _Tree:
        parts = [self.item(depth)]
        while self.took("and"):
            parts.append(self.item(depth))
        return parts[0] if len(parts) == 1 else _All(tuple(parts))

    def item(self, depth: int) -> _Tree:
        if depth > MAX_DEPTH:
            raise ValueError(
                f"at character {self.position}: brackets and not are nested deeper than {MAX_DEPTH}"
            )
        if self.took("not"):
            return _Not(self.item(depth + 1))
        if self.took("("):
            inner = self.either(depth + 1)
            if not self.took(")"):
                self.fail('"and", "or" or ")"')
            return inner
        name = self.token
        if name in WORDS or not _NAME.fullmatch(name):
            self.fail('the name of a filter, "not" or "("')
        self.names.add(name)
        self.token, self.position = next(self._tokens)
        return name

    def took(self, token: str) -> bool:
        if self.token != token:
            return False
        self.token, self.position = next(self._tokens)
        return True

    def fail(self, expected: str) -> NoReturn:
        got = f'"{self.token}"' if self.token else "the end"
        word = self.token.lower()
        if word in {"true", "false"}:
            hint = "; for all events leave `when` out"
        elif word in WORDS and self.token not in WORDS:
            hint = f'; write "{word}" in small letters'
        else:
            hint = {"&": '; write "and"', "|": '; write "or"', "!": '; write "not"'}.get(self.token, "")
        raise ValueError(f"at character {self.position}: expected {expected}, got {got}{hint}")


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """Give each token with its place, counted from 1, then an empty one at the end for ever."""
    for found in _TOKEN.finditer(text):
        group = found.lastgroup
        assert group is not None
        yield found[group], found.start(group) + 1
    while True:
        yield "", len(text) + 1
