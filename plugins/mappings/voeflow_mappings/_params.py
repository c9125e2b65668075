"""Any values of a notice as the Params of a packet, within bounds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from voeflow import Group, Param, Params

from ._reading import clean, is_number

#: The most Params that are made of a notice. The largest published notice needs 60.
MAX_PARAMS = 500
#: The most characters of one name, of one value, and of all of them. Written at their longest (6 bytes for a
#: character, 100 for what is around each) they stay below 1 MiB, which brokers accept.
MAX_NAME = 100
MAX_VALUE = 10_000
MAX_CHARACTERS = 100_000


@attrs.frozen
class About:
    """What is known of a field beside its value.

    Attributes:
        unit: its unit, as `deg`.
        ucd: what kind of quantity it is in the IVOA's words (UCD1+).
        description: what it is, for people.
        unit_in: the field beside it that has its unit; `unit` is what it is where that is missing.
        real: whether it is a real number, also where a notice happens to have a whole one.
    """

    unit: str = ""
    ucd: str = ""
    description: str = ""
    unit_in: str = ""
    real: bool = False


_NOTHING = About()
Words = Mapping[str, About]


def value_of(value: object) -> tuple[str, str]:
    """Write a value as a Param has it, and give its dataType.

    A list of numbers has blanks between them, one of texts commas, as LVK's VOEvents list detectors. Any
    other list, also one of texts that have commas, is written as JSON.
    """
    if isinstance(value, bool):
        return ("true" if value else "false"), "string"
    if isinstance(value, int):
        return str(value), "int"
    if isinstance(value, float):
        return repr(value), "float"
    if isinstance(value, str):
        return clean(value), "string"
    assert isinstance(value, list)
    if all(is_number(each) for each in value):
        return " ".join(value_of(each)[0] for each in value), "string"
    if all(isinstance(each, str) and "," not in each for each in value):
        return clean(",".join(value)), "string"
    return clean(json.dumps(value, ensure_ascii=False, separators=(",", ":"))), "string"


@attrs.define
class Budget:
    """What may still be put into a packet, and how much had to be left out of it."""

    params: int = MAX_PARAMS
    characters: int = MAX_CHARACTERS
    left_out: int = 0

    def admits(self, name: str, value: str) -> bool:
        """Count a Param, if there is room for it."""
        size = len(name) + len(value)
        fits = (
            0 < len(name) <= MAX_NAME
            and len(value) <= MAX_VALUE
            and self.params > 0
            and self.characters >= size
        )
        if fits:
            self.params -= 1
            self.characters -= size
        else:
            self.left_out += 1
        return fits

    def note(self) -> Iterator[Param]:
        """Tell of what was left out."""
        if self.left_out:
            yield Param(
                "left_out", str(self.left_out), data_type="int",
                description="Values too long or too many for the packet; they are in the notice beside it",
            )  # fmt: skip


def make_params(
    values: Mapping[str, Any], words: Words, budget: Budget, *, without: Iterable[str] = ()
) -> tuple[list[Param], list[Group]]:
    """Make a Param of each scalar, and a Group of each object and of each object in a list.

    What is null or empty is left out. Deeper objects become Params of their group, named `outer.inner`.

    Args:
        values: the fields.
        words: what is known of them, by name.
        budget: what there is room for.
        without: the names of those to pass over.
    """
    params: list[Param] = []
    groups: list[Group] = []
    passed = frozenset(without)
    for name, value in values.items():
        if name in passed:
            continue
        objects = value if isinstance(value, list) else [value]
        if isinstance(value, dict | list) and objects and all(isinstance(each, dict) for each in objects):
            for each in objects:
                group = Params(flat_params(each, words, budget))
                if group and budget.admits(clean(name), ""):
                    groups.append(Group(clean(name), clean(name), group))
        else:
            params += flat_params({name: value}, words, budget, beside=values)
    return params, groups


def flat_params(
    values: Mapping[str, Any],
    words: Words,
    budget: Budget,
    *,
    prefix: str = "",
    beside: Mapping[str, Any] | None = None,
) -> Iterator[Param]:
    """Make Params of all that is in an object, however deep.

    Args:
        values: the fields.
        words: what is known of them, by name.
        budget: what there is room for.
        prefix: what their names begin with.
        beside: where the fields are that have their units; `values` itself if left out.
    """
    for key, value in values.items():
        name = prefix + clean(key)
        if isinstance(value, dict):
            yield from flat_params(value, words, budget, prefix=name + ".")
        elif value is None or value == []:
            continue
        elif isinstance(value, list) and len(value) > MAX_VALUE:
            budget.left_out += 1
        else:
            about = words.get(key, _NOTHING)
            text, data_type = value_of(float(value) if about.real and is_number(value) else value)
            if budget.admits(name, text):
                unit = (values if beside is None else beside).get(about.unit_in) or about.unit
                yield Param(
                    name,
                    text,
                    clean(unit)[:MAX_NAME] if isinstance(unit, str) else "",
                    about.ucd,
                    data_type,
                    about.description,
                )
