"""XML written by hand, so that the same content gives the same bytes with any version of any library."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import attrs

from voeflow._text import printable

#: Anything but the characters of XML 1.0, section 2.2: no escape can write the others.
_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
#: `>` for the sake of `]]>` (section 2.4), and the carriage return that a parser makes a line feed (2.11).
_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
#: A parser makes spaces of the other blanks in an attribute (section 3.3.3).
_IN_ATTRIBUTE = _IN_TEXT | str.maketrans({'"': "&quot;", "\t": "&#9;", "\n": "&#10;"})


@attrs.frozen
class Written:
    """An element to be written.

    Attributes:
        name: its name.
        content: its text, unescaped; or the elements in it.
        attributes: unescaped, in their order; those that are empty are left out.
    """

    name: str
    content: str | Sequence[Written] = ""
    attributes: dict[str, str] = attrs.field(factory=dict)


def write_xml(root: Written) -> bytes:
    """Write a document in UTF-8: a line for each element, indented by two blanks a level, text untouched.

    Raises:
        ValueError: something in it is no text, or has a character that XML 1.0 cannot write.
    """
    lines = ('<?xml version="1.0" encoding="UTF-8"?>', *_lines(root, ""), "")
    return "\n".join(lines).encode()


def _lines(element: Written, indent: str) -> Iterator[str]:
    name, content = element.name, element.content
    shown = "".join(
        f' {key}="{_checked(value, f"attribute {key} of {name}").translate(_IN_ATTRIBUTE)}"'
        for key, value in element.attributes.items()
        if value != ""
    )
    if not content:
        yield f"{indent}<{name}{shown}/>"
    elif isinstance(content, list | tuple):
        yield f"{indent}<{name}{shown}>"
        for child in content:
            yield from _lines(child, indent + "  ")
        yield f"{indent}</{name}>"
    else:
        yield f"{indent}<{name}{shown}>{_checked(content, name).translate(_IN_TEXT)}</{name}>"


def _checked(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{what}: expected text, got {type(value).__name__}")
    found = _NOT_XML.search(value)
    if found:
        raise ValueError(
            f"{what}: XML cannot write the character {printable(found.group())} at place {found.start()}"
        )
    return value
