"""`voeflow test`: a dry run of events through a pipeline's filters."""

from __future__ import annotations

import sys
from pathlib import Path

import attrs
import click
import trio

from voeflow._answers import Envelope, Filters
from voeflow._command._notices import is_packet, made_of, reader_of_notices
from voeflow._command._output import console, plain_table
from voeflow._command._pipelines import pipeline_argument, read_or_exit
from voeflow._errors import EventError, FilterError
from voeflow._event import Event
from voeflow._tables import HandlerTable, Pipeline, TransportTable
from voeflow._text import printable


@click.command("test")
@pipeline_argument
@click.argument("events", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--topic", default="", help="Of notices: the topic that they come from, as igwn.gwalert.")
@click.option("--mapping", default="", help="Of notices: the one mapping to ask, whatever the topic.")
@click.option("--packet", is_flag=True, help="Of notices: also print the packet that is made.")
def command(pipeline: Path, events: tuple[Path, ...], topic: str, mapping: str, packet: bool) -> None:
    """Say what PIPELINE would do with each EVENT file; nothing is sent, saved or run.

    An EVENT is a VOEvent; or a notice, which a mapping makes a VOEvent of, as it would in the node: what came
    earlier is looked up in the store, if there is one, and among the files before it. For each event: which
    filters hold, and why, and which sinks would get it. Exit status: 0; 1 if a file is no VOEvent, nor a
    notice that a mapping takes; 2 if the pipeline, or what was asked, is wrong.
    """
    loaded, _ = read_or_exit(pipeline)
    filters = Filters(loaded.filters, loaded.node.filter_timeout)
    bad = 0

    def parse(_: Path, raw: bytes) -> Event:
        bounds = loaded.node
        return Event.parse(
            raw,
            max_bytes=bounds.max_event,
            max_depth=bounds.max_depth,
            max_attributes=bounds.max_attributes,
        )

    with reader_of_notices(loaded, topic, mapping) as read:
        for number, path in enumerate(events):
            if number:
                click.echo()
            try:
                raw = path.read_bytes()
            except OSError as error:
                bad += 1
                click.echo(f"{path}: cannot be read: {error.strerror}", err=True)
                continue
            what, reading = ("VOEvent", parse) if is_packet(raw) else ("notice", read)
            try:
                event = reading(path, raw)
            except EventError as error:
                bad += 1
                click.echo(f"{path}: no {what} that can be taken: {error}", err=True)
                continue
            if packet and event.attachments:
                click.echo(event.raw)
            trio.run(_show, path, event, loaded, filters)
    sys.exit(1 if bad else 0)


@attrs.frozen
class _Answer:
    holds: bool | None
    why: str


async def _show(path: Path, event: Event, pipeline: Pipeline, filters: Filters) -> None:
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
        out.print(table)
    table = plain_table("sink", "gets it", "when")
    for sink in _sinks(pipeline):
        decided = sink.when.decide({n: a.holds for n, a in answers.items() if a.holds is not None})
        gets = decided if isinstance(decided, bool) else None
        table.add_row(sink.name, _word(gets), Text(_condition(sink)))
    out.print(table)


async def _ask(filters: Filters, name: str, envelope: Envelope) -> _Answer:
    try:
        verdict = await filters.ask(name, envelope)
    except FilterError as error:
        return _Answer(None, error.reason)
    return _Answer(verdict.holds, printable(verdict.reason, 300))


def _sinks(pipeline: Pipeline) -> list[HandlerTable | TransportTable]:
    return [*(t for t in pipeline.transports.values() if t.is_sink), *pipeline.handlers.values()]


def _condition(sink: HandlerTable | TransportTable) -> str:
    when = sink.when.text or "always"
    return f"{when}; if it comes from {', '.join(sorted(sink.sources))}" if sink.sources else when


def _word(answer: bool | None) -> str:
    return {True: "yes", False: "no", None: "no answer"}[answer]
