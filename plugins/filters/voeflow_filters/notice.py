"""The `notice` filter: which type of GCN notice an event is."""

from __future__ import annotations

import fnmatch
import functools
from difflib import get_close_matches
from typing import ClassVar

import attrs

import voeflow

from ._notice_types import NOTICE_TYPES

#: The Param in which GCN, and who follows it, writes the type's number.
_PARAM = "Packet_Type"

_Types = tuple[str | int, ...]


def _numbers(types: _Types) -> frozenset[int]:
    """Find the numbers that names, globs of names, and numbers stand for.

    Raises:
        ValueError: a name is none of GCN's, or a number no type's.
    """
    found: set[int] = set()
    for wanted in types:
        if isinstance(wanted, int) or wanted.isdecimal():
            found.add(int(wanted))
            continue
        named = [n for n, name in NOTICE_TYPES.items() if fnmatch.fnmatchcase(name, wanted.upper())]
        if not named:
            near = get_close_matches(wanted.upper(), NOTICE_TYPES.values(), n=1)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            raise ValueError(
                f'"{wanted}" is no type of notice that is known here{hint}; one that is too new can be '
                "given by its number"
            )
        found.update(named)
    return frozenset(found)


def _known(instance: object, attribute: attrs.Attribute[_Types], types: _Types) -> None:
    if not types:
        raise ValueError('expected at least one type of notice, such as "SWIFT_BAT_GRB_POS_ACK"')
    _numbers(types)


@attrs.frozen
class Notice:
    """Pass events that are GCN notices of one of the `types`.

    A type is GCN's name for it, with `*` and `?`, or its number. It stands in a packet's Param `Packet_Type`,
    which GCN writes into each, and others (LVK, SVOM) do as well. An event without it does not pass. Role and
    author do not tell types apart: most of Swift's packets are observations by one author, and no bursts.

        [filters.swift_burst]
        plugin = "notice"
        types  = ["SWIFT_BAT_GRB_POS_ACK", "SWIFT_XRT_POSITION"]
    """

    inline: ClassVar[bool] = True

    types: _Types = attrs.field(
        validator=_known,
        metadata={
            "help": "GCN's types of notice: names, with * and ?, or numbers; one or a list",
            "one_or_many": True,
        },
    )

    @functools.cached_property
    def _wanted(self) -> frozenset[int]:
        return _numbers(self.types)

    def matches(self, event: voeflow.Event) -> voeflow.Verdict:
        """Say whether the event's type of notice is one of those asked for."""
        param = event.params.get(_PARAM)
        if param is None:
            return voeflow.Verdict(False, f"no Param {_PARAM}")
        number = param.number
        name = NOTICE_TYPES.get(int(number)) if number in NOTICE_TYPES else None
        shown = f"{number:g} ({name})" if name else voeflow.printable(param.value, 40)
        return voeflow.Verdict(number in self._wanted, f"type of notice is {shown}")
