"""Types and values in the words of someone who writes a pipeline file."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import attrs

from voeflow._quantities import Bytes, Seconds
from voeflow._secret import Secret
from voeflow._text import printable
from voeflow._xpath import XPath

#: The types that are written as a list, and what makes one of them.
LISTS: Mapping[Any, Callable[[list[Any]], Any]] = {
    list: list,
    Sequence: tuple,
    tuple: tuple,
    frozenset: frozenset,
    set: set,
    AbstractSet: frozenset,
}

#: The types that are written as a table.
TABLES = (dict, Mapping)

_NOUNS: Mapping[Any, str] = {
    str: "string",
    bool: "true or false",
    int: "whole number",
    float: "number",
    Path: "path",
    Seconds: "duration",
    Bytes: "size",
    Secret: "secret",
    XPath: "XPath expression",
    Any: "value",
    object: "value",
}


def origin_of(type_: Any) -> Any:
    """Give what a type is made of: `list` for `list[str]`, and the type itself where it has no parameters."""
    return get_origin(type_) or type_


def is_enum(type_: Any) -> bool:
    """Say whether a type is an enumeration."""
    return isinstance(type_, type) and issubclass(type_, Enum)


def is_union(type_: Any) -> bool:
    """Say whether a type is several, as `X | None`."""
    return get_origin(type_) in (Union, types.UnionType)


def show_value(value: object) -> str:
    """Give a value as a person would find it in the file, in one short line."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except ValueError:
        text = repr(value)
    return printable(text, 80)


def show_type(type_: Any, *, many: bool = False) -> str:
    """Give a type in words: `duration`, `list of strings`, `"north" or "south"`."""
    origin, arguments = origin_of(type_), get_args(type_)
    plural = "s" if many else ""
    if type_ in _NOUNS:
        noun = _NOUNS[type_]
        return noun if type_ is bool else noun + plural
    if origin is Literal:
        return " or ".join(map(show_value, arguments))
    if is_enum(type_):
        return " or ".join(show_value(each.value) for each in type_)
    if is_union(type_):
        shown = (show_type(each, many=many) for each in arguments if each is not types.NoneType)
        return " or ".join(dict.fromkeys(shown))
    if origin in LISTS:
        items = [each for each in arguments if each is not ...] or [Any]
        if len(items) > 1:
            return f"list{plural} of {len(items)}: {', '.join(map(show_type, items))}"
        return f"list{plural} of {show_type(items[0], many=True)}"
    if isinstance(type_, type) and attrs.has(type_):
        keys = ", ".join(field.alias or field.name for field in attrs.fields(type_) if field.init)
        return f"table{plural} {{{keys}}}"
    if origin in TABLES:
        return f"table{plural} of {show_type(arguments[1] if arguments else Any, many=True)}"
    return f"{getattr(type_, '__name__', type_)}{plural}"
