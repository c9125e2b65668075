"""VOEvents that hop-client sent as JSON, made packets again.

Old versions of hop-client turned a packet's XML into an object, with attributes, elements and text alike as
members, and sent that. What is lost thereby (namespaces, comments, the order among elements of different
names) nobody can restore: the packet is the same event in other bytes, though always in the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import voeflow

#: What is an attribute, and never an element, wherever VOEvent 2.0 or 2.1 has it (the IVOA's schemas).
_ATTRIBUTES = """
altIdentifier cite coord_system_id dataType expires id importance ivorn meaning mimetype name pos_unit
probability relation role type ucd unit uri utype value version
"""

#: The parts of a packet in the order of the standard's sections.
_PARTS = ("Who", "What", "WhereWhen", "How", "Why", "Citations", "Description", "Reference")

#: Of which versions packets can be made; the names of their namespaces end like this.
_VERSIONS = ("1.1", "2.0", "2.1")

#: What the elements and attributes of VOEvent are called.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)

#: What XML 1.0 has no way to say (section 2.2).
_NO_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

#: The member that holds the text of an element with attributes.
_TEXT = "#text"

#: The greatest depth of elements; packets of VOEvent 2.0 have nine.
_MAX_DEPTH = 24


def packet_of(content: Mapping[str, Any]) -> bytes:
    """Make a packet of the object that hop-client had made of one. The same object gives the same bytes.

    Args:
        content: the members of the VOEvent element; from outside, bounded in size.

    Returns:
        The packet, in UTF-8. It is well-formed; whether it is valid is for the node to judge.

    Raises:
        EventError: it cannot be written as a VOEvent.
    """
    version = content.get("version") or "2.0"
    if version not in _VERSIONS:
        raise voeflow.EventError(
            f"a VOEvent of version {voeflow.printable(str(version), 20)}; expected one of 1.1, 2.0, 2.1"
        )
    if not isinstance(content.get("ivorn"), str):
        raise voeflow.EventError("a VOEvent as JSON without an ivorn")
    members = dict(content)
    attributes = {
        "version": version,
        "ivorn": members.pop("ivorn"),
        "role": members.pop("role", None) or "observation",
    }
    members.pop("version", None)
    # hop-client gave what a packet has not as {} and its own notes with a first "_".
    parts = {name: value for name, value in members.items() if value not in ({}, None) and name[:1] != "_"}
    order = {name: place for place, name in enumerate(_PARTS)}
    text = "".join(
        _element(name, parts[name], 1)
        for name in sorted(parts, key=lambda name: order.get(_local(name), len(order)))
        if not _of_xml(name)
    )
    namespace = f"http://www.ivoa.net/xml/VOEvent/v{version}"
    root = _written("voe:VOEvent", {"xmlns:voe": namespace, **attributes}, text)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{root}\n'.encode()


def _element(name: str, value: Any, depth: int) -> str:
    """Write the elements of one name: one for each item of a list, or the only one."""
    if depth > _MAX_DEPTH:
        raise voeflow.EventError(f"a VOEvent with elements nested deeper than {_MAX_DEPTH}")
    name = _checked(_local(name))
    if isinstance(value, list):
        if any(isinstance(each, list) for each in value):
            raise voeflow.EventError(f"a VOEvent as JSON with a list of lists as {name}")
        return "".join(_element(name, each, depth) for each in value)
    if not isinstance(value, Mapping):
        return _written(name, {}, _escaped(value))
    attributes = {_local(each): value[each] for each in value if _is_attribute(each, value[each])}
    inside = "".join(
        _element(each, value[each], depth + 1)
        for each in _in_order(name, value)
        if each != _TEXT and not _is_attribute(each, value[each]) and not _of_xml(each)
    )
    return _written(name, attributes, _escaped(value.get(_TEXT)) + inside)


def _written(name: str, attributes: Mapping[str, Any], inside: str) -> str:
    start = name + "".join(f" {each}={quoteattr(_text(value))}" for each, value in attributes.items())
    return f"<{start}>{inside}</{name}>" if inside else f"<{start}/>"


def _escaped(value: Any) -> str:
    return escape(_text(value), {"\r": "&#13;"})  # readers take a bare one for the end of a line


def _in_order(parent: str, members: Mapping[str, Any]) -> Iterator[str]:
    """Give members as they came, save where the schema has an order: a Citations' Description comes last."""
    last = "Description" if parent == "Citations" else ""
    yield from (name for name in members if name != last)
    if last in members:
        yield last


def _is_attribute(name: str, value: Any) -> bool:
    return _local(name) in _ATTRIBUTES.split() and not isinstance(value, Mapping | list) and not _of_xml(name)


def _of_xml(name: str) -> bool:
    """Whether a member was about namespaces or schemas, which the new packet has its own of."""
    return name == "xmlns" or name.startswith(("xmlns:", "xsi:", "xml:"))


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise voeflow.EventError(
            f"a VOEvent as JSON with a member that is no element: {voeflow.printable(name, 40)}"
        )
    return name


def _text(value: Any) -> str:
    """Give a scalar as XML has it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list):
        raise voeflow.EventError("a VOEvent as JSON with an object where a text was expected")
    text = str(value)
    if found := _NO_XML.search(text):
        raise voeflow.EventError(f"a VOEvent as JSON with a character that XML has not: {found[0]!r}")
    return text
