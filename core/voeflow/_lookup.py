"""The plugin that a table names, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voeflow._errors import Mistake
from voeflow._names import nearest
from voeflow._plugin import METHODS, Kind, Plugin
from voeflow._plugins import Plugins
from voeflow._shown import show_value


def find_plugin(kind: Kind, where: str, table: Mapping[str, Any], plugins: Plugins) -> Plugin | Mistake:
    """Find the plugin that a table names.

    Args:
        kind: what the table must name.
        where: the table's name, as `handlers.slew`.
        table: its keys and values.
        plugins: what is installed.

    Returns:
        The plugin, or what is wrong with the table's `plugin` key.
    """
    where = f"{where}.plugin"
    known = plugins.of_kind(kind)
    name = table.get("plugin")
    if name is None:
        return Mistake(where, f"is missing; expected the name of a {kind}", _there_are(kind, known))
    if not isinstance(name, str):
        return Mistake(
            where, f"expected the name of a {kind}, got {show_value(name)}", _there_are(kind, known)
        )
    return known.get(name) or _unknown(kind, where, name, plugins)


def _unknown(kind: Kind, where: str, name: str, plugins: Plugins) -> Mistake:
    shown = show_value(name)
    for error in plugins.failed:
        if error.plugin == name:
            return Mistake(
                where, f"the plugin {shown} of {error.distribution} cannot be used: {error.reason}"
            )
    for other in METHODS:
        if name in plugins.of_kind(other):
            remedy = f"it goes into a table [{other}s.NAME]"
            return Mistake(where, f"expected the name of a {kind}, got {shown}, which is a {other}", remedy)
    remedy = nearest(name, plugins.of_kind(kind), _installed(kind))
    if set("/:").intersection(name) or name.endswith(".py"):
        remedy = (
            "a plugin has a name that an installed distribution gives it, and is no file or class: "
            "`voeflow new plugin` writes such a distribution"
        )
    if plugins.unloaded:
        told = "; ".join(f"{each.distribution}: {each.reason}" for each in plugins.unloaded)
        remedy += f"; or it belongs to what could not be loaded: {told}"
    return Mistake(where, f"no {kind} {shown} is installed", remedy)


def _there_are(kind: Kind, known: Mapping[str, Plugin]) -> str:
    return nearest("", known, _installed(kind))


def _installed(kind: Kind) -> str:
    return f"installed {kind}s"
