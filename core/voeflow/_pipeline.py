"""Reading a pipeline file into tables with their instances, or into every mistake that is in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from voeflow._deprecation import OF_PLUGINS, noted
from voeflow._errors import Mistake, PipelineError
from voeflow._keys import RESERVED, SINK_KEYS, SOURCE_KEYS, HandlerKeys, SinkKeys, SourceKeys, own_defaults
from voeflow._lookup import find_plugin
from voeflow._mapping_plugins import check_mappings
from voeflow._masking import masked
from voeflow._names import nearest
from voeflow._options import read_options
from voeflow._plugin import METHODS, Kind, Plugin
from voeflow._plugins import Plugins
from voeflow._quantities import Seconds
from voeflow._routing import OWN_SOURCE, check_sources, read_when
from voeflow._shown import show_value
from voeflow._tables import TESTS, FilterTable, HandlerTable, NodeSettings, Pipeline, TransportTable
from voeflow._toml import read_toml
from voeflow._when import WORDS, When, parse_when, why_no_name

if TYPE_CHECKING:
    from voeflow._expectations import Expectation

_Keys = TypeVar("_Keys", bound=SinkKeys)
_AnyTable = TypeVar("_AnyTable", TransportTable, FilterTable, HandlerTable)

#: The families of tables, in the order in which their mistakes are told.
FAMILIES: Mapping[Kind, str] = MappingProxyType({kind: f"{kind}s" for kind in METHODS})
_NODE_KEYS = frozenset(field.name for field in attrs.fields(NodeSettings))
_DEFAULTS = NodeSettings()
_GIVE_IVOID = 'write ivoid = "ivo://AUTHORITY/NAME" above all tables'


def load_pipeline(
    path: Path, plugins: Plugins, environ: Mapping[str, str], *, with_tests: bool = False
) -> Pipeline:
    """Read a pipeline file, check all of it, and make an instance of the plugin's class for each table.

    Nothing is started, opened or bound: what a plugin's class does when it is made is all that happens.

    Args:
        path: the file.
        plugins: what is installed.
        environ: the environment that its strings refer to, such as `os.environ`.
        with_tests: whether the event files of its `[[tests]]` have to be there. A node does without them.

    Returns:
        The pipeline.

    Raises:
        PipelineError: with every mistake found.
    """
    document = read_toml(path, environ)
    reader = Reader(path, plugins, with_tests=with_tests)
    pipeline = reader.pipeline(document.table)
    # what follows from a reference that stands for nothing is no mistake of its own
    unset = {_key(mistake) for mistake in document.mistakes}
    mistakes = [*document.mistakes, *(each for each in reader.mistakes if _key(each) not in unset)]
    if mistakes or pipeline is None:
        raise PipelineError(path, masked(in_order(mistakes, document.table), document.secrets))
    return pipeline


def _key(mistake: Mistake) -> str:
    return mistake.where.partition("[")[0]


def in_order(mistakes: list[Mistake], document: Mapping[str, Any]) -> list[Mistake]:
    """Put the mistakes in the order of the file's tables, what is above all tables first."""
    tables = [(family, name) for family in FAMILIES.values() for name in names_of(document.get(family))]
    places = {f"{family}.{name}": n for n, (family, name) in enumerate(tables)} | {TESTS: len(tables)}
    return sorted(mistakes, key=lambda each: places.get(".".join(_key(each).split(".")[:2]), -1))


def names_of(family: object) -> list[str]:
    return list(family) if isinstance(family, dict) else []


@attrs.frozen(eq=False, repr=False)
class _Table:
    """A table whose plugin is known, and its keys but for `plugin`."""

    where: str
    name: str
    plugin: Plugin
    keys: Mapping[str, Any]


class Reader:
    """Reads one file; what it cannot use it leaves out, after noting why."""

    def __init__(self, path: Path, plugins: Plugins, *, whole: bool = True, with_tests: bool = False) -> None:
        self.whole = whole  # whether it is to run: without transports, it could not
        self.with_tests = with_tests  # whether the event files of its tests have to be there
        self.path = path
        self.directory = path.absolute().parent
        self.plugins = plugins
        self.mistakes: list[Mistake] = []
        self.names: dict[Kind, frozenset[str]] = {}  # of every table, sound or not
        self.sources: frozenset[str] = frozenset()  # of the transports, those that bring events in
        self.tests: tuple[Expectation, ...] = ()
        self.deprecations: list[str] = list(plugins.deprecations)

    def note(self, where: str, problem: str, remedy: str = "") -> None:
        self.mistakes.append(Mistake(where, problem, remedy))

    def pipeline(self, document: Mapping[str, Any]) -> Pipeline | None:
        node = self.node(document)
        families = {kind: self.family(document, kind) for kind in FAMILIES}
        self.names = {kind: frozenset(tables) for kind, tables in families.items()}
        found = {kind: list(self.tables(kind, families[kind])) for kind in FAMILIES}
        # a transport whose plugin is not known may well be a source: no mistake follows from that
        carriers = {each.name for each in found["transport"] if not each.plugin.is_source}
        self.sources = self.names["transport"] - carriers
        transports = {each.name: self.transport(each, document) for each in found["transport"]}
        filters = {each.name: self.filter(each) for each in found["filter"]}
        handlers = {each.name: self.handler(each) for each in found["handler"]}
        for name in (
            self.names["handler"] - handlers.keys()
        ):  # what does not hang on the plugin can be checked
            if isinstance(families["handler"][name], dict):
                self.sink(f"handlers.{name}", families["handler"][name], HandlerKeys, {})
        carriers = {each.name for each in found["transport"] if each.plugin.is_sink}
        unknown = self.names["transport"] - {each.name for each in found["transport"]}
        if TESTS in document:
            self.read_tests(document[TESTS], self.names["handler"] | carriers | unknown)
        if node is None or self.mistakes:
            return None
        return Pipeline(
            path=self.path,
            node=node,
            transports=_sound(transports),
            filters=_sound(filters),
            handlers=_sound(handlers),
            mappings=self.plugins.mappings,
            tests=self.tests,
            deprecations=tuple(self.deprecations),
        )

    def read_tests(self, tests: object, sinks: frozenset[str]) -> None:
        from voeflow._expectations import read_expectations  # which a node of few tables has no use for

        self.tests, mistakes = read_expectations(
            tests,
            self.directory,
            filters=self.names["filter"],
            sinks=sinks,
            sources=self.sources,
            with_files=self.with_tests,
        )
        self.mistakes += mistakes if self.whole else ()  # without its sinks, nothing can be expected of them

    def node(self, document: Mapping[str, Any]) -> NodeSettings | None:
        for key, value in document.items():
            if key not in {*_NODE_KEYS, *FAMILIES.values(), TESTS}:
                what, known = (
                    ("table", [*FAMILIES.values(), TESTS]) if isinstance(value, dict) else ("key", _NODE_KEYS)
                )
                self.note(key, f"no such {what}", nearest(key, known, f"{what}s here"))
        table = {key: value for key, value in document.items() if key in _NODE_KEYS}
        node, mistakes = read_options(
            NodeSettings, table, where="", directory=self.directory, culprit="voeflow"
        )
        self.mistakes += mistakes
        return node

    def family(self, document: Mapping[str, Any], kind: Kind) -> Mapping[str, Any]:
        family = FAMILIES[kind]
        tables = document.get(family, {})
        if not isinstance(tables, dict):
            self.note(family, f"expected tables [{family}.NAME], got {show_value(tables)}")
            return {}
        if kind == "transport" and not tables and self.whole:
            self.note(family, "there is none, so nothing can come in", "add a table [transports.NAME]")
        return tables

    def tables(self, kind: Kind, family: Mapping[str, Any]) -> Iterator[_Table]:
        """Give the tables of a family of which the plugin is known."""
        for name, keys in family.items():
            where = f"{FAMILIES[kind]}.{name}"
            if fault := why_no_name(name):
                self.note(where, fault, "rename it")
            if kind == "filter" and name.lower() in WORDS:
                self.note(where, f'"{name}" is a word of `when` expressions', "give the filter another name")
            if kind == "transport" and name == OWN_SOURCE:
                problem = f'"{name}" in `sources` stands for the node itself'
                self.note(where, problem, "give the transport another name")
            if kind == "handler" and name in self.names["transport"]:
                self.note(where, "a transport has this name too", "rename one of the two")
            if not isinstance(keys, dict):
                self.note(where, f"expected a table [{where}], got {show_value(keys)}")
                continue
            plugin = find_plugin(kind, where, keys, self.plugins)
            if isinstance(plugin, Mistake):
                self.mistakes.append(plugin)
            else:
                rest = {key: value for key, value in keys.items() if key != "plugin"}
                yield _Table(where, name, plugin, rest)

    def transport(self, table: _Table, document: Mapping[str, Any]) -> TransportTable | None:
        plugin = table.plugin
        for key in getattr(plugin.cls, "needs", ()):
            if not document.get(key, getattr(_DEFAULTS, key, None)):
                remedy = _GIVE_IVOID if key == "ivoid" else ""
                self.note(table.where, f"{plugin.name} needs the node's {key}, which is not set", remedy)
        if plugin.is_sink:
            when, keys = self.sink(table.where, table.keys, SinkKeys, {})
        else:
            self.refuse_sink_keys(table, f"{plugin.name} brings events in, and nothing goes out to it")
            when, keys = parse_when(None), SinkKeys()
        silent_after = self.silent_after(table, document)
        instance = self.instance(table)
        self.mistakes += check_mappings(table.where, instance, self.plugins.mappings)
        if instance is None or when is None or keys is None:
            return None
        return TransportTable(
            name=table.name,
            plugin=plugin,
            instance=instance,
            keys=table.keys,
            is_sink=plugin.is_sink,
            when=when,
            sources=_set(keys.sources),
            silent_after=silent_after,
        )

    def silent_after(self, table: _Table, document: Mapping[str, Any]) -> Seconds | None:
        """Read the keys that all sources have in common, and check that an alarm could be raised."""
        given = {key: value for key, value in table.keys.items() if key in SOURCE_KEYS}
        if given and not table.plugin.is_source:
            problem = f"only what events come in through has this key; {table.plugin.name} carries them on"
            self.note(f"{table.where}.silent_after", problem, "leave it out")
        elif given and not document.get("ivoid"):
            problem = "an alarm is an event of this node, which needs the node's ivoid for that"
            self.note(f"{table.where}.silent_after", problem, _GIVE_IVOID)
        keys, mistakes = read_options(
            SourceKeys, given, where=table.where, directory=self.directory, culprit="voeflow"
        )
        self.mistakes += mistakes
        return keys.silent_after if keys is not None else None

    def filter(self, table: _Table) -> FilterTable | None:
        self.refuse_sink_keys(table, "filters have none")
        instance = self.instance(table)
        if instance is None:
            return None
        return FilterTable(name=table.name, plugin=table.plugin, instance=instance, keys=table.keys)

    def handler(self, table: _Table) -> HandlerTable | None:
        when, keys = self.sink(
            table.where, table.keys, HandlerKeys, own_defaults(table.plugin.cls, table.keys)
        )
        instance = self.instance(table)
        if instance is None or when is None or keys is None:
            return None
        return HandlerTable(
            name=table.name,
            plugin=table.plugin,
            instance=instance,
            keys=table.keys,
            when=when,
            sources=_set(keys.sources),
            retries=keys.retries_allowed,
            retry_wait=keys.retry_wait,
            give_up_after=keys.give_up_after,
            concurrency=keys.concurrency,
        )

    def sink(
        self, where: str, table: Mapping[str, Any], cls: type[_Keys], defaults: Mapping[str, object]
    ) -> tuple[When | None, _Keys | None]:
        """Read the keys that a sink's table has in common with others."""
        common = {field.name for field in attrs.fields(cls)}
        values = {**defaults, **{key: value for key, value in table.items() if key in common}}
        keys, mistakes = read_options(cls, values, where=where, directory=self.directory, culprit="voeflow")
        text = values.get("when")
        when, whens = read_when(where, text if isinstance(text, str) else None, self.names["filter"])
        sources = check_sources(where, _strings(values.get("sources")), self.names["transport"], self.sources)
        self.mistakes += [*mistakes, *whens, *sources]
        return when, keys

    def refuse_sink_keys(self, table: _Table, reason: str) -> None:
        for key in table.keys:
            if key in SINK_KEYS:
                self.note(
                    f"{table.where}.{key}",
                    f"only what events go out to has this key; {reason}",
                    "leave it out",
                )

    def instance(self, table: _Table) -> object | None:
        """Make the instance of a table's plugin out of the keys that are not common to others."""
        plugin = table.plugin
        whose = f"{table.where}: plugin {plugin.name} of {plugin.distribution}"
        with noted(lambda text: self.deprecations.append(f"{whose}: {text}"), *OF_PLUGINS):
            instance, mistakes = read_options(
                plugin.cls,
                {key: value for key, value in table.keys.items() if key not in RESERVED[plugin.kind]},
                where=table.where,
                directory=self.directory,
                culprit=f"the {plugin.kind} {plugin.name} of {plugin.distribution}",
                others=plugin.common_keys,
                above=_NODE_KEYS,
            )
        self.mistakes += mistakes
        return instance


def _sound(tables: Mapping[str, _AnyTable | None]) -> Mapping[str, _AnyTable]:
    return MappingProxyType({name: table for name, table in tables.items() if table is not None})


def _set(sources: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if sources is None else frozenset(sources)


def _strings(value: object) -> list[str]:
    """Give the strings of a list; what else is in it has been noted already."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
