"""An event that notes what is asked of it, so that it can be told what a filter looked at."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs
from lxml import etree

from voeflow._event import Citation, Event
from voeflow._matched import Matched, Place, matched, places_of
from voeflow._text import printable
from voeflow._what import Group, Param, Params
from voeflow._wherewhen import Position
from voeflow._xpath import XPath, XPathResult

#: The facts whose reading is noted, and where in a packet they stand (VOEvent 2.0, section 3).
_FACTS = {
    "ivorn": "/*/@ivorn",
    "role": "/*/@role",
    "version": "/*/@version",
    "author": "Who/AuthorIVORN",
    "date": "Who/Date",
    "description": "Description",
    "citations": "Citations/EventIVORN",
    "position": "WhereWhen//ObservationLocation//Position2D",
    "time": "WhereWhen//ObservationLocation//Time//ISOTime",
    "groups": "What/Group",
    "received": "",
    "source": "",
    "raw": "",
    "element": "",
    "valid": "",
    "defects": "",
    "attachments": "",
}

#: What is not worth more words than that it was looked at.
_WHOLE = frozenset({"raw", "element", "attachments"})


@attrs.frozen
class LookedAt:
    """A fact of an event that a filter asked for.

    Attributes:
        fact: what it asked for, as `role` or `params["SNR"]`.
        value: what it was given, in words.
        places: where that stands in the packet, if it stands there.
    """

    fact: str
    value: str
    places: tuple[Place, ...] = ()


class WatchedEvent(Event):
    """An event like another, that keeps a list of what it is asked for."""

    _seen: dict[str, LookedAt]
    _asked: dict[str, Matched]

    @classmethod
    def of(cls, event: Event) -> WatchedEvent:
        """Make one of an event."""
        given = {field.name: getattr(event, field.name) for field in attrs.fields(Event)}
        watched = cls(**given)
        read = {"_root": event._root, "_layout": event._layout, "_dated": event._dated}
        watched.__dict__.update(read, _seen={}, _asked={})
        return watched

    @property
    def seen(self) -> tuple[LookedAt, ...]:
        """What was looked at, each once, in the order in which it was first."""
        return tuple(self._seen.values())

    @property
    def asked(self) -> tuple[Matched, ...]:
        """The XPath that was asked, each once, with what it gave."""
        return tuple(self._asked.values())

    def xpath(self, expression: str | XPath) -> XPathResult:
        """See `Event.xpath`."""
        result = super().xpath(expression)  # which refuses what is no XPath
        self._asked.setdefault(str(expression), matched(expression, self._root))
        return result

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name == "params":
            return _WatchedParams(value, self._seen, super().__getattribute__("_root"))
        if name in _FACTS:
            seen = super().__getattribute__("__dict__").get("_seen")
            if seen is not None and name not in seen:
                seen[name] = self._look(name, value)
        return value

    if not TYPE_CHECKING:  # or any name would do

        def __getattr__(self, name: str) -> Any:
            # told in the words that a node would have for it
            raise AttributeError(f"'Event' object has no attribute '{name}'")

    def _look(self, name: str, value: object) -> LookedAt:
        if name in _WHOLE:
            return LookedAt(name, "all of it")
        path = _FACTS[name]
        places = tuple(places_of(path, self._root)) if path and value not in (None, (), "") else ()
        return LookedAt(name, _in_words(value), places)


class _WatchedParams(Params):
    """Parameters that note which of them are asked for."""

    __slots__ = ("_root", "_seen")

    def __init__(self, params: Params, seen: dict[str, LookedAt], root: etree._Element) -> None:
        super().__init__(params)
        self._seen, self._root = seen, root

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            self._note(key, super().get(key))
        return super().__getitem__(key)

    def get(self, name: str, default: Any = None) -> Any:
        """See `Params.get`."""
        found = super().get(name)
        self._note(name, found)
        return default if found is None else found

    def __iter__(self) -> Iterator[Param]:
        self._seen.setdefault("params", LookedAt("params", f"all {len(self)} of them"))
        return super().__iter__()

    def _note(self, name: str, found: Param | None) -> None:
        fact = f'params["{printable(name, 60)}"]'
        if fact in self._seen:
            return
        if found is None:
            self._seen[fact] = LookedAt(fact, "not there")
            return
        number = [each.get("name", "") for each in self._root.iterfind("What/Param")].index(name) + 1
        places = tuple(places_of(f"What/Param[{number}]", self._root))
        self._seen[fact] = LookedAt(fact, f"{printable(found.value, 100)} {found.unit}".strip(), places)


def _in_words(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, tuple):
        return "none" if not value else printable(", ".join(_in_words(each) for each in value))
    match value:
        case bool():
            return "yes" if value else "no"
        case Position():
            error = "unknown" if value.error is None else f"{value.error:g} deg"
            return f"ra {value.ra:g} deg, dec {value.dec:+g} deg, error {error}"
        case Citation():
            return printable(f"{value.kind} of {value.ivorn}")
        case Group():
            return printable(value.name)
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
    return printable(str(value))
