"""Where in a packet something stands: for explaining why a filter answered as it did."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from lxml import etree

from voeflow._text import printable
from voeflow._xpath import XPath

#: How many places are told of one answer, and how much of each value, in characters.
MAX_PLACES, MAX_VALUE = 10, 200


@attrs.frozen
class Place:
    """A place in a packet.

    Attributes:
        path: its path, as `/voe:VOEvent/What/Param[2]/@value`.
        value: what stands there: an attribute's or a text's value; of an element its attributes and text.
        line: the line in the packet, counted from 1, on which the element's start tag ends; None where that
            is not known.
    """

    path: str
    value: str
    line: int | None


@attrs.frozen
class Matched:
    """What an XPath expression gave.

    Attributes:
        expression: the expression.
        value: `true`, `false`, the number or the string; of a node-set how many nodes it has.
        places: the nodes, the first few of them.
        more: how many there are besides.
    """

    expression: str
    value: str
    places: tuple[Place, ...]
    more: int = 0


def matched(expression: str | XPath, root: etree._Element) -> Matched:
    """Evaluate an expression that is known to be good, and say where its result stands."""
    text = str(expression)
    # unlike the strings of `XPath.evaluate`, these know where they stand
    result = etree.XPath(text, regexp=False, smart_strings=True)(root)
    if not isinstance(result, list):
        value = {True: "true", False: "false"}[result] if isinstance(result, bool) else _short(_said(result))
        return Matched(text, value, ())
    places = tuple(_place(node, root) for node in result[:MAX_PLACES])
    number = len(result)
    value = "no node" if not number else "1 node" if number == 1 else f"{number} nodes"
    return Matched(text, value, places, number - len(places))


def places_of(path: str, root: etree._Element) -> Iterable[Place]:
    """Give the places of what a path of our own finds."""
    return matched(path, root).places


def _said(result: object) -> str:
    return f"{result:g}" if isinstance(result, float) else str(result)


def _place(node: object, root: etree._Element) -> Place:
    tree = root.getroottree()
    if isinstance(node, etree._Element):  # a comment or a processing instruction is one here too
        return Place(tree.getpath(node), _short(_of_element(node)), node.sourceline)
    parent = getattr(node, "getparent", lambda: None)()
    if parent is None:
        return Place("", _short(str(node)), None)
    name = getattr(node, "attrname", None)
    path = f"{tree.getpath(parent)}/{f'@{name}' if name else 'text()'}"
    return Place(path, _short(str(node)), parent.sourceline)


def _of_element(element: etree._Element) -> str:
    """An element in words: its attributes, then all text that is inside it."""
    if not isinstance(element.tag, str):
        return element.text or ""
    attributes = [f'{name}="{value}"' for name, value in element.attrib.items()]
    inside = " ".join(" ".join(str(each) for each in element.itertext()).split())
    return " ".join([*map(str, attributes), *([inside] if inside else [])])


def _short(text: str) -> str:
    return printable(text, MAX_VALUE)
