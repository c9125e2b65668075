"""A pipeline as it is once read: the node's settings and the instance behind each table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from voeflow._ivoid import parse_ivoid
from voeflow._keys import above_zero
from voeflow._mapping_plugins import MappingPlugin
from voeflow._plugin import Plugin
from voeflow._quantities import Bytes, Seconds
from voeflow._shown import show_value
from voeflow._when import When
from voeflow._xml import MAX_ATTRIBUTES, MAX_DEPTH

if TYPE_CHECKING:
    from voeflow._expectations import Expectation

#: The name of the tables that say what a pipeline is expected to do.
TESTS = "tests"


def _is_nodes_ivoid(_: object, __: object, ivoid: str) -> None:
    if not ivoid:
        return
    try:
        parse_ivoid(ivoid)
    except ValueError as error:
        example = '"ivo://org.example/voeflow"'
        raise ValueError(f"expected an IVOID such as {example}, got {show_value(ivoid)}: {error}") from error
    if "#" in ivoid or "?" in ivoid:
        raise ValueError(
            f"expected an IVOID without a local part, which only events have, got {show_value(ivoid)}"
        )


def _up_to(most: int, least: int) -> Callable[[object, object, int], None]:
    """Make a validator for a limit that may be lowered, but not below what VOEvent itself takes."""

    def check(_: object, __: object, value: int) -> None:
        if not least <= value <= most:
            raise ValueError(f"expected {least} to {most}, got {value}")

    return check


@attrs.frozen(kw_only=True, eq=False)
class NodeSettings:
    """The top-level keys of a pipeline file."""

    ivoid: str = attrs.field(
        default="",
        validator=_is_nodes_ivoid,
        metadata={"help": "this node's IVOID, as ivo://org.example/voeflow; signs receipts and iamalive"},
    )
    store: Path = attrs.field(
        default=Path("voeflow.db"),
        metadata={"help": "the event store, an SQLite file that this node has to itself"},
    )
    retention: Seconds = attrs.field(
        default=Seconds(30 * 86400),
        validator=above_zero,
        metadata={"help": "how long events are kept, and remembered for de-duplication"},
    )
    max_event: Bytes = attrs.field(
        default=Bytes(2**20),
        validator=above_zero,
        metadata={"help": "the greatest size of a packet that is taken"},
    )
    max_depth: int = attrs.field(
        default=MAX_DEPTH,
        validator=_up_to(MAX_DEPTH, 8),
        metadata={"help": f"how deep the elements of a packet may be nested, {MAX_DEPTH} at most"},
    )
    max_attributes: int = attrs.field(
        default=MAX_ATTRIBUTES,
        validator=_up_to(MAX_ATTRIBUTES, 16),
        metadata={"help": f"how many attributes one element of a packet may have, {MAX_ATTRIBUTES} at most"},
    )
    drain: Seconds = attrs.field(
        default=Seconds(20), metadata={"help": "how long a stopping node waits for deliveries under way"}
    )
    filter_timeout: Seconds = attrs.field(
        default=Seconds(10),
        validator=above_zero,
        metadata={"help": "how long a filter may take over one event"},
    )


@attrs.frozen(kw_only=True, eq=False)
class TransportTable:
    """A `[transports.NAME]` table.

    Attributes:
        name: the table's name.
        plugin: the plugin behind it.
        instance: what was made of its class with the table's keys.
        keys: the table's keys but for `plugin`, references to the environment resolved.
        is_sink: whether events go out to it.
        when: which events go to it; every one if it is no sink, which is then never asked.
        sources: the transports whose events go to it; None for all of them.
        silent_after: how long it may hear nothing before an alarm is raised, in seconds; None for no alarm.
    """

    name: str
    plugin: Plugin
    instance: Any
    keys: Mapping[str, Any] = attrs.field(repr=False)
    is_sink: bool
    when: When
    sources: frozenset[str] | None
    silent_after: Seconds | None


@attrs.frozen(kw_only=True, eq=False)
class FilterTable:
    """A `[filters.NAME]` table.

    Attributes:
        name: the table's name, which `when` expressions use.
        plugin: the plugin behind it.
        instance: what was made of its class with the table's keys.
        keys: the table's keys but for `plugin`, references to the environment resolved.
    """

    name: str
    plugin: Plugin
    instance: Any
    keys: Mapping[str, Any] = attrs.field(repr=False)


@attrs.frozen(kw_only=True, eq=False)
class HandlerTable:
    """A `[handlers.NAME]` table.

    Attributes:
        name: the table's name.
        plugin: the plugin behind it.
        instance: what was made of its class with the table's keys.
        keys: the table's keys but for `plugin`, references to the environment resolved.
        when: which events go to it.
        sources: the transports whose events go to it; None for all of them.
        retries: how often a failed delivery is tried again; zero for never, None for no limit in number.
        retry_wait: how long before the first of these, in seconds; the later waits grow.
        give_up_after: how long after its first failure a delivery is given up, in seconds; None for no limit.
        concurrency: how many events it may handle at once.
    """

    name: str
    plugin: Plugin
    instance: Any
    keys: Mapping[str, Any] = attrs.field(repr=False)
    when: When
    sources: frozenset[str] | None
    retries: int | None
    retry_wait: Seconds
    give_up_after: Seconds | None
    concurrency: int


@attrs.frozen(kw_only=True, eq=False)
class Pipeline:
    """A pipeline file in which no mistake was found.

    Attributes:
        path: the file.
        node: its top-level keys.
        transports: its transports by name, in the order of the file.
        filters: its filters by name, in the order of the file.
        handlers: its handlers by name, in the order of the file.
        mappings: the mappings that are installed, in the order in which they are asked; no table names them.
        tests: what it says it is expected to do, in the order of the file; `voeflow test` holds it to that.
        deprecations: what its plugins say will go, in lines for the operator.
    """

    path: Path
    node: NodeSettings
    transports: Mapping[str, TransportTable]
    filters: Mapping[str, FilterTable]
    handlers: Mapping[str, HandlerTable]
    mappings: tuple[MappingPlugin, ...] = ()
    tests: tuple[Expectation, ...] = ()
    deprecations: tuple[str, ...] = ()

    @property
    def sinks(self) -> tuple[TransportTable | HandlerTable, ...]:
        """What events go out to: transports first, then handlers."""
        carriers = (table for table in self.transports.values() if table.is_sink)
        return (*carriers, *self.handlers.values())
