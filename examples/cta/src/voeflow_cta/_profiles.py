"""Sites, telescopes and alerts of one's own, from a TOML file beside the pipeline."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs

from ._alerts import ALERTS, Alert
from ._sites import SITES, Site
from ._telescopes import MOON, TELESCOPES, Telescope

_Made = TypeVar("_Made", Site, Telescope, Alert)

_TEXT, _NUMBER = "text in quotes", "a number"


@attrs.frozen
class Profiles:
    """What `site`, `telescope` and `kinds` can name.

    Attributes:
        sites: by name.
        telescopes: by name.
        alerts: which packets are of which kind; the first that fits counts.
    """

    sites: Mapping[str, Site] = SITES
    telescopes: Mapping[str, Telescope] = TELESCOPES
    alerts: Sequence[Alert] = ALERTS

    def kinds(self) -> tuple[str, ...]:
        """The kinds of alerts there are, each once."""
        return tuple(dict.fromkeys(alert.kind for alert in self.alerts))


def read_profiles(path: Path | None) -> Profiles:
    """Read a file of profiles; what it names stands beside what is built in, or in its place.

    Raises:
        ValueError: it cannot be read, or says something that is not expected: with its name, table and key.
    """
    if path is None:
        return Profiles()
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML: {error}") from None
    if unknown := set(tables) - {"sites", "telescopes", "alerts"}:
        raise ValueError(
            f"{path}: {sorted(unknown)[0]}: expected the tables [sites.NAME], [telescopes.NAME] and"
            " [[alerts]]"
        )
    sites = _named(Site, tables.get("sites", {}), f"{path}: sites")
    telescopes = _named(Telescope, tables.get("telescopes", {}), f"{path}: telescopes")
    for name, telescope in telescopes.items():
        if telescope.moon not in MOON:
            raise ValueError(f"{path}: telescopes.{name}.moon: {expected(telescope.moon, MOON)}")
    own = tables.get("alerts", [])
    if not isinstance(own, list):
        raise ValueError(f"{path}: alerts: expected [[alerts]], in two pairs of brackets")
    alerts = [_make(Alert, table, f"{path}: alerts.{number}") for number, table in enumerate(own, 1)]
    return Profiles({**SITES, **sites}, {**TELESCOPES, **telescopes}, (*alerts, *ALERTS))


def check_profiles(instance: object, attribute: attrs.Attribute[Path | None], path: Path | None) -> None:
    """See that the file of an option `profiles` can be read; a validator."""
    read_profiles(path)


def one_of(known: Callable[[Profiles], Collection[str]]) -> Callable[[Any, Any, Any], None]:
    """Make a validator: an option, or each of its entries, is one of what the option `profiles` knows."""

    def check(instance: Any, attribute: attrs.Attribute[Any], value: str | Sequence[str]) -> None:
        try:
            names = known(read_profiles(instance.profiles))
        except ValueError:
            return  # told of `profiles` itself
        for name in [value] if isinstance(value, str) else value:
            if name not in names:
                raise ValueError(expected(name, names))

    return check


def expected(name: str, known: Collection[str]) -> str:
    """Say of a name that it is not known, and which are."""
    near = difflib.get_close_matches(name, known, 1)
    did_you_mean = f"; did you mean {near[0]}?" if near else ""
    return f'expected one of {", ".join(known)}, got "{name}"{did_you_mean}'


def _named(kind: type[_Made], tables: object, where: str) -> dict[str, _Made]:
    if not isinstance(tables, dict):
        raise ValueError(f"{where}: expected tables [{where.rpartition(' ')[2]}.NAME]")
    return {name: _make(kind, table, f"{where}.{name}") for name, table in tables.items()}


def _make(kind: type[_Made], table: object, where: str) -> _Made:
    if not isinstance(table, dict):
        raise ValueError(f"{where}: expected a table")
    fields = {name: field for name, field in attrs.fields_dict(kind).items() if field.init}
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in fields:
            raise ValueError(f"{where}.{key}: {expected(key, list(fields))}")
        values[key] = _value(value, fields[key].type, f"{where}.{key}")
    for key, field in fields.items():
        if field.default is attrs.NOTHING and key not in values:
            raise ValueError(f"{where}: {key} is missing")
    try:
        return kind(**values)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _value(value: object, kind: object, where: str) -> object:
    """See that a value is what the field's annotation, which is text here, says."""
    if kind == "float":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{where}: expected {_NUMBER}, got {value!r}")
        return float(value)
    if kind == "str":
        if not isinstance(value, str):
            raise ValueError(f"{where}: expected {_TEXT}, got {value!r}")
        return value
    entry = int if kind == "tuple[int, ...]" else str
    if not isinstance(value, list) or not all(type(each) is entry for each in value):
        of = "whole numbers" if entry is int else _TEXT
        raise ValueError(f"{where}: expected a list of {of}, got {value!r}")
    return tuple(value)
