"""A table of a pipeline file to an instance of a plugin's attrs class, with every mistake in it at once."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, TypeVar

import attrs

from voeflow._errors import Mistake
from voeflow._names import near_name, nearest
from voeflow._option_checks import FACTORY, UNFIT, Field, at, key_of, mistakes_at, verdicts
from voeflow._quantities import Bytes, Seconds, show_bytes, show_seconds
from voeflow._raised import Raised, describe
from voeflow._secret import Secret
from voeflow._shown import LISTS, origin_of, show_type, show_value
from voeflow._text import printable
from voeflow._values import Fault, NoReaderError, Readers, UnfitError, faults_of, resolved
from voeflow._xpath import XPath

_Instance = TypeVar("_Instance")


@attrs.frozen
class OptionDoc:
    """One key of a plugin's table, for its reader.

    Attributes:
        name: the key; of a table within the table, with that one's key before it.
        type: what it takes, in words: `list of strings`.
        default: its default as it would be written in the file; None if the key is required.
        help: one line about it, or empty.
    """

    name: str
    type: str
    default: str | None
    help: str


def read_options(
    cls: type[_Instance],
    table: Mapping[str, object],
    *,
    where: str,
    directory: Path,
    culprit: str,
    others: frozenset[str] = frozenset(),
    above: frozenset[str] = frozenset(),
) -> tuple[_Instance | None, list[Mistake]]:
    """Make an instance of an attrs class from a table.

    Values are read strictly by the types of the class's fields, then pass their attrs converters and
    validators. A field with `metadata={"one_or_many": True}` takes a lone value for a list of one. A field
    whose type is an attrs class is a table within the table, read in the same way.

    Args:
        cls: the class; one in which `class_faults` finds nothing.
        table: the keys and values, without those that are not the class's.
        where: the table's name for its mistakes, as `handlers.slew`; empty for the top level.
        directory: what relative paths, defaults among them, are relative to.
        others: keys of the table that are not the class's, for a misspelt one may have been meant for these.
        above: keys that stand above all tables of the file, and are often written below one by mistake.
        culprit: whose fault it is if the class raises anything but ValueError and TypeError, in words.

    Returns:
        The instance and no mistakes, or None and at least one.
    """
    readers = _readers(directory)
    types = _types(cls)
    fields = {key_of(field): field for field in _options(cls)}
    mistakes: list[Mistake] = []
    values: dict[str, Any] = {}
    unknown = [key for key in table if key not in fields]
    required = {key for key, field in fields.items() if field.default is attrs.NOTHING} - table.keys()
    mistakes += [
        Mistake(
            at(where, key),
            "no such key",
            _without_type(cls, key) or _meant(key, [*fields, *sorted(others)], required, above),
        )
        for key in unknown
    ]
    for key, field in fields.items():
        if key in table:
            try:
                values[key] = _read(table[key], field, types[field.name], readers)
            except UNFIT as error:
                mistakes += mistakes_at(at(where, key), faults_of(error))
        elif field.default is attrs.NOTHING:
            problem = f"is missing; expected a value of the type: {_type_text(field, types[field.name])}"
            mistakes.append(Mistake(at(where, key), problem, _help(field)))
        elif isinstance(field.default, Path):
            values[key] = resolved(field.default, directory)
    if mistakes:
        unread = table.keys() - values.keys()
        return None, [*mistakes, *verdicts(cls, types, values, where, unread)]
    try:
        return cls(**values), []
    except (ValueError, TypeError) as error:
        return None, verdicts(cls, types, values, where) or mistakes_at(where, faults_of(error))
    except BaseException as error:
        if (fault := Raised.of(error).fault) is None:
            raise
        reason = printable(describe(fault), 400)
        return None, [
            Mistake(where, f"{culprit} failed while it was set up, which is its own fault: {reason}")
        ]


def _meant(key: str, known: Sequence[str], missing: Set[str], above: frozenset[str]) -> str:
    """Say which key an unknown one may have been meant for; one that is missing is the most likely."""
    own, of_node = near_name(key, known), near_name(key, above)
    if of_node is not None and (own is None or key == of_node):
        return f"{of_node} is a key of the node: write it above all tables"
    if own is None and len(missing) == 1:
        return f'did you mean "{next(iter(missing))}", which is missing?'
    return nearest(key, known, "keys")


def _without_type(cls: type, key: str) -> str:
    """Say so where a class has what would be an option, had its author given it a type."""
    value = inspect.getattr_static(cls, key, None)
    if not isinstance(value, bool | int | float | str | list | dict | tuple):
        return ""
    if any(key in vars(each).get("__annotations__", {}) for each in cls.__mro__):
        return ""
    return f"the class {cls.__name__} has one without a type: write {key}: {type(value).__name__} = {value!r}"


def describe_options(cls: type) -> list[OptionDoc]:
    """Describe the keys of a plugin's table, in the order of its class's fields.

    The keys of a table within the table follow it, as `tls.certificate`; of a list of tables, as
    `bind[].peers`.
    """
    types = _types(cls)
    found = []
    for field in _options(cls):
        type_ = types[field.name]
        found.append(
            OptionDoc(
                name=key_of(field),
                type=_type_text(field, type_),
                default=_default_text(field, type_),
                help=_help(field),
            )
        )
        within = key_of(field) + ("[]" if origin_of(type_) in LISTS else "")
        for inner in _classes_in(type_):
            found += [attrs.evolve(each, name=f"{within}.{each.name}") for each in describe_options(inner)]
    return found


def class_faults(cls: type, reserved: frozenset[str]) -> list[str]:
    """Say what keeps an attrs class from being read from a table; empty if nothing does.

    Args:
        cls: the class.
        reserved: the keys that never reach the class.
    """
    try:
        types = _types(cls)
    except BaseException as error:  # evaluating annotations runs whatever they say
        if (fault := Raised.of(error).fault) is None:
            raise
        reason = f"its annotations cannot be read at run time ({describe(fault)})"
        return [f"{reason}; import what they name outside `if TYPE_CHECKING`"]
    readers = _readers(Path())
    faults = []
    for field in _options(cls):
        if key_of(field) in reserved:
            faults.append(f"its option {key_of(field)} has the name of a common key; give it another")
        elif field.name not in types:
            faults.append(f"its option {key_of(field)} has no type; annotate it")
        else:
            try:
                readers.of(types[field.name])
            except NoReaderError:
                shown = show_type(types[field.name])
                faults.append(
                    f"its option {key_of(field)} is of a type that no pipeline file can hold: {shown}"
                )
            else:
                faults += [
                    f"its option {key_of(field)}: {fault}"
                    for inner in _classes_in(types[field.name])
                    for fault in class_faults(inner, frozenset())
                ]
    return faults


def _readers(directory: Path) -> Readers:
    """Give what reads values, a table within a table too, for a field whose type is an attrs class."""

    def read_table(value: Any, cls: type) -> object:
        if not isinstance(value, dict):
            raise ValueError(f"expected a {show_type(cls)}, got {show_value(value)}")
        instance, mistakes = read_options(
            cls, value, where="", directory=directory, culprit=f"the class {cls.__name__} behind it"
        )
        if mistakes:
            raise UnfitError(
                [
                    Fault(f".{each.where}" if each.where else "", each.problem, each.remedy)
                    for each in mistakes
                ]
            )
        return instance

    return Readers(directory, read_table)


def _classes_in(type_: Any) -> Iterator[type]:
    """Give the attrs classes of tables within the table, but for the types that are read as one value."""
    if isinstance(type_, type) and attrs.has(type_) and type_ is not XPath:
        yield type_
    for inner in typing.get_args(type_):
        yield from _classes_in(inner)


def _types(cls: type) -> dict[str, Any]:
    """Give the type that each option is read as, by the field's name.

    Where a field has an attrs converter, that is the converter's own parameter if it is annotated: the
    field's annotation then says what comes out of it.
    """
    hints = typing.get_type_hints(cls)
    return {
        field.name: _parameter_type(field) or hints[field.name]
        for field in attrs.fields(cls)
        if field.name in hints
    }


def _parameter_type(field: Field) -> Any:
    wrapped: Any = field.converter
    function = wrapped.converter if isinstance(field.converter, attrs.Converter) else wrapped
    if function is None:
        return None
    try:
        first = next(iter(inspect.signature(function, eval_str=True).parameters.values()))
    except (ValueError, TypeError, NameError, StopIteration):
        return None
    return None if first.annotation is first.empty else first.annotation


def _read(value: Any, field: Field, type_: Any, readers: Readers) -> Any:
    if field.metadata.get("one_or_many") and not isinstance(value, list):
        try:
            return readers.read([value], type_)
        except UnfitError as error:  # the reader wrote no list: say nothing of its first element
            faults = [attrs.evolve(fault, path=fault.path.removeprefix("[0]")) for fault in error.faults]
            raise UnfitError(faults) from error
    return readers.read(value, type_)


def _type_text(field: Field, type_: Any) -> str:
    items = typing.get_args(type_)
    alone = f"{show_type(items[0])} or " if field.metadata.get("one_or_many") and items else ""
    return alone + show_type(type_)


def _default_text(field: Field, type_: Any) -> str | None:
    default: Any = field.default
    if default is attrs.NOTHING:
        return None
    if isinstance(default, FACTORY):
        if default.takes_self:
            return "depends on the others"
        default = default.factory()
    return _shown_default(default, type_)


def _shown_default(default: Any, type_: Any) -> str:
    if default is None:
        return "none"
    if isinstance(default, Secret) and not default:
        return '""'
    if Seconds in (type_, *typing.get_args(type_)) and isinstance(default, int | float):
        return f'"{show_seconds(default)}"'
    if Bytes in (type_, *typing.get_args(type_)) and isinstance(default, int):
        return f'"{shown}"' if (shown := show_bytes(default)) != str(default) else shown
    if isinstance(default, tuple | frozenset | set):
        default = list(default)
    return show_value(getattr(default, "value", default))


def _options(cls: type) -> list[Field]:
    return [field for field in attrs.fields(cls) if field.init]


def _help(field: Field) -> str:
    return str(field.metadata.get("help", ""))
