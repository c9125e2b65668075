"""One plugin: a class behind a name, and what makes a class fit to be one."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import attrs

from voeflow._keys import HANDLER_KEYS, RESERVED, SINK_KEYS, SOURCE_KEYS, HandlerKeys, own_defaults
from voeflow._options import class_faults, read_options
from voeflow._places import wants_places
from voeflow._text import printable

#: What a plugin is: it is named in one of the three families of tables.
Kind = Literal["transport", "filter", "handler"]

#: The method that makes a class a plugin of each kind, as its author would write it.
METHODS: Mapping[Kind, tuple[str, str]] = MappingProxyType(
    {
        "transport": ("run", "async def run(self, node, *, task_status)"),
        "filter": ("matches", "def matches(self, event)"),
        "handler": ("handle", "def handle(self, event)"),
    }
)

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)


@attrs.frozen
class Plugin:
    """A class that a distribution offers under a name.

    Attributes:
        name: what a pipeline's `plugin` key says.
        kind: which family of tables it serves.
        cls: the attrs class; its fields are the keys of its table.
        distribution: the name and version of the distribution that brought it.
        entry_point: the name of that distribution's entry point in the group `voeflow`.
    """

    name: str
    kind: Kind
    cls: type
    distribution: str
    entry_point: str

    @property
    def is_sink(self) -> bool:
        """Whether events go out to it: every handler, and a transport whose class says `sink = True`."""
        return self.kind == "handler" or getattr(self.cls, "sink", False) is True

    @property
    def common_keys(self) -> frozenset[str]:
        """The keys that its table may have, whatever its class says."""
        if self.kind == "handler":
            return HANDLER_KEYS
        return (SINK_KEYS if self.is_sink else frozenset()) | (SOURCE_KEYS if self.is_source else frozenset())

    @property
    def is_source(self) -> bool:
        """Whether events can come in through it: a transport that is no sink, or says `source = True`."""
        said = getattr(self.cls, "source", None)
        return self.kind == "transport" and (said if isinstance(said, bool) else not self.is_sink)


def why_unusable(kind: Kind, name: object, cls: object) -> str:
    """Say what is wrong with a class offered under a name; empty if nothing is."""
    method, signature = METHODS[kind]
    if not is_name(name):
        return f"{shown(name)} cannot name a {kind}: write letters, digits, `-`, `_` and `.`, at most 64"
    if not inspect.isclass(cls):
        return f"the {kind} {name} must be a class, got {shown(cls)}"
    if not attrs.has(cls):
        return f"the {kind} {name} ({cls.__name__}) is no attrs class: write @attrs.frozen above it"
    if not callable(getattr(cls, method, None)):
        return f"the {kind} {name} ({cls.__name__}) has no {method}: write `{signature}`"
    if not _can_be_called(cls, method, kind):
        return f"the {kind} {name} ({cls.__name__}) has a {method} of other parameters: write `{signature}`"
    if kind == "transport" and not inspect.iscoroutinefunction(inspect.unwrap(getattr(cls, method))):
        return f"the {kind} {name} ({cls.__name__}) has a {method} that is not async: write `{signature}`"
    if kind == "filter" and wants_places(getattr(cls, method)) and _on_the_loop(cls):
        return (
            f"the {kind} {name} ({cls.__name__}) takes places, which are on disk: make `matches` a plain"
            " `def`, and leave `inline` out"
        )
    if faults := class_faults(cls, RESERVED[kind]):
        return f"the {kind} {name} ({cls.__name__}): {'; '.join(faults)}"
    needs = getattr(cls, "needs", ())
    if kind == "transport" and not (isinstance(needs, tuple) and all(isinstance(key, str) for key in needs)):
        return f'the {kind} {name} ({cls.__name__}) has a bad class variable: write needs = ("ivoid",)'
    if kind == "handler":
        _, mistakes = read_options(HandlerKeys, own_defaults(cls), where="", directory=Path(), culprit="")
        if mistakes:
            return f"the {kind} {name} ({cls.__name__}) has a bad class variable: {mistakes[0]}"
    return ""


def _can_be_called(cls: type, method: str, kind: Kind) -> bool:
    """Whether the method takes what a node calls it with; yes where that cannot be known."""
    function = inspect.getattr_static(cls, method)
    if not inspect.isfunction(function):  # a static or class method, something in C, an object
        return True
    try:
        signature = inspect.signature(function)
        if kind == "transport":
            signature.bind(None, None, task_status=None)
        elif kind == "filter" and wants_places(function):
            signature.bind(None, None, places=None)
        elif (
            kind == "handler" and sum(each.kind in _POSITIONAL for each in signature.parameters.values()) > 2
        ):
            signature.bind(None, None, None)
        else:
            signature.bind(None, None)
    except (TypeError, ValueError):
        return False
    return True


def _on_the_loop(cls: Any) -> bool:
    """Whether a filter is asked on the event loop."""
    return inspect.iscoroutinefunction(inspect.unwrap(cls.matches)) or bool(getattr(cls, "inline", False))


def is_name(name: object) -> bool:
    """Whether a plugin can be called that."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def shown(value: object) -> str:
    """Give an object of a plugin's with its type, in a few words."""
    return printable(f"{type(value).__name__} {value!r}", 80)
