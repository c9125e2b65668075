"""XPath 1.0 questions about a packet, as subscribers ask them."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, TypeAlias

import attrs
from lxml import etree

from voeflow._text import printable

if TYPE_CHECKING:
    from voeflow._event import Event

#: The greatest length of an expression in characters. Filters in use have fewer than 200; 4096 leaves room
#: for a list of fifty authors, and keeps what libxml2 compiles for a stranger small.
MAX_EXPRESSION = 4096

#: What an expression gives: a node-set (elements, or text for attributes and text nodes), a string, a number
#: or a boolean.
XPathResult: TypeAlias = bool | float | str | list[etree._Element | str]

#: The functions of XPath 1.0 (section 4), its node types (section 2.3), and the operators that may stand
#: before a bracket.
_NAMES_BEFORE_BRACKET = frozenset({
    "last", "position", "count", "id", "local-name", "namespace-uri", "name",
    "string", "concat", "starts-with", "contains", "substring-before", "substring-after", "substring",
    "string-length", "normalize-space", "translate",
    "boolean", "not", "true", "false", "lang", "number", "sum", "floor", "ceiling", "round",
    "comment", "text", "processing-instruction", "node",
    "and", "or", "div", "mod",
})  # fmt: skip
_LITERAL = re.compile(r"\"[^\"]*\"|'[^']*'")
_BEFORE_BRACKET = re.compile(r"([\w.-]+)\s*\(")
_PREFIX = re.compile(r"[\w.-]+:(?!:)")

#: Something to evaluate a new expression on: libxml2 finds some mistakes, as `count(1)`, only then.
_TRIAL = etree.fromstring('<VOEvent ivorn=""><Who/><What><Param name="" value=""/></What></VOEvent>')


@attrs.frozen
class XPath:
    """An XPath 1.0 expression, compiled once. It may be used from several threads at once.

    No namespace prefix is bound, as the VOEvent brokers in use have it: `//Who` finds elements without a
    namespace, which is what VOEvent 1.1 to 2.1 write below the root; the root itself, which has one, is `/*`
    or `/*[local-name()="VOEvent"]`. There are no variables, no extension functions and no `document()`.

    Attributes:
        expression: the expression as it was written.
    """

    expression: str
    _compiled: etree.XPath = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        """Compile and try the expression.

        Raises:
            ValueError: it is empty, too long, no XPath 1.0, or uses a prefix, variable or function that there
                is not.
        """
        if not self.expression.strip():
            raise ValueError("expected an XPath 1.0 expression, got nothing")
        if len(self.expression) > MAX_EXPRESSION:
            raise ValueError(
                f"an XPath expression of {len(self.expression)} characters is too long: "
                f"at most {MAX_EXPRESSION} are accepted"
            )
        _check_names(self.expression)
        try:
            compiled = etree.XPath(self.expression, regexp=False, smart_strings=False)
            compiled(_TRIAL)
        except etree.XPathError as error:
            raise ValueError(f"no XPath 1.0: {printable(self.expression, 80)}: {_readable(error)}") from None
        except ValueError:  # control characters, which lxml does not take
            raise ValueError(
                f"no XPath 1.0: {printable(self.expression, 80)}: it has control characters"
            ) from None
        object.__setattr__(self, "_compiled", compiled)

    def evaluate(self, root: etree._Element) -> XPathResult:
        """Evaluate the expression with `root` as its context node."""
        result: XPathResult = self._compiled(root)
        return result

    def holds(self, event: Event) -> bool:
        """Whether the expression holds for an event, by XPath 1.0's `boolean()` (section 4.3).

        A node-set holds when it is not empty, a number when it is neither zero nor NaN, a string when it is
        not empty.
        """
        result = event.xpath(self)
        if isinstance(result, float) and math.isnan(result):
            return False
        return bool(result)

    def __str__(self) -> str:
        return self.expression


def _check_names(expression: str) -> None:
    """Refuse names that mean nothing; libxml2 tells only when a packet reaches that part of it."""
    bare = _LITERAL.sub('""', expression)
    shown = printable(expression, 80)
    if "$" in bare:
        raise ValueError(f"no usable XPath: {shown}: it uses a $variable, and there are none")
    if found := _PREFIX.search(bare):
        raise ValueError(
            f"no usable XPath: {shown}: it uses the namespace prefix {printable(found.group(), 40)}, "
            "and none is defined; write //Who without one, or /*[local-name()='VOEvent']"
        )
    for name in _BEFORE_BRACKET.findall(bare):
        if name not in _NAMES_BEFORE_BRACKET:
            raise ValueError(
                f"no usable XPath: {shown}: it calls {printable(name, 40)}(), "
                "which is no function of XPath 1.0"
            )


def _readable(error: etree.XPathError) -> str:
    match str(error):
        case "Invalid expression":
            return "invalid expression; look for an unclosed quote or bracket, or a stray character"
        case "Invalid predicate":
            return "invalid predicate; look for an unclosed bracket"
        case other:
            return printable(other)
