"""The mappings that distributions offer: what makes one fit, and which are asked about a notice."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import attrs

from voeflow._errors import Mistake
from voeflow._hookspecs import PROJECT
from voeflow._names import nearest
from voeflow._notice import NoticeMapping
from voeflow._plugin import is_name, shown
from voeflow._shown import show_value


@attrs.frozen
class MappingPlugin:
    """A mapping that a distribution offers under a name.

    Attributes:
        name: what a source's table calls it.
        mapping: the object itself.
        distribution: the name and version of the distribution that brought it.
        entry_point: the name of that distribution's entry point in the group `voeflow`.
    """

    name: str
    mapping: NoticeMapping
    distribution: str
    entry_point: str

    @property
    def is_built_in(self) -> bool:
        """Whether voeflow itself brings it."""
        return self.distribution.partition(" ")[0] == PROJECT

    @property
    def topics(self) -> tuple[str, ...]:
        """Patterns of the topics that it is asked about."""
        return tuple(self.mapping.topics)

    def fits(self, topic: str) -> bool:
        """Whether it is asked about notices of a topic."""
        return any(fnmatchcase(topic, pattern) for pattern in self.topics)


def why_no_mapping(name: object, mapping: object) -> str:
    """Say what is wrong with a mapping offered under a name; empty if nothing is."""
    if not is_name(name):
        return f"{shown(name)} cannot name a mapping: write letters, digits, `-`, `_` and `.`, at most 64"
    if inspect.isclass(mapping):
        cls = mapping.__name__
        return f"the mapping {name} must be an object, got the class {cls}: write {cls}()"
    function = getattr(mapping, "map", None)
    if not callable(function):
        return f"the mapping {name} has no map: write `def map(self, notice, earlier)`"
    if inspect.iscoroutinefunction(function):
        return f"the mapping {name} has a map that is async: it runs in a thread, write a plain `def map`"
    topics = getattr(mapping, "topics", None)
    if not isinstance(topics, tuple | list) or not topics or not all(_is_pattern(each) for each in topics):
        return f'the mapping {name} has to say its topics, as topics = ("igwn.*",), got {shown(topics)}'
    return ""


def in_order(mappings: Iterable[MappingPlugin]) -> tuple[MappingPlugin, ...]:
    """Give mappings in the order in which they are asked: a site's own before voeflow's, each by name."""
    return tuple(sorted(mappings, key=lambda each: (each.is_built_in, each.name)))


def to_ask(mappings: Sequence[MappingPlugin], topic: str, name: str) -> list[MappingPlugin]:
    """Give the mappings to ask about a notice, in order.

    Args:
        mappings: what there is, in order.
        topic: the notice's.
        name: the one to ask, whatever the topic; empty for those that fit.

    Raises:
        LookupError: there is none of that name.
    """
    if not name:
        return [each for each in mappings if each.fits(topic)]
    found = [each for each in mappings if each.name == name]
    if not found:
        there_are = ", ".join(each.name for each in mappings) or "none"
        raise LookupError(f"there is no mapping {name!r}; installed: {there_are}")
    return found


def check_mappings(where: str, instance: Any, mappings: Iterable[MappingPlugin]) -> list[Mistake]:
    """Check the options of a source that name a mapping: fields with `metadata={"names": "mapping"}`.

    Args:
        where: the source's table, as `transports.gcn`.
        instance: what was made of it, or None if nothing was.
        mappings: what is installed.

    Returns:
        The mistakes in them.
    """
    known = {each.name for each in mappings}
    fields = attrs.fields(type(instance)) if instance is not None else ()
    named = [field.name for field in fields if field.metadata.get("names") == "mapping"]
    return [
        Mistake(
            f"{where}.{key}", f"no mapping {show_value(name)} is installed", nearest(name, known, "mappings")
        )
        for key in named
        if (name := getattr(instance, key)) and name not in known
    ]


def _is_pattern(topic: object) -> bool:
    return isinstance(topic, str) and bool(topic)
