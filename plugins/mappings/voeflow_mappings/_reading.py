"""Reading a notice's JSON: what is there has the type that is expected, or the error says where not."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from voeflow import EventError, parse_utc, printable

#: Anything but the characters of XML 1.0, section 2.2.
_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
#: The text of a time that a packet can have as it is: UTC, to the digit that the notice gives.
_PLAIN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(\.\d{1,12})?Z?", re.ASCII)
#: What JSON calls Python's types.
_KINDS = {str: "a text", bool: "true or false", dict: "an object", list: "a list", type(None): "null"}


def clean(text: str) -> str:
    """Put the replacement character in the place of those that no XML can have."""
    return _NOT_XML.sub("\ufffd", text)


def kind(value: object) -> str:
    """What a value of JSON is, in words."""
    return _KINDS.get(type(value), "a number")


@attrs.frozen
class Time:
    """A time of a notice.

    Attributes:
        moment: in UTC, to the microsecond.
        text: as a packet has it: the notice's own text where that can be.
    """

    moment: datetime
    text: str


@attrs.frozen
class Fields:
    """An object of a notice, and where it is: `$` is the notice, `$.event` its field `event`."""

    values: Mapping[str, Any]
    path: str = "$"

    @classmethod
    def of(cls, value: object, path: str = "$") -> Fields:
        """Take a value that must be an object.

        Raises:
            EventError: it is none.
        """
        if not isinstance(value, dict):
            raise EventError(f"{path}: expected an object, got {kind(value)}")
        return cls(value, path)

    def wrong(self, name: str, expected: str) -> EventError:
        """Make the error for a field that is not what was expected."""
        value = self.values.get(name)
        got = f"{printable(repr(value), 60)}" if isinstance(value, str | int | float) else kind(value)
        return EventError(
            f"{self.path}.{name}: expected {expected}, got {got if name in self.values else 'none'}"
        )

    def text(self, name: str) -> str:
        """The text of a field, fit for XML; empty where there is none, or null."""
        value = self.values.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.wrong(name, "a text")
        return clean(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of a field that may have one or a list of them; a whole number is taken as one."""
        value = self.values.get(name)
        values = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(each, str | int) and not isinstance(each, bool) for each in values):
            raise self.wrong(name, "a text, or a list of them")
        return tuple(clean(str(each)) for each in values if each != "")

    def number(self, name: str, least: float = -math.inf, most: float = math.inf) -> float | None:
        """The number of a field; None where there is none, or null."""
        value = self.values.get(name)
        if value is None:
            return None
        if not is_number(value) or not least <= value <= most:
            span = "" if math.isinf(least) else f" of at least {least:g}"
            raise self.wrong(
                name, "a number" + (span if math.isinf(most) else f" from {least:g} to {most:g}")
            )
        return float(value)

    def flag(self, name: str) -> bool | None:
        """The truth of a field; None where there is none, or null."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def time(self, name: str) -> Time | None:
        """The time of a field, ISO 8601 in UTC; None where there is none, or null."""
        text = self.text(name).strip()
        if not text:
            return None
        moment = parse_utc(text)
        if moment is None:
            raise self.wrong(name, "a time in UTC such as 2026-11-24T01:02:03.5Z")
        plain = _PLAIN.fullmatch(text)
        return Time(moment, text if plain else moment.replace(tzinfo=None).isoformat())

    def child(self, name: str) -> Fields | None:
        """The object in a field; None where there is none, or null."""
        value = self.values.get(name)
        return None if value is None else Fields.of(value, f"{self.path}.{name}")


def is_number(value: object) -> bool:
    """Whether a value of JSON is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
