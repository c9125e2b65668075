"""One value of a TOML file to one Python type, strictly: nothing is cut, guessed or taken apart.

To call the type would not do: `int(2.9)` is 2, `bool("false")` is true, and `list("./slew.sh")` is nine
letters. The hooks here take only what the type means, and say in words what they expected.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import attrs

from voeflow._quantities import Bytes, Seconds, parse_bytes, parse_seconds
from voeflow._secret import Secret
from voeflow._shown import LISTS, TABLES, is_enum, is_union, origin_of, show_type, show_value
from voeflow._text import printable
from voeflow._xpath import XPath


@attrs.frozen(eq=False, repr=False)
class Fault:
    """What is wrong with a value, and where in it.

    Attributes:
        path: the place within the value: `[2]`, `.key`, or empty for the whole of it.
        problem: what was expected and what was there.
        remedy: what to do about it, or empty.
    """

    path: str
    problem: str
    remedy: str = ""


class UnfitError(Exception):
    """A value that does not fit its type; carries every fault found in it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(tuple(faults))
        self.faults = tuple(faults)


def faults_of(error: Exception) -> tuple[Fault, ...]:
    """Give the faults behind an exception of a reader, a converter or a validator, keeping its words."""
    if isinstance(error, UnfitError):
        return error.faults
    # attrs' validators put the attribute, the limits and the value after their message
    told = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
    return (Fault("", printable(told or type(error).__name__, 400)),)


_Hook = Callable[[Any, Any], Any]


class NoReaderError(LookupError):
    """A type that no TOML value can be read as."""


class Readers:
    """How values are read as the types that a plugin's options may have.

    What it gives is called with a value and the type, and raises ValueError, TypeError or UnfitError. Types
    that are not known here are left to cattrs, which takes some time to import; no plugin of ours has any.

    Args:
        directory: what relative paths are relative to.
        read_table: reads a table within the table, for a field whose type is an attrs class.
    """

    def __init__(self, directory: Path, read_table: _Hook) -> None:
        self._read_table = read_table
        scalars: dict[Any, Callable[[Any], object]] = {
            str: _text,
            bool: _truth,
            int: _whole_number,
            float: _number,
            bytes: _no_bytes,
            Path: lambda value: _path(value, directory),
            Secret: lambda value: _secret(value, directory),
            XPath: lambda value: XPath(_text(value)),
        }
        self._scalars = {type_: _scalar(type_, read) for type_, read in scalars.items()}

    def read(self, value: Any, type_: Any) -> Any:
        """Read a value as a type."""
        return self.of(type_)(value, type_)

    def of(self, type_: Any) -> _Hook:
        """Give what reads values as a type.

        Raises:
            NoReaderError: there is nothing.
        """
        return self._known(type_) or self._others(type_)

    def _known(self, type_: Any) -> _Hook | None:
        if type_ in (Any, object):
            return lambda value, _: value
        if type_ is Seconds:
            return lambda value, _: parse_seconds(value)
        if type_ is Bytes:
            return lambda value, _: parse_bytes(value)
        if isinstance(type_, type):
            for base in type_.__mro__:
                if base in self._scalars:
                    return self._scalars[base]
        if attrs.has(type_):
            return self._read_table
        if is_enum(type_):
            return _member
        origin = origin_of(type_)
        if origin in TABLES:
            return _table(type_, self)
        if origin in LISTS:
            return _list(type_, self)
        if is_union(type_):
            return _union(type_, self)
        return _literal if origin is Literal else None

    def _others(self, type_: Any) -> _Hook:
        from cattrs import BaseConverter
        from cattrs.errors import StructureHandlerNotFoundError

        converter = BaseConverter()
        for scalar, hook in self._scalars.items():
            converter.register_structure_hook(scalar, hook)

        def is_known(inner: Any) -> bool:
            return self._known(inner) is not None

        converter.register_structure_hook_factory(is_known, self.of)
        try:
            return converter.get_structure_hook(type_)
        except StructureHandlerNotFoundError as error:
            raise NoReaderError(str(error)) from error


def _scalar(registered: Any, read: Callable[[Any], object]) -> _Hook:
    """Make a hook that also serves subclasses, such as a StrEnum."""

    def hook(value: Any, type_: Any) -> Any:
        if type_ is registered:
            return read(value)
        return _member(value, type_) if is_enum(type_) else type_(read(value))

    return hook


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    quoted = f' (write "{value}")' if isinstance(value, int | float) and not isinstance(value, bool) else ""
    raise ValueError(f"expected a string, got {show_value(value)}{quoted}")


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"expected true or false without quotes, got {show_value(value)}")


def _whole_number(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"expected a whole number, got {show_value(value)}")


def _number(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value):
        return float(value)
    raise ValueError(f"expected a number, got {show_value(value)}")


def _no_bytes(_: Any) -> object:
    raise TypeError(
        "its plugin asks for bytes, which TOML has none of; it should ask for str, or for voeflow.Bytes"
    )


def _path(value: Any, directory: Path) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"expected a path, got {show_value(value)}")
    return resolved(Path(value), directory)


def resolved(path: Path, directory: Path) -> Path:
    """Expand `~` in a path, and take it as relative to `directory` unless it is absolute.

    Raises:
        ValueError: `~NAME` of a user that this machine does not know.
    """
    try:
        return directory / path.expanduser()
    except RuntimeError as error:
        raise ValueError(f"expected a path, got {show_value(str(path))}: {error}") from error


def _secret(value: Any, directory: Path) -> Secret:
    if isinstance(value, str):
        return Secret(value)
    if not isinstance(value, dict) or set(value) != {"file"}:  # the value itself stays untold
        raise ValueError('expected a string such as "${NAME}", or { file = "path" }')
    path = _path(value["file"], directory)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"the secret's file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ValueError(f"the secret's file {path} is not UTF-8 text") from None
    return Secret(text.removesuffix("\n").removesuffix("\r"))


def _literal(value: Any, type_: Any) -> object:
    return _one_of(value, {each: each for each in get_args(type_)})


def _member(value: Any, type_: Any) -> object:
    return _one_of(value, {each.value: each for each in type_})


def _one_of(value: Any, choices: Mapping[Any, object]) -> object:
    for key, choice in choices.items():
        if type(key) is type(value) and key == value:  # so that 1 is not true
            return choice
    raise ValueError(f"expected {' or '.join(map(show_value, choices))}, got {show_value(value)}")


def _union(type_: Any, readers: Readers) -> _Hook:
    """Take the first of the types that the value fits; TOML has no None, so that one is passed over."""
    members = [each for each in get_args(type_) if each is not types.NoneType]
    hooks = [(each, readers.of(each)) for each in members]
    tables = [(each, read) for each, read in hooks if origin_of(each) in TABLES or attrs.has(each)]

    def hook(value: Any, _: Any) -> Any:
        if isinstance(value, dict) and len(tables) == 1:  # so what is wrong is told of a key in it
            member, read = tables[0]
            return read(value, member)
        errors = []
        for member, read in hooks:
            try:
                return read(value, member)
            except (ValueError, TypeError, UnfitError) as error:
                errors.append(error)
        if len(errors) == 1:
            raise errors[0]
        raise ValueError(f"expected {show_type(type_)}, got {show_value(value)}")

    return hook


def _list(type_: Any, readers: Readers) -> _Hook:
    build = LISTS[origin_of(type_)]
    items = get_args(type_) or (Any, ...)
    fixed = origin_of(type_) is tuple and get_args(type_)[-1:] != (...,)
    hooks = [(each, readers.of(each)) for each in items if each is not ...]

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, list):
            alone = not isinstance(value, dict)
            remedy = f"write [{_as_list(value)}]" if alone else ""
            raise UnfitError([Fault("", f"expected a {show_type(type_)}, got {show_value(value)}", remedy)])
        if fixed and len(value) != len(hooks):
            raise ValueError(f"expected {len(hooks)} values in brackets, got {len(value)}")
        read, faults = [], []
        for n, each in enumerate(value):
            item, read_item = hooks[n if fixed else 0]
            try:
                read.append(read_item(each, item))
            except (ValueError, TypeError, UnfitError) as error:
                faults += [attrs.evolve(fault, path=f"[{n}]{fault.path}") for fault in faults_of(error)]
        if faults:
            raise UnfitError(faults)
        return build(read)

    return hook


def _table(type_: Any, readers: Readers) -> _Hook:
    _, item = get_args(type_) or (str, Any)
    read_item = readers.of(item)

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError(f"expected a table, as {{ name = ... }}, got {show_value(value)}")
        read, faults = {}, []
        for key, each in value.items():
            try:
                read[key] = read_item(each, item)
            except (ValueError, TypeError, UnfitError) as error:
                faults += [attrs.evolve(fault, path=f".{key}{fault.path}") for fault in faults_of(error)]
        if faults:
            raise UnfitError(faults)
        return read

    return hook


def _as_list(value: object) -> str:
    """Give a lone value as the items of a list: of a command's words, each is an item."""
    words = value.split() if isinstance(value, str) else ()
    return ", ".join(show_value(word) for word in words) if len(words) > 1 else show_value(value)
