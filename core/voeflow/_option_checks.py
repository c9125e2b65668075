"""What an attrs class's own converters and validators say of a table's values, in words for people."""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, TypeAlias

import attrs

from voeflow._errors import Mistake
from voeflow._quantities import Bytes, Seconds, show_bytes, show_seconds
from voeflow._raised import Raised
from voeflow._shown import show_value
from voeflow._values import Fault, UnfitError, faults_of

Field: TypeAlias = "attrs.Attribute[Any]"

#: What a reader, a converter or a validator raises for a value that does not fit.
UNFIT = (ValueError, TypeError, UnfitError)

#: What a default is that is made anew for each instance: a class, which attrs' own types give as a function.
FACTORY = typing.cast("type[Any]", attrs.Factory)

#: How attrs' own validators put what they found; they know the attribute, but neither its key nor its unit.
_COMPARED = re.compile(r"'\w+' must be (>=|>|<=|<) (\S+): (.*)", re.DOTALL)
_LENGTH = re.compile(r"Length of '\w+' must be (>=|<=) (\d+): (\d+)")
_WORDS = {">=": "at least", ">": "above", "<=": "at most", "<": "below"}


def verdicts(
    cls: type,
    types: Mapping[str, Any],
    values: Mapping[str, Any],
    where: str,
    unread: AbstractSet[str] = frozenset(),
) -> list[Mistake]:
    """Ask a class's own converters and validators, every one of them: attrs itself stops at the first.

    They are asked on an instance that is never used, and may be incomplete: what they raise for that is
    ignored.

    Args:
        cls: the class.
        types: what its fields are read as, by their names.
        values: what was read, by key.
        where: the table's name for its mistakes.
        unread: the keys whose values could not be read: their defaults do not stand for them.

    Returns:
        What is wrong with the values of keys; or else what keeps something from being made of them, which is
        a mistake of the table.
    """
    probe: object = object.__new__(cls)
    of_keys: list[Mistake] = []
    of_table: list[Mistake] = []

    def tell(error: BaseException, field: Field) -> None:
        if Raised.of(error).fault is None:
            raise error
        if not isinstance(error, UNFIT):
            return  # whatever a plugin raises: only its verdicts count here
        faults = _in_words(error, types.get(field.name)) or faults_of(error)
        if field.init:
            of_keys.extend(mistakes_at(at(where, key_of(field)), faults))
        else:
            of_table.extend(mistakes_at(where, faults))

    for field in attrs.fields(cls):
        if key_of(field) in unread:
            continue
        try:
            value = values[key_of(field)] if key_of(field) in values else _default(field, probe)
            if value is not attrs.NOTHING:
                object.__setattr__(probe, field.name, _converted(field, value, probe))
        # A plugin's `sys.exit()`, or a panic of its Rust, must not end what reads a pipeline.
        except BaseException as error:  # noqa: BLE001 - an interrupt and the like are raised again
            tell(error, field)
    for field in attrs.fields(cls):
        if field.validator is None or not hasattr(probe, field.name):
            continue
        try:
            field.validator(probe, field, getattr(probe, field.name))
        except BaseException as error:  # noqa: BLE001 - as above
            tell(error, field)
    return of_keys or of_table


def _in_words(error: Exception, type_: Any) -> tuple[Fault, ...]:
    """Give what one of attrs' own validators found as this project puts it; nothing for any other."""
    text = str(error.args[0]) if error.args else ""
    if found := _COMPARED.fullmatch(text):
        bound, value = _number(found[2], type_), _number(found[3], type_)
        return (Fault("", f"expected {_WORDS[found[1]]} {bound}, got {value}"),)
    if found := _LENGTH.fullmatch(text):
        what = ("character" if type_ is str else "value") + "s" * (found[2] != "1")
        return (Fault("", f"expected {_WORDS[found[1]]} {found[2]} {what}, got {found[3]}"),)
    if len(error.args) == 4 and isinstance(error.args[1], attrs.Attribute):
        _, field, expected, value = error.args
        if text.startswith(f"'{field.name}' must be in "):
            return (Fault("", f"expected {' or '.join(map(show_value, expected))}, got {show_value(value)}"),)
        if text.startswith(f"'{field.name}' must match regex "):
            pattern = getattr(expected, "pattern", expected)
            problem = f"expected what the regular expression {pattern} matches, got {show_value(value)}"
            return (Fault("", problem),)
    return ()


def _number(text: str, type_: Any) -> str:
    """Give a number as it would be written in the file, with its unit."""
    kinds = (type_, *typing.get_args(type_))
    try:
        if Seconds in kinds:
            return show_seconds(float(text))
        if Bytes in kinds:
            return show_bytes(int(text))
    except ValueError:
        return text
    return text.removesuffix(".0")


def _converted(field: Field, value: Any, instance: object) -> Any:
    converter: Any = field.converter
    if converter is None:
        return value
    if not isinstance(converter, attrs.Converter):
        return converter(value)
    wrapped: Any = converter  # whose attributes attrs' own types leave out
    extra = ([instance] if wrapped.takes_self else []) + ([field] if wrapped.takes_field else [])
    return wrapped.converter(value, *extra)


def _default(field: Field, instance: object) -> Any:
    """Give a field's default for an instance; `attrs.NOTHING` where there is none."""
    default: Any = field.default
    if isinstance(default, FACTORY):
        return default.factory(*([instance] if default.takes_self else []))
    return default


def mistakes_at(where: str, faults: tuple[Fault, ...]) -> list[Mistake]:
    """Give what is wrong with the value of a key as mistakes."""
    return [Mistake(where + fault.path, fault.problem, fault.remedy) for fault in faults]


def at(where: str, key: str) -> str:
    """Give the place of a key in a table."""
    return f"{where}.{key}" if where else key


def key_of(field: Field) -> str:
    """Give the key that stands for a field: its name in `__init__`, without a leading underscore."""
    return field.alias or field.name
