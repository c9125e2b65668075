"""Reading of a pipeline file what a look into its store needs, whatever is wrong with the rest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from voeflow._errors import PipelineError
from voeflow._lookup import find_plugin
from voeflow._masking import masked
from voeflow._pipeline import FAMILIES, Reader, in_order, names_of
from voeflow._plugin import Kind, Plugin
from voeflow._plugins import Plugins
from voeflow._quantities import parse_seconds
from voeflow._tables import Pipeline
from voeflow._toml import read_toml


@attrs.frozen
class SourceLook:
    """A transport that events come in through, as far as it could be read.

    Attributes:
        name: its table's name.
        plugin: what its table names as its plugin.
        silent_after: how long it may hear nothing before an alarm is raised, in seconds; None for no alarm.
    """

    name: str
    plugin: str
    silent_after: float | None


@attrs.frozen
class SinkLook:
    """A handler, or a transport that events go out to, as far as it could be read.

    Attributes:
        name: its table's name.
        plugin: what its table names as its plugin; None where no such plugin is installed.
    """

    name: str
    plugin: str | None


@attrs.frozen(kw_only=True)
class Look:
    """What a look into a store needs to know of its pipeline.

    Attributes:
        pipeline: the file, without its transports and handlers.
        sinks: what events go out to, in the order of the file; handlers and transports are not mixed, and
            those are first of which the first table is.
        others: the names of the transports that are no sinks.
        sources: the transports that events come in through, in the order of the file.
    """

    pipeline: Pipeline
    sinks: tuple[SinkLook, ...]
    others: tuple[str, ...]
    sources: tuple[SourceLook, ...]


def load_to_look(path: Path, plugins: Plugins, environ: Mapping[str, str]) -> Look:
    """Read what a look into a pipeline's store needs: its own keys and its filters.

    Its transports and handlers are left out, with the mistakes in them: a look must not fail for want of a
    mail server's password, say.

    Raises:
        PipelineError: with every mistake found in the rest.
    """
    document = read_toml(path, environ)
    left_out = (FAMILIES["transport"], FAMILIES["handler"])
    rest = {key: value for key, value in document.table.items() if key not in left_out}
    reader = Reader(path, plugins, whole=False)
    pipeline = reader.pipeline(rest)
    mistakes = [each for each in document.mistakes if each.where.partition(".")[0] not in left_out]
    mistakes += reader.mistakes
    if mistakes or pipeline is None:
        raise PipelineError(path, masked(in_order(mistakes, rest), document.secrets))
    kinds = {family: kind for kind, family in FAMILIES.items() if family in left_out}
    found = {
        (kind, name): _plugin(kind, name, table[name], plugins)
        for family, table in document.table.items()
        if (kind := kinds.get(family)) is not None
        for name in names_of(table)
    }
    return Look(
        pipeline=pipeline,
        sinks=tuple(
            SinkLook(name, plugin.name if plugin is not None else None)
            for (kind, name), plugin in found.items()
            if _is_sink(kind, plugin)
        ),
        others=tuple(name for (kind, name), plugin in found.items() if not _is_sink(kind, plugin)),
        sources=tuple(
            SourceLook(name, plugin.name, _seconds(document.table[FAMILIES[kind]][name].get("silent_after")))
            for (kind, name), plugin in found.items()
            if kind == "transport" and plugin is not None and plugin.is_source
        ),
    )


def _plugin(kind: Kind, name: str, table: Any, plugins: Plugins) -> Plugin | None:
    found = find_plugin(kind, name, table, plugins) if isinstance(table, dict) else None
    return found if isinstance(found, Plugin) else None


def _is_sink(kind: Kind, plugin: Plugin | None) -> bool:
    return kind == "handler" or (plugin is not None and plugin.is_sink)


def _seconds(value: object) -> float | None:
    try:
        return parse_seconds(value) if value is not None else None
    except ValueError:
        return None
