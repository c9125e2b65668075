"""Finding a `Param` of a packet by its name, whether it stands in a group or not."""

from __future__ import annotations

from collections.abc import Iterator

import voeflow

#: The longest name or value of a Param in a reason, in characters.
SHOWN = 60


def params_named(event: voeflow.Event, name: str, group: str | None = None) -> Iterator[voeflow.Param]:
    """Give the Params of one name: those of no group first, then those of each group, in the packet's order.

    Args:
        event: where to look.
        name: exactly.
        group: only those in groups of this name; None for all, and those of no group.
    """
    if group is None and (first := event.params.get(name)) is not None:
        yield first
        yield from (param for param in event.params if param.name == name and param is not first)
    for each in event.groups:
        if group is None or each.name == group:
            yield from (param for param in each.params if param.name == name)


def place_of(name: str, group: str | None) -> str:
    """Give what is looked for in words."""
    inside = f" in a group {voeflow.printable(group, SHOWN)}" if group is not None else ""
    return f"Param {voeflow.printable(name, SHOWN)}{inside}"
