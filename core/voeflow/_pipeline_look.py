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
from voeflow._plugin import Plugin
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


@attrs.frozen(kw_only=True)
class Look:
    """What a look into a store needs to know of its pipeline.

    Attributes:
        pipeline: the file, without its transports and handlers.
        sinks: the names of what events go out to.
        others: the names of the transports that are no sinks.
        sources: the transports that events come in through, in the order of the file.
    """

    pipeline: Pipeline
    sinks: tuple[str, ...]
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
    transports, handlers = (document.table.get(family, {}) for family in left_out)
    found = {name: _plugin(name, transports[name], plugins) for name in names_of(transports)}
    carriers = [name for name, plugin in found.items() if plugin is not None and plugin.is_sink]
    return Look(
        pipeline=pipeline,
        sinks=(*names_of(handlers), *carriers),
        others=tuple(name for name in found if name not in carriers),
        sources=tuple(
            SourceLook(name, plugin.name, _seconds(transports[name].get("silent_after")))
            for name, plugin in found.items()
            if plugin is not None and plugin.is_source
        ),
    )


def _plugin(name: str, table: Any, plugins: Plugins) -> Plugin | None:
    found = find_plugin("transport", name, table, plugins) if isinstance(table, dict) else None
    return found if isinstance(found, Plugin) else None


def _seconds(value: object) -> float | None:
    try:
        return parse_seconds(value) if value is not None else None
    except ValueError:
        return None
