"""What was measured: the `What` of a packet (VOEvent 2.0, section 3.3)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TypeVar, overload

import attrs
from lxml import etree

from voeflow._text import printable
from voeflow._xml import child, children, text_of

_Default = TypeVar("_Default")


@attrs.frozen
class Param:
    """One named value (VOEvent 2.0, section 3.3.1).

    Attributes:
        name: `Param/@name`, empty where it has none. Names may repeat, also within one packet.
        value: `Param/@value`, or the text of its `Value` child, or empty; as written.
        unit: `Param/@unit`, as `deg` or `erg/cm2/sec`; empty where there is none.
        ucd: `Param/@ucd`, what kind of quantity it is in the IVOA's words (Unified Content Descriptors), as
            `pos.eq.ra`.
        data_type: `Param/@dataType`: `string`, `int`, `float`, or empty, which means `string`. It is what the
            author says; the value need not be one.
        description: the text of its `Description`, or empty.
    """

    name: str
    value: str
    unit: str = ""
    ucd: str = ""
    data_type: str = ""
    description: str = ""

    @property
    def number(self) -> float:
        """The value as a number in `unit`; NaN where it is none. It never raises."""
        return parse_number(self.value)


class Params:
    """The `Param`s of one place, in the packet's order: a sequence that also knows them by name.

    `params["TrigID"]` is the first of that name; `params[0]` the first of all; `"TrigID" in params` asks for
    a name.
    """

    __slots__ = ("_by_name", "_params")

    def __init__(self, params: Iterable[Param] = ()) -> None:
        self._params = tuple(params)
        self._by_name: dict[str, Param] = {}
        for param in self._params:
            self._by_name.setdefault(param.name, param)

    @overload
    def __getitem__(self, key: str | int) -> Param: ...
    @overload
    def __getitem__(self, key: slice) -> Params: ...
    def __getitem__(self, key: str | int | slice) -> Param | Params:
        if isinstance(key, str):
            try:
                return self._by_name[key]
            except KeyError:
                raise KeyError(self._missing(key)) from None
        return Params(self._params[key]) if isinstance(key, slice) else self._params[key]

    @overload
    def get(self, name: str) -> Param | None: ...
    @overload
    def get(self, name: str, default: _Default) -> Param | _Default: ...
    def get(self, name: str, default: _Default | None = None) -> Param | _Default | None:
        """The first `Param` of that name, or `default`."""
        return self._by_name.get(name, default)

    def names(self) -> tuple[str, ...]:
        """The names, each once, in the packet's order."""
        return tuple(self._by_name)

    def __contains__(self, item: object) -> bool:
        return item in self._by_name if isinstance(item, str) else item in self._params

    def __iter__(self) -> Iterator[Param]:
        return iter(self._params)

    def __len__(self) -> int:
        return len(self._params)

    def __eq__(self, other: object) -> bool:
        return self._params == other._params if isinstance(other, Params) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._params)

    def __repr__(self) -> str:
        return f"<Params {', '.join(printable(name, 40) for name in self._by_name)}>"

    def _missing(self, name: str) -> str:
        from difflib import get_close_matches  # for mistakes alone

        near = get_close_matches(name, self._by_name, cutoff=0.5)
        known = (
            f"nearest: {', '.join(printable(one, 60) for one in near)}"
            if near
            else f"there are {len(self)} others"
        )
        return f"no Param named {printable(name, 60)!r}; {known}"


@attrs.frozen
class Group:
    """Named values that belong together (VOEvent 2.0, section 3.3.2). Groups do not nest.

    Attributes:
        name: `Group/@name`, or empty.
        type: `Group/@type`, or empty.
        params: its `Param`s.
        description: the text of its first `Description`, or empty.
    """

    name: str
    type: str
    params: Params
    description: str = ""


def parse_number(text: str) -> float:
    """Read a float of XML Schema; NaN where it is none. It never raises."""
    try:
        return math.nan if "_" in text else float(text)
    except ValueError:
        return math.nan


def read_params(parent: etree._Element | None) -> Params:
    """The `Param`s directly below `parent`; none where that is None."""
    return Params(_read_param(element) for element in children(parent, "Param"))


def read_groups(what: etree._Element | None) -> tuple[Group, ...]:
    """The `Group`s directly below a `What`."""
    return tuple(
        Group(
            name=element.get("name", ""),
            type=element.get("type", ""),
            params=read_params(element),
            description=text_of(child(element, "Description")),
        )
        for element in children(what, "Group")
    )


def _read_param(element: etree._Element) -> Param:
    value = element.get("value")
    return Param(
        name=element.get("name", ""),
        value=text_of(child(element, "Value")) if value is None else value,
        unit=element.get("unit", ""),
        ucd=element.get("ucd", ""),
        data_type=element.get("dataType", ""),
        description=text_of(child(element, "Description")) if len(element) else "",
    )
