"""Plugins that are imported when they are first asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping

import attrs

from voeflow._errors import PluginError
from voeflow._plugin import Kind, Plugin, why_unusable
from voeflow._raised import describe


@attrs.frozen(eq=False, repr=False)
class Offer:
    """What a hook returned under a name: a class, or where it is.

    Attributes:
        name: what a pipeline's `plugin` key says.
        kind: which family of tables it serves.
        offered: the class, or `package.module:Class`.
        distribution: the name and version of the distribution that offers it.
        entry_point: the name of that distribution's entry point in the group `voeflow`.
    """

    name: str
    kind: Kind
    offered: object
    distribution: str
    entry_point: str

    def judged(self) -> Plugin:
        """Import the class if that is to be done, and look whether it can be used.

        Raises:
            PluginError: it cannot.
        """
        cls = self._imported(self.offered) if isinstance(self.offered, str) else self.offered
        if fault := why_unusable(self.kind, self.name, cls):
            raise PluginError(str(self.name), self.distribution, fault)
        assert isinstance(cls, type)
        return Plugin(self.name, self.kind, cls, self.distribution, self.entry_point)

    def _imported(self, place: str) -> object:
        module, colon, name = place.partition(":")
        if not (module and colon and name):
            reason = (
                f"the {self.kind} {self.name} must be a class, or text as package.module:Class, got {place!r}"
            )
            raise PluginError(self.name, self.distribution, reason)
        try:
            return getattr(importlib.import_module(module), name)
        except (Exception, SystemExit) as error:
            reason = f"{place} cannot be imported: {describe(error)}"
            raise PluginError(self.name, self.distribution, reason) from error


class Shelf(Mapping[str, Plugin]):
    """Plugins of one kind by name.

    Args:
        offers: what there is by name; what was not judged yet is when it is first asked for.
        judged: judges it; None if it cannot be used, and is then no longer here.
    """

    def __init__(
        self, offers: Mapping[str, Plugin | Offer], judged: Callable[[Offer], Plugin | None]
    ) -> None:
        self._offers = dict(offers)
        self._judged = judged

    def __getitem__(self, name: str) -> Plugin:
        offer = self._offers[name]
        if isinstance(offer, Plugin):
            return offer
        plugin = self._judged(offer)
        if plugin is None:
            del self._offers[name]
            raise KeyError(name)
        self._offers[name] = plugin
        return plugin

    def __contains__(self, name: object) -> bool:
        return name in self._offers

    def __iter__(self) -> Iterator[str]:
        return iter(self._offers)

    def __len__(self) -> int:
        return len(self._offers)
