"""Holding a pipeline to its `[[tests]]`, and telling the outcome as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import trio

from voeflow import _wall
from voeflow._answers import Envelope, Filters
from voeflow._command._notices import reader_of_notices
from voeflow._command._output import console, plain_table, print_table
from voeflow._command._reading import read_event
from voeflow._errors import EventError, FilterError
from voeflow._event import Event
from voeflow._expectations import Expectation
from voeflow._explain import Explanation, explain
from voeflow._tables import Pipeline
from voeflow._text import printable


@attrs.frozen
class Result:
    """What came of a test.

    Attributes:
        test: the test.
        failures: what was not as expected, in words; none if all was.
    """

    test: Expectation
    failures: tuple[str, ...]


def run_tests(pipeline: Pipeline) -> list[Result]:
    """Hold a pipeline to its tests, each by itself; nothing is sent, saved or run."""
    return [Result(test, tuple(_failures(pipeline, test))) for test in pipeline.tests]


def show_results(results: Sequence[Result], directory: Path) -> None:
    """Tell the outcome as a table, and in a line.

    Args:
        results: the outcome.
        directory: that of the pipeline file, to which the events' paths are told relative.
    """
    from rich.text import Text

    out = console()
    table = plain_table("test", "event", "result", "why")
    for name, event, failures in ((r.test.name, r.test.event, r.failures) for r in results):
        path = event.relative_to(directory) if event.is_relative_to(directory) else event
        word = Text("FAILED", style="bold red") if failures else Text("passed", style="green")
        table.add_row(Text(printable(name)), Text(str(path)), word, Text(failures[0] if failures else ""))
        for failure in failures[1:]:
            table.add_row("", "", "", Text(failure))
    print_table(table)
    failed = sum(bool(result.failures) for result in results)
    number = f"{len(results)} test{'' if len(results) == 1 else 's'}"
    out.print(Text(f"{number}: {len(results) - failed} passed, {failed} failed."))


def _failures(pipeline: Pipeline, test: Expectation) -> Iterator[str]:
    moment = _wall.utcnow() if test.moment is None else test.moment
    token = _wall.clock.set(moment.timestamp)
    try:
        with reader_of_notices(pipeline, test.topic, "", tell=lambda _: None) as of_notice:
            events = [
                attrs.evolve(read_event(pipeline, path, of_notice), source=test.source, received=moment)
                for path in (*test.after, test.event)
            ]
        found = trio.run(_ask, pipeline, events)
    except EventError as error:
        yield str(error)
        return
    finally:
        _wall.clock.reset(token)
    yield from _differences(test, found)


async def _ask(pipeline: Pipeline, events: Sequence[Event]) -> Explanation:
    """Ask about every event in its order, for filters that remember; explain the last."""
    filters = Filters(pipeline.filters, pipeline.node.filter_timeout)
    *earlier, last = events
    for event in earlier:
        for name in pipeline.filters:
            try:
                await filters.ask(name, Envelope(0, event))
            except FilterError:
                continue  # it is told of the event that the test is about, if it matters there
    return await explain(pipeline, last, filters)


def _differences(test: Expectation, found: Explanation) -> Iterator[str]:
    answers = {answer.name: answer for answer in found.filters}
    for expected, names in ((True, test.holds), (False, test.holds_not)):
        for name in names:
            answer = answers[name]
            if answer.holds is not expected:
                does = {True: "it holds", False: "it does not hold", None: "it gave no answer"}[answer.holds]
                hope = "to hold" if expected else "not to hold"
                reason = f": {answer.reason}" if answer.reason else ""
                yield f"filter {name}: expected {hope}, but {does}{reason}"
    sinks = {sink.name: sink for sink in found.sinks}
    for expected, names in ((True, test.reaches), (False, test.reaches_not)):
        for name in names:
            sink = sinks[name]
            if sink.gets is not expected:
                does = {True: "it does", False: "it does not", None: "that is open"}[sink.gets]
                hope = "to get the event" if expected else "not to get the event"
                yield f"sink {name}: expected {hope}, but {does}: {found.why(sink)}"
