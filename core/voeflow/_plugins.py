"""The installed plugins: found, loaded, judged, and called one at a time.

pluggy does the marking and the checking of signatures. Loading and calling is done singly here, since
pluggy's own loader lets one broken import hide every other plugin, and its calls let one exception stop the
rest.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs
import click
import pluggy

from voeflow import _hookspecs
from voeflow._deprecation import VoeflowDeprecationWarning, noted
from voeflow._errors import PluginError
from voeflow._hookspecs import PROJECT
from voeflow._installed import EntryPoint, entry_points
from voeflow._mapping_plugins import MappingPlugin, in_order, why_no_mapping
from voeflow._names import nearest
from voeflow._observers import Observers
from voeflow._plugin import METHODS, Kind, Plugin, is_name, shown
from voeflow._raised import describe
from voeflow._shelf import Offer, Shelf
from voeflow._text import printable

#: What plugin code may raise, short of what stops the process: a module that calls sys.exit is a broken
#: module.
_ANYTHING = (Exception, SystemExit)


@attrs.frozen(eq=False, repr=False)
class Plugins:
    """Everything that the installed distributions offer.

    Attributes:
        transports: the transports by name, sorted.
        filters: the filters by name, sorted.
        handlers: the handlers by name, sorted.
        mappings: the mappings, in the order in which they are asked.
        observers: calls the hooks that observe a node.
    """

    transports: Mapping[str, Plugin]
    filters: Mapping[str, Plugin]
    handlers: Mapping[str, Plugin]
    mappings: tuple[MappingPlugin, ...]
    observers: Observers
    _loader: _Loader = attrs.field(alias="loader", eq=False)

    @property
    def failed(self) -> tuple[PluginError, ...]:
        """What could not be loaded or used so far, each naming its distribution."""
        return tuple(self._loader.failed)

    @property
    def unloaded(self) -> tuple[PluginError, ...]:
        """Those of them that are a whole entry point or hook: what names they would offer is not known."""
        return tuple(self._loader.unloaded)

    @property
    def deprecations(self) -> tuple[str, ...]:
        """What of voeflow's was used by a plugin as it was loaded and will go, each naming the plugin."""
        return tuple(self._loader.deprecations)

    def of_kind(self, kind: Kind) -> Mapping[str, Plugin]:
        """Give the plugins of one kind by name."""
        return {"transport": self.transports, "filter": self.filters, "handler": self.handlers}[kind]

    def commands(self) -> tuple[click.Command, ...]:
        """Give the commands that plugins add to `voeflow`, no two of one name."""
        return self._loader.commands


def load_plugins(extra: Sequence[object] = (), *, lazily: bool = False) -> Plugins:
    """Load every entry point of the group `voeflow`, and what is given besides.

    Never raises for a plugin's sake: what fails is in `Plugins.failed`, and the rest goes on.

    Args:
        extra: modules or objects with hook implementations, registered after the installed ones.
        lazily: whether commands, and classes that a plugin only tells the place of, wait until they are asked
            for; what is wrong with them is not known before either.

    Returns:
        What is there to be used.
    """
    loader = _Loader()
    for entry_point in entry_points(PROJECT):
        loader.load(entry_point)
    for plugin in extra:
        name = getattr(plugin, "__name__", type(plugin).__name__)
        loader.register(plugin, _Origin(distribution="no distribution", entry_point=name))
    plugins = loader.gather()
    if not lazily:
        for shelf in (plugins.transports, plugins.filters, plugins.handlers):
            for name in list(shelf):
                shelf.get(name)
        plugins.commands()
    return plugins


@attrs.frozen(eq=False, repr=False)
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
        self.deprecations: list[str] = []

    def load(self, entry_point: EntryPoint) -> None:
        origin = _Origin(entry_point.distribution, entry_point.name)
        whose = f"plugin {entry_point.name} of {entry_point.distribution}"
        try:
            with noted(lambda text: self.deprecations.append(f"{whose}: {text}"), VoeflowDeprecationWarning):
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
        observers = Observers.of(self.manager, {key: each.distribution for key, each in self.origins.items()})
        return Plugins(
            transports=offered["transport"],
            filters=offered["filter"],
            handlers=offered["handler"],
            mappings=mappings,
            observers=observers,
            loader=self,
        )

    @functools.cached_property
    def commands(self) -> tuple[click.Command, ...]:
        return tuple(self.new_commands())

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
        claims: dict[str, list[Plugin | Offer]] = {}
        for origin, answer in self.answers(hook):
            if not isinstance(answer, Mapping):
                self.fail(origin, f"{hook}() must return a dict of names and classes, got {shown(answer)}")
                continue
            for name, cls in answer.items():
                offer = Offer(name, kind, cls, origin.distribution, origin.entry_point)
                found = offer if isinstance(cls, str) and is_name(name) else self.judged(offer)
                if found is not None:
                    claims.setdefault(name, []).append(found)
        return Shelf(
            {name: claims[name][0] for name in sorted(claims) if self.is_sole(claims[name])}, self.judged
        )

    def judged(self, offer: Offer) -> Plugin | None:
        """Make a plugin of what was offered, or note why it cannot be used."""
        try:
            return offer.judged()
        except PluginError as error:
            self.failed.append(error)
            return None

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

    def is_sole(self, claims: Sequence[Plugin | Offer | MappingPlugin]) -> bool:
        if len(claims) == 1:
            return True
        first = claims[0]
        kind = "mapping" if isinstance(first, MappingPlugin) else first.kind
        everyone = " and ".join(f"{each.distribution} (entry point {each.entry_point})" for each in claims)
        distributions = " and ".join(dict.fromkeys(each.distribution for each in claims))
        reason = f"the {kind} {first.name} is claimed by {everyone}; uninstall all but one"
        self.failed.append(PluginError(first.name, distributions, reason))
        return False

    def new_commands(self) -> Iterator[click.Command]:
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
    if found := re.match(r"unknown hook '(?P<name>\w+)'", str(error)):
        known = [name for name, each in vars(_hookspecs).items() if hasattr(each, f"{PROJECT}_spec")]
        return f"there is no hook {found['name']} ({nearest(found['name'], known, 'hooks')})"
    return printable(" ".join(str(error).split()), 500)
