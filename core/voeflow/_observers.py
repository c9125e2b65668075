"""Telling the plugins that observe a node what it does, each contained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pluggy
import structlog

from voeflow._raised import Raised, describe
from voeflow._watchdog import at_work

log = structlog.get_logger()

#: The hooks that observe a node; see `voeflow._hookspecs` for what each is told.
OBSERVING = (
    "node_started",
    "event_accepted",
    "event_refused",
    "event_duplicate",
    "event_delivered",
    "delivery_failed",
    "node_stopping",
)


class Observers:
    """Calls the observing hooks of every plugin, each by itself.

    `"event_accepted" in observers` says cheaply whether anyone implements a hook, for callers that would
    have to work for its arguments; `tell` itself costs a dictionary's look-up where nobody does.
    """

    def __init__(
        self, hooks: Mapping[str, Sequence[tuple[Callable[..., object], tuple[str, ...], str]]]
    ) -> None:
        self._hooks = {name: tuple(each) for name, each in hooks.items() if each}

    @classmethod
    def of(cls, manager: pluggy.PluginManager, distributions: Mapping[str, str]) -> Observers:
        """Take the implementations out of a manager.

        Args:
            manager: with every plugin registered.
            distributions: the distribution of each plugin, by its name in the manager.
        """
        return cls(
            {
                hook: [
                    (each.function, tuple(each.argnames), distributions[each.plugin_name])
                    for each in getattr(manager.hook, hook).get_hookimpls()
                ]
                for hook in OBSERVING
            }
        )

    def __contains__(self, hook: object) -> bool:
        return hook in self._hooks

    def tell(self, hook: str, /, **facts: object) -> None:
        """Call every implementation of `hook` with those of the facts that it asks for.

        What one raises is logged with its distribution and goes no further.

        Args:
            hook: one of `OBSERVING`.
            facts: the hook's parameters, every one of them, by name.
        """
        for function, names, distribution in self._hooks.get(hook, ()):
            arguments = [facts[name] for name in names]
            try:
                with at_work(f"{hook}() of {distribution}"):
                    function(*arguments)
            except BaseException as error:
                if (fault := Raised.of(error).fault) is None:
                    raise
                log.warning(
                    "a plugin's hook failed",
                    hook=hook,
                    distribution=distribution,
                    reason=describe(fault),
                )
