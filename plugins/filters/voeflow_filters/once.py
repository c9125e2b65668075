"""The `once` filter: the first event of each trigger, and none of those that follow."""

from __future__ import annotations

import re
from collections.abc import Iterator

import attrs

import voeflow

from ._ivoids import folded
from ._params import params_named

#: How many of the events that a packet cites are looked at.
CITED_MAX = 20


def _names(instance: object, attribute: attrs.Attribute[tuple[str, ...]], names: tuple[str, ...]) -> None:
    if not all(names):
        raise ValueError('expected names of Params, such as "TrigID", got an empty one')


def _expression(instance: object, attribute: attrs.Attribute[str | None], text: str | None) -> None:
    if text is None:
        return
    try:
        found = re.compile(text)
    except re.error as error:
        raise ValueError(f"expected a regular expression, got {text!r}: {error}") from None
    if found.groups > 1:
        raise ValueError(f"expected at most one group in brackets, got {found.groups} in {text!r}")


@attrs.frozen
class Once:
    """Pass the first event of each trigger, and none that follows: an alert is acted on once.

    Which events are of one trigger, `param` says: the names of Params that hold its name, such as `TrigID`;
    events that have the same value in any of them are of one trigger. Or `ivorn` does, with a regular
    expression: what its brackets, or else all of it, finds in the IVORN. Without these, or where an event has
    none of them, it is of the trigger of the events that it cites, and of those with its own IVORN.

    The first event is the first that this filter is *asked* about, in the order in which the node took them.
    In `svom and localised and once` it is not asked before the others hold, so an event without a position
    does not use up its trigger's turn. Give each sink that asks after other filters a table of its own. What
    passed is written down in the node's store before it passes, so the answer for an event stays the same
    when a delivery is tried again and after any restart, for as long as `retention` says.

    Events of different authors are of different triggers, and tests are never of the trigger of what is none:
    nobody else can use up a turn. What follows the first, a better position say, does not pass: where that
    matters, act on `supersedes` too (see the filter `cites`).

        [filters.once]
        plugin = "once"
        param  = ["Burst_Id", "TrigID"]

        [handlers.slew]
        plugin  = "spawn"
        command = ["./slew.sh"]
        when    = "svom and localised and once"
    """

    param: tuple[str, ...] = attrs.field(
        default=(),
        validator=_names,
        metadata={"help": "the Params that name the trigger, in groups too", "one_or_many": True},
    )
    ivorn: str | None = attrs.field(
        default=None,
        validator=_expression,
        metadata={"help": "a regular expression that finds the trigger's name in the IVORN"},
    )
    across_authors: bool = attrs.field(
        default=False, metadata={"help": "whether events of different authors may be of one trigger"}
    )

    def matches(self, event: voeflow.Event, places: voeflow.Places) -> voeflow.Verdict:
        """Say whether this is the first event of its trigger."""
        author = "" if self.across_authors else folded((event.author or "").strip())
        scope = f"{'test' if event.role == 'test' else ''}\n{author}\n"
        named = list(self._named(event))
        # Every key is taken, though one may have settled the answer: the next event may share another.
        lost = [words for key, words in (named or _cited(event)) if places.take(scope + key, event) is None]
        if lost:
            return voeflow.Verdict(False, f"another event of {lost[0]} came first")
        return voeflow.Verdict(
            True, f"the first event of {named[0][1]}" if named else "the first of its kind"
        )

    def _named(self, event: voeflow.Event) -> Iterator[tuple[str, str]]:
        """Give the keys that the event's trigger is known by, with what they are in words."""
        for name in self.param:
            value = next((v for p in params_named(event, name) if (v := p.value.strip())), "")
            if value:
                yield f"param\n{name}\n{value}", f"{voeflow.printable(f'{name} {value}', 80)}"
        if self.ivorn is not None and (found := re.search(self.ivorn, event.ivorn)) is not None:
            value = found[found.re.groups] or ""
            if value:
                yield f"ivorn\n{value}", f"{voeflow.printable(value, 80)}"


def _cited(event: voeflow.Event) -> Iterator[tuple[str, str]]:
    """Give the event's own IVORN and those that it cites, as keys with what they are in words."""
    ivorns = [event.ivorn, *(citation.ivorn for citation in event.citations[:CITED_MAX])]
    for ivorn in dict.fromkeys(folded(ivorn.strip()) for ivorn in ivorns):
        yield f"event\n{ivorn}", voeflow.printable(ivorn, 120)
