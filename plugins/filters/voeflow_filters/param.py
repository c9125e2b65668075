"""The `param` filter: what a packet says was measured, held against a limit or a text."""

from __future__ import annotations

import fnmatch
import itertools
import re
from collections.abc import Callable
from typing import ClassVar

import attrs

import voeflow

from ._params import params_named, place_of
from ._quantity import Quantity, UnlikeError, in_unit_of, parse_quantity, read_param
from ._units import parse_unit

#: A packet's number that is a limit but for rounding, as 0.1 nT in T, is on it.
_ROUNDING = 1e-12

#: How many Params of the name are looked at, and how many characters of a text: more is no measurement.
LOOKED_AT_MAX, TEXT_MAX = 1000, 1000

_Compare = Callable[[float, float], bool]
_ABOVE: _Compare = lambda found, limit: found > limit  # noqa: E731 - four of a kind
_AT_LEAST: _Compare = lambda found, limit: found >= limit  # noqa: E731
_BELOW: _Compare = lambda found, limit: found < limit  # noqa: E731
_AT_MOST: _Compare = lambda found, limit: found <= limit  # noqa: E731


def _quantity(
    instance: object, attribute: attrs.Attribute[float | str | None], value: float | str | None
) -> None:
    if value is not None:
        parse_quantity(value)


def _some_name(instance: object, attribute: attrs.Attribute[str], name: str) -> None:
    if not name:
        raise ValueError('expected the name of a Param, such as "Burst_Signal", got an empty one')


def _unit(instance: object, attribute: attrs.Attribute[str], unit: str) -> None:
    parse_unit(unit)


def _limit(words: str) -> float | str | None:
    return attrs.field(default=None, validator=_quantity, metadata={"help": words})


@attrs.frozen
class Param:
    """Pass events with a `Param` of a name, whose value is as asked.

    Any of `above`, `at_least`, `below` and `at_most` may be given, as a number or with a unit; the value is
    then converted to that unit. Units are those of IVOA's VOUnits: `km/s`, `erg/cm2/s`, `nT`, `cm-3`, `keV`,
    `deg`, and so on. A limit without a unit is held against the number as it stands. A limit with one is not
    met by a value without (unless `unit` says what it is), nor by one that measures something else; the
    reason says so. A flare's class, as `"M5"`, is a flux in W/m2 on either side.

    `equals` is for texts and numbers as they stand, `like` for texts with `*` and `?`. With none of these it
    is enough that the packet has the Param. Where it has several of the name, in groups too, one that is as
    asked is enough.

        [filters.fast_wind]
        plugin   = "param"
        name     = "Solar_Wind_Speed"
        at_least = "600 km/s"

        [filters.strong_flare]
        plugin   = "param"
        name     = "Flare_Class"
        at_least = "M5"
    """

    inline: ClassVar[bool] = True

    name: str = attrs.field(validator=_some_name, metadata={"help": "the Param's name, exactly"})
    group: str | None = attrs.field(
        default=None, metadata={"help": "only in a Group of this name; anywhere if left out"}
    )
    above: float | str | None = _limit('its value is greater: a number, or "10 km/s"')
    at_least: float | str | None = _limit("its value is this or greater")
    below: float | str | None = _limit("its value is smaller")
    at_most: float | str | None = _limit("its value is this or smaller")
    equals: tuple[float | str, ...] = attrs.field(
        default=(), metadata={"help": "its value is this, or one of these", "one_or_many": True}
    )
    like: tuple[str, ...] = attrs.field(
        default=(),
        metadata={"help": "its value is like this, or one of these, with * and ?", "one_or_many": True},
    )
    unit: str = attrs.field(
        default="", validator=_unit, metadata={"help": "the unit of a value for which the packet gives none"}
    )
    _limits: tuple[tuple[_Compare, str, Quantity], ...] = attrs.field(init=False, repr=False, eq=False)
    _like: re.Pattern[str] | None = attrs.field(init=False, repr=False, eq=False)

    @_limits.default
    def _read_limits(self) -> tuple[tuple[_Compare, str, Quantity], ...]:
        given = (
            (_ABOVE, "not above", self.above),
            (_AT_LEAST, "below", self.at_least),
            (_BELOW, "not below", self.below),
            (_AT_MOST, "above", self.at_most),
        )
        limits = [(*words, parse_quantity(limit)) for *words, limit in given if limit is not None]
        return tuple(limits)  # type: ignore[arg-type]  # unpacking hides the types of `words`

    @_like.default
    def _compiled(self) -> re.Pattern[str] | None:
        return re.compile("|".join(fnmatch.translate(glob) for glob in self.like)) if self.like else None

    def matches(self, event: voeflow.Event) -> voeflow.Verdict:
        """Say whether the event has such a Param, and what decided."""
        verdict = voeflow.Verdict(False, f"no {place_of(self.name, self.group)}")
        for param in itertools.islice(params_named(event, self.name, self.group), LOOKED_AT_MAX):
            verdict = self._judge(param)
            if verdict:
                break
        return verdict

    def _judge(self, param: voeflow.Param) -> voeflow.Verdict:
        name, value = voeflow.printable(self.name, 60), param.value[:TEXT_MAX].strip()
        said = f"{value} {param.unit[:TEXT_MAX]}".strip()
        shown = f"{name} is {voeflow.printable(said, 80) or 'empty'}"
        if self.equals and not any(_is(param, each) for each in self.equals):
            return voeflow.Verdict(False, shown)
        if self._like is not None and self._like.match(value) is None:
            return voeflow.Verdict(False, shown)
        try:
            found = read_param(param, self.unit) if self._limits else None
            for compare, words, limit in self._limits:
                assert found is not None
                if not compare(_rounded(in_unit_of(found, limit), limit.value), limit.value):
                    return voeflow.Verdict(False, f"{shown}, {words} {limit.text}")
        except UnlikeError as error:
            return voeflow.Verdict(False, f"{name}: {error}")
        return voeflow.Verdict(True, shown)


def _is(param: voeflow.Param, wanted: float | str) -> bool:
    return param.value.strip() == wanted if isinstance(wanted, str) else param.number == wanted


def _rounded(value: float, limit: float) -> float:
    """Give the limit for a value that differs from it by no more than rounding does."""
    return limit if abs(value - limit) <= _ROUNDING * abs(limit) else value
