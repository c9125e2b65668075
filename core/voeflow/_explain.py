"""Why a pipeline does with an event what it does: every filter's answer, and every sink's expression."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from voeflow._answers import Envelope, Filters
from voeflow._errors import FilterError
from voeflow._event import Event
from voeflow._matched import Matched
from voeflow._tables import FilterTable, HandlerTable, Pipeline, TransportTable
from voeflow._text import printable
from voeflow._watched import LookedAt, WatchedEvent
from voeflow._when import Part

#: How much of a filter's reason is shown, in characters.
MAX_REASON = 300


@attrs.frozen
class FilterAnswer:
    """What a filter answers about an event, and by what.

    Attributes:
        name: the name of its table.
        plugin: the name of its plugin.
        holds: its answer; None if it gave none.
        reason: why, in its own words, or why it gave no answer.
        looked_at: the facts of the event that it asked for.
        asked: the XPath that it asked, with what that gave.
    """

    name: str
    plugin: str
    holds: bool | None
    reason: str
    looked_at: tuple[LookedAt, ...]
    asked: tuple[Matched, ...]


@attrs.frozen
class SinkAnswer:
    """Whether a sink gets an event, and by what.

    Attributes:
        name: the name of its table.
        gets: whether it does; None where that hangs on a filter that gave no answer.
        when: its `when` with the value of every part; None if it has none.
        sources: the transports whose events it gets; None for all.
        admitted: whether its `sources` let the event pass; an event of no known source passes.
    """

    name: str
    gets: bool | None
    when: Part | None
    sources: tuple[str, ...] | None
    admitted: bool


@attrs.frozen
class Explanation:
    """What a pipeline does with an event.

    Attributes:
        event: the event.
        filters: the answer of every filter, in the order of the file.
        sinks: what every sink does, transports first.
    """

    event: Event
    filters: tuple[FilterAnswer, ...]
    sinks: tuple[SinkAnswer, ...]

    def why(self, sink: SinkAnswer) -> str:
        """Say in a line why a sink gets the event or not: what decides it, and the reasons of that."""
        if not sink.admitted:
            return f"it comes through {self.event.source}, not through {', '.join(sink.sources or ())}"
        if sink.when is None:
            return "it gets every event"
        answers = {answer.name: answer for answer in self.filters}
        told = []
        for name in sink.when.deciding():
            answer = answers[name]
            verb = {True: "holds", False: "does not hold", None: "gave no answer"}[answer.holds]
            told.append(f"{name} {verb}{f': {answer.reason}' if answer.reason else ''}")
        return "; ".join(told)


async def explain(pipeline: Pipeline, event: Event, filters: Filters) -> Explanation:
    """Ask every filter about an event, and judge every sink by that.

    Args:
        pipeline: the pipeline.
        event: the event.
        filters: those of the pipeline, ready to be asked.
    """
    answers = [await _answer(filters, table, event) for table in pipeline.filters.values()]
    known = {answer.name: answer.holds for answer in answers if answer.holds is not None}
    return Explanation(event, tuple(answers), tuple(_judge(sink, event, known) for sink in pipeline.sinks))


async def _answer(filters: Filters, table: FilterTable, event: Event) -> FilterAnswer:
    watched = WatchedEvent.of(event)
    holds: bool | None
    try:
        verdict = await filters.ask(table.name, Envelope(0, watched))
    except FilterError as error:
        holds, reason = None, error.reason
    else:
        holds, reason = verdict.holds, verdict.reason
    return FilterAnswer(
        table.name, table.plugin.name, holds, printable(reason, MAX_REASON), watched.seen, watched.asked
    )


def _judge(sink: HandlerTable | TransportTable, event: Event, known: Mapping[str, bool]) -> SinkAnswer:
    admitted = sink.sources is None or not event.source or event.source in sink.sources
    part = sink.when.explain(known)
    return SinkAnswer(
        sink.name,
        part.value if admitted else False,
        part if sink.when.text is not None else None,
        None if sink.sources is None else tuple(sorted(sink.sources)),
        admitted,
    )
