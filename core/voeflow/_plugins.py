"""The installed plugins: found, loaded, judged, and called one at a time.

pluggy does the marking and the checking of signatures. Loading and calling is done singly here, since
pluggy's own loader lets one broken import hide every other plugin, and its calls let one exception stop the
rest.
"""

from __future__ import annotations

import importlib.metadata
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import attrs
import click
import pluggy

from voeflow import _hookspecs
from voeflow._errors import PluginError
from voeflow._hookspecs import PROJECT
from voeflow._mapping_plugins import MappingPlugin, in_order, why_no_mapping
from voeflow._observers import Observers
from voeflow._plugin import METHODS, Kind, Plugin, shown, why_unusable
from voeflow._raised import describe
from voeflow._text import printable

#: What plugin code may raise, short of what stops the process: a module that calls sys.exit is a broken
#: module.
_ANYTHING = (Exception, SystemExit)


@attrs.frozen
class Plugins:
    """Everything that the installed distributions offer.

    Attributes:
        transports: the transports by name, sorted.
        filters: the filters by name, sorted.
        handlers: the handlers by name, sorted.
        mappings: the mappings, in the order in which they are asked.
        failed: what could not be loaded or used, each naming its distribution.
        unloaded: those of them that are not one name but a whole entry point or hook: what names they would
            have offered is not known.
        observers: calls the hooks that observe a node.
    """

    transports: Mapping[str, Plugin]
    filters: Mapping[str, Plugin]
    handlers: Mapping[str, Plugin]
    mappings: tuple[MappingPlugin, ...]
    failed: tuple[PluginError, ...]
    unloaded: tuple[PluginError, ...]
    observers: Observers
    _commands: tuple[click.Command, ...] = attrs.field(alias="commands")

    def of_kind(self, kind: Kind) -> Mapping[str, Plugin]:
        """Give the plugins of one kind by name."""
        return {"transport": self.transports, "filter": self.filters, "handler": self.handlers}[kind]

    def commands(self) -> tuple[click.Command, ...]:
        """Give the commands that plugins add to `voeflow`, no two of one name."""
        return self._commands


def load_plugins(extra: Sequence[object] = ()) -> Plugins:
    """Load every entry point of the group `voeflow`, and what is given besides.

    Never raises for a plugin's sake: what fails is in `Plugins.failed`, and the rest goes on.

    Args:
        extra: modules or objects with hook implementations, registered after the installed ones.

    Returns:
        What is there to be used.
    """
    loader = _Loader()
    for entry_point in _entry_points():
        loader.load(entry_point)
    for plugin in extra:
        name = getattr(plugin, "__name__", type(plugin).__name__)
        loader.register(plugin, _Origin(distribution="no distribution", entry_point=name))
    return loader.gather()


def _entry_points() -> list[importlib.metadata.EntryPoint]:
    """Give the group's entry points in an order that does not hang on how they were installed."""
    found = importlib.metadata.entry_points(group=PROJECT)
    return sorted(found, key=lambda each: (_distribution(each), each.name))


def _distribution(entry_point: importlib.metadata.EntryPoint) -> str:
    dist = entry_point.dist
    return f"{dist.name} {dist.version}" if dist is not None else "an unknown distribution"


@attrs.frozen
class _Origin:
    distribution: str
    entry_point: str


class _Loader:
    """Registers plugins with pluggy and gathers what they offer; lives for one `load_plugins`."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager(PROJECT)
        self.manager.add_hookspecs(_hookspecs)
        self.origins: dict[str, _Origin] = {}  # by the name that the plugin has in the manager
        self.failed: list[PluginError] = []
        self.unloaded: list[PluginError] = []

    def load(self, entry_point: importlib.metadata.EntryPoint) -> None:
        origin = _Origin(_distribution(entry_point), entry_point.name)
        try:
            plugin = entry_point.load()
        except _ANYTHING as error:
            self.fail(origin, f"{entry_point.value} cannot be imported: {describe(error)}")
        else:
            self.register(plugin, origin)

    def register(self, plugin: object, origin: _Origin) -> None:
        """Register one plugin whole, or not at all."""
        key = f"{origin.distribution} {origin.entry_point} {len(self.origins)}"
        try:
            self.manager.register(plugin, key)
            self.manager.check_pending()
            _check_implementations(self.manager, plugin)
        except pluggy.PluginValidationError as error:
            self.fail(origin, _validation(error))
        except _ANYTHING as error:
            self.fail(origin, f"cannot be registered: {describe(error)}")
        else:
            self.origins[key] = origin
            return
        if self.manager.has_plugin(key):
            self.manager.unregister(name=key)

    def fail(self, origin: _Origin, reason: str, name: str | None = None) -> None:
        error = PluginError(name or origin.entry_point, origin.distribution, reason)
        self.failed.append(error)
        if name is None:
            self.unloaded.append(error)

    def gather(self) -> Plugins:
        offered = {kind: self.classes(kind) for kind in METHODS}
        mappings = in_order(self.mappings())
        commands = tuple(self.commands())
        observers = Observers.of(self.manager, {key: each.distribution for key, each in self.origins.items()})
        return Plugins(
            transports=offered["transport"],
            filters=offered["filter"],
            handlers=offered["handler"],
            mappings=mappings,
            failed=tuple(self.failed),
            unloaded=tuple(self.unloaded),
            observers=observers,
            commands=commands,
        )

    def answers(self, hook: str) -> Iterator[tuple[_Origin, object]]:
        """Call each implementation of a hook without parameters by itself; give what it returned."""
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            origin = self.origins[implementation.plugin_name]
            try:
                answer = implementation.function()
            except _ANYTHING as error:
                self.fail(origin, f"{hook}() raised {describe(error)}")
            else:
                yield origin, answer

    def classes(self, kind: Kind) -> Mapping[str, Plugin]:
        hook = f"register_{kind}s"
        claims: dict[str, list[Plugin]] = {}
        for origin, answer in self.answers(hook):
            if not isinstance(answer, Mapping):
                self.fail(origin, f"{hook}() must return a dict of names and classes, got {shown(answer)}")
                continue
            for name, cls in answer.items():
                if fault := why_unusable(kind, name, cls):
                    self.fail(origin, fault, str(name))
                else:
                    plugin = Plugin(name, kind, cls, origin.distribution, origin.entry_point)
                    claims.setdefault(name, []).append(plugin)
        return MappingProxyType(
            {name: claims[name][0] for name in sorted(claims) if self.is_sole(claims[name])}
        )

    def mappings(self) -> list[MappingPlugin]:
        claims: dict[str, list[MappingPlugin]] = {}
        for origin, answer in self.answers("register_mappings"):
            if not isinstance(answer, Mapping):
                self.fail(origin, f"register_mappings() must return a dict of mappings, got {shown(answer)}")
                continue
            for name, mapping in answer.items():
                if fault := why_no_mapping(name, mapping):
                    self.fail(origin, fault, str(name))
                else:
                    plugin = MappingPlugin(name, mapping, origin.distribution, origin.entry_point)
                    claims.setdefault(name, []).append(plugin)
        return [claims[name][0] for name in claims if self.is_sole(claims[name])]

    def is_sole(self, claims: Sequence[Plugin | MappingPlugin]) -> bool:
        if len(claims) == 1:
            return True
        first = claims[0]
        kind = first.kind if isinstance(first, Plugin) else "mapping"
        everyone = " and ".join(f"{each.distribution} (entry point {each.entry_point})" for each in claims)
        distributions = " and ".join(dict.fromkeys(each.distribution for each in claims))
        reason = f"the {kind} {first.name} is claimed by {everyone}; uninstall all but one"
        self.failed.append(PluginError(first.name, distributions, reason))
        return False

    def commands(self) -> Iterator[click.Command]:
        owners: dict[str, _Origin] = {}
        for origin, answer in self.answers("register_commands"):
            if not isinstance(answer, list | tuple):
                self.fail(
                    origin, f"register_commands() must return a list of click commands, got {shown(answer)}"
                )
                continue
            for command in answer:
                if not isinstance(command, click.Command) or not command.name:
                    self.fail(
                        origin, f"register_commands() gave {shown(command)}, which is no named click command"
                    )
                elif command.name in owners:
                    first = owners[command.name].distribution
                    self.fail(origin, f"the command {command.name} is already that of {first}", command.name)
                else:
                    owners[command.name] = origin
                    yield command


def _check_implementations(manager: pluggy.PluginManager, plugin: object) -> None:
    """Refuse implementations that voeflow could not call singly and at once.

    Raises:
        TypeError: one is `async def`, a generator, or wraps others; the message says what to write.
    """
    callers = manager.get_hookcallers(plugin) or []
    if not callers:
        raise TypeError("it has no hook implementation; mark one with @voeflow.hookimpl")
    for caller in callers:
        for each in caller.get_hookimpls():
            if each.plugin is not plugin:
                continue
            function: Callable[..., object] = each.function
            if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
                raise TypeError(f"{caller.name} is async; hooks are synchronous: write `def {caller.name}`")
            if each.wrapper or each.hookwrapper:
                raise TypeError(
                    f"{caller.name} wraps other plugins' hooks, which voeflow does not do: write a plain hook"
                )


def _validation(error: pluggy.PluginValidationError) -> str:
    """Give pluggy's message in one line, without its account of every object involved."""
    return printable(" ".join(str(error).split()), 500)
