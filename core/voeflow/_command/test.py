"""`voeflow test`: a dry run of events through a pipeline's filters, or of the tests in its file."""

from __future__ import annotations

import sys
from pathlib import Path

import attrs
import click
import trio

from voeflow._answers import Envelope, Filters
from voeflow._command._expected import run_tests, show_results
from voeflow._command._notices import made_of, reader_of_notices
from voeflow._command._output import console, plain_table, print_table
from voeflow._command._pipelines import BAD_PIPELINE, fail, pipeline_argument, read_or_exit
from voeflow._command._reading import read_event
from voeflow._errors import EventError, FilterError
from voeflow._event import Event
from voeflow._tables import HandlerTable, Pipeline, TransportTable
from voeflow._text import printable


@click.command("test", short_help="Hold PIPELINE to its [[tests]], or try EVENT files on it.")
@pipeline_argument
@click.argument("events", nargs=-1, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--topic", default="", help="Of notices: the topic that they come from, as igwn.gwalert.")
@click.option("--mapping", default="", help="Of notices: the one mapping to ask, whatever the topic.")
@click.option("--packet", is_flag=True, help="Of notices: also print the packet that is made.")
def command(pipeline: Path, events: tuple[Path, ...], topic: str, mapping: str, packet: bool) -> None:
    """Hold PIPELINE to its [[tests]]; or say what it would do with each EVENT file.

    Nothing is sent, saved or run. Without an EVENT, every table [[tests]] of the pipeline file is tried: an
    event, the filters that are expected to hold or not, the sinks that are expected to get it or not. With
    EVENTs, it is told for each which filters hold, and why, and which sinks would get it.

    The keys of a test are name, event, after, source, received, topic, holds, holds_not, reaches and
    reaches_not.

    An EVENT is a VOEvent; or a notice, which a mapping makes a VOEvent of, as it would in the node: what came
    earlier is looked up in the store, if there is one, and among the files before it. Exit status: 0; 1 if a
    test fails, a filter gives no answer, or a file is no VOEvent, nor a notice that a mapping takes; 2 if the
    pipeline, or what was asked, is wrong.
    """
    if not events:
        _hold_to_its_tests(pipeline)
        return
    loaded, _ = read_or_exit(pipeline)
    filters = Filters(loaded.filters, loaded.node.filter_timeout)
    bad = 0
    with reader_of_notices(loaded, topic, mapping) as of_notice:
        for number, path in enumerate(events):
            if number:
                click.echo()
            try:
                event = read_event(loaded, path, of_notice)
            except EventError as error:
                bad += 1
                click.echo(f"{path}: {error}", err=True)
                continue
            if packet and event.attachments:
                click.echo(event.raw)
            bad += not trio.run(_show, path, event, loaded, filters)
    sys.exit(1 if bad else 0)


def _hold_to_its_tests(path: Path) -> None:
    pipeline, _ = read_or_exit(path, with_tests=True)
    if not pipeline.tests:
        fail(f"{path} has no [[tests]]: write some, or name the file of an EVENT.", BAD_PIPELINE)
    results = run_tests(pipeline)
    show_results(results, path.absolute().parent)
    sys.exit(1 if any(result.failures for result in results) else 0)


@attrs.frozen
class _Answer:
    holds: bool | None
    why: str


async def _show(path: Path, event: Event, pipeline: Pipeline, filters: Filters) -> bool:
    """Say what would become of an event, and whether every filter has answered."""
    from rich.text import Text

    envelope = Envelope(0, event)
    answers = {name: await _ask(filters, name, envelope) for name in pipeline.filters}
    out = console()
    out.print(Text(f"{path}: {printable(event.ivorn)} ({printable(event.role, 40)})", style="bold"))
    for line in made_of(event):
        out.print(Text(f"  {line}"))
    for defect in event.defects[:3]:
        out.print(Text(f"  breaks its grammar: {defect}", style="yellow"))
    if answers:
        table = plain_table("filter", "holds", "why")
        for name, answer in answers.items():
            table.add_row(name, _word(answer.holds), Text(answer.why))
        print_table(table)
    table = plain_table("sink", "gets it", "when")
    for sink in pipeline.sinks:
        decided = sink.when.decide({n: a.holds for n, a in answers.items() if a.holds is not None})
        gets = decided if isinstance(decided, bool) else None
        table.add_row(sink.name, _word(gets), Text(_condition(sink)))
    print_table(table)
    return all(answer.holds is not None for answer in answers.values())


async def _ask(filters: Filters, name: str, envelope: Envelope) -> _Answer:
    try:
        verdict = await filters.ask(name, envelope)
    except FilterError as error:
        return _Answer(None, error.reason)
    return _Answer(verdict.holds, printable(verdict.reason, 300))


def _condition(sink: HandlerTable | TransportTable) -> str:
    when = sink.when.text or "always"
    return f"{when}; if it comes from {', '.join(sorted(sink.sources))}" if sink.sources else when


def _word(answer: bool | None) -> str:
    return {True: "yes", False: "no", None: "no answer"}[answer]
