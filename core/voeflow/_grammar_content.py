"""What a schema of ours allows in each element, read from the schema itself so that messages can say it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import attrs
from lxml import etree

_XS = "{http://www.w3.org/2001/XMLSchema}"

#: The tag with which a schema includes another.
INCLUDE: Final = f"{_XS}include"


@attrs.frozen(eq=False, repr=False)
class Content:
    """What a schema allows in one element.

    Attributes:
        children: the names of its child elements, in the schema's order, and what each may hold.
        attributes: the names of its attributes.
        order: its children in the order they must have, alternatives as `A or B`; empty where any order
            will do.
    """

    children: Mapping[str, Content] = attrs.field(factory=dict)
    attributes: tuple[str, ...] = ()
    order: tuple[str, ...] = ()


def read_content(schema: etree._Element) -> Content:
    """Read what a schema's one root element may hold, all the way down; no element of it holds itself.

    Args:
        schema: the `xs:schema` element, with nothing left to include.
    """
    named = {name: part for part in schema.iterchildren("*") if (name := part.get("name"))}
    root = schema.find(f"{_XS}element")
    assert root is not None
    return _content_of(root, named)


def _content_of(declaration: etree._Element, named: Mapping[str, etree._Element]) -> Content:
    kind = declaration.get("type")
    if kind is None:
        definition: etree._Element | None = next(declaration.iterchildren(f"{_XS}complexType"), None)
    else:
        definition = named.get(kind)
    if definition is None:  # untyped, or plain text
        return Content()
    children: dict[str, Content] = {}
    attributes: list[str] = []
    for part in _parts(definition, named):
        name = part.get("name", "")
        if part.tag == f"{_XS}element":
            children[name] = _content_of(part, named)
        else:
            attributes.append(name)
    sequence = definition.find(f"{_XS}sequence")
    steps = () if sequence is None else sequence.iterchildren("*")
    order = tuple(" or ".join(_names(step, named)) for step in steps)
    return Content(children, tuple(attributes), order)


def _parts(definition: etree._Element, named: Mapping[str, etree._Element]) -> Iterator[etree._Element]:
    """Give the elements and attributes that a piece of schema declares, through the groups it refers to."""
    for part in definition.iterchildren("*"):
        if part.tag in (f"{_XS}element", f"{_XS}attribute"):
            yield part
        elif (group := part.get("ref")) is not None:
            yield from _parts(named[group], named)
        else:
            yield from _parts(part, named)


def _names(step: etree._Element, named: Mapping[str, etree._Element]) -> Iterator[str]:
    elements = (step,) if step.tag == f"{_XS}element" else _parts(step, named)
    return (element.get("name", "") for element in elements)
