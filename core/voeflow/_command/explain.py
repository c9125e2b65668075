"""`voeflow explain`: why a pipeline does with an event what it does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import click
import trio

from voeflow import _wall
from voeflow._answers import Filters
from voeflow._command._facts import show_time
from voeflow._command._notices import made_of, reader_of_notices
from voeflow._command._output import console
from voeflow._command._pipelines import BAD_PIPELINE, fail, pipeline_argument, read_or_exit
from voeflow._command._reading import read_event
from voeflow._command.events_selection import found_or_exit, open_store, whole_or_exit
from voeflow._errors import EventError, StoreError
from voeflow._event import Event
from voeflow._explain import Explanation, FilterAnswer, SinkAnswer, explain
from voeflow._feed import reread
from voeflow._matched import Place
from voeflow._store_reader import StoreReader
from voeflow._tables import Pipeline
from voeflow._text import printable
from voeflow._when import Part

_WORDS = {True: "yes", False: "no", None: "open"}
_STYLES = {True: "green", False: "red", None: "yellow"}


@click.command("explain", short_help="Say why PIPELINE would do with an EVENT what it would.")
@pipeline_argument
@click.argument("event", type=click.Path(dir_okay=False))
@click.option("--source", default="", help="The transport that it comes in through, if it is to be another.")
@click.option("--topic", default="", help="Of a notice: the topic that it comes from, as igwn.gwalert.")
@click.option("--mapping", default="", help="Of a notice: the one mapping to ask, whatever the topic.")
@click.option(
    "--format", "shape", type=click.Choice(["text", "json"]), default="text", help="How it is told."
)
def command(pipeline: Path, event: str, source: str, topic: str, mapping: str, shape: str) -> None:
    """Say why PIPELINE would do with an EVENT what it would; nothing is sent, saved or run.

    An EVENT is a file; or an IVORN, of which the newest event in the store of PIPELINE is taken. For each
    filter: its answer and its reason, what it looked at in the packet, and of XPath what matched, with path
    and line. For each sink: its `when` with the value of every part; what decides is marked with an asterisk.
    An event in a file comes in now, and through any transport; of one in the store it is told what would have
    been done with it when and where it came in. Exit status: 0; 1 if the file is no VOEvent, nor a notice
    that a mapping takes, or there is no such event; 2 if the pipeline, or what was asked, is wrong.
    """
    loaded, _ = read_or_exit(pipeline)
    if source and source not in loaded.transports:
        raise click.BadParameter(f"no transport is named {source!r}", param_hint="--source")
    if event.lower().startswith("ivo://"):
        if topic or mapping:
            fail("--topic and --mapping are for notices in files.", BAD_PIPELINE)
        told = _of_store(loaded, event, source)
    else:
        told = _of_file(loaded, Path(event), source, topic, mapping)
    if shape == "json":
        click.echo(json.dumps(_as_json(told), indent=2))
    else:
        _show(told, loaded)


@attrs.frozen
class _Told:
    """What is told, and of what: a file, or an event of the store."""

    where: Path
    found: Explanation
    stored: bool


def _of_file(pipeline: Pipeline, path: Path, source: str, topic: str, mapping: str) -> _Told:
    with reader_of_notices(pipeline, topic, mapping, tell=lambda _: None) as of_notice:
        try:
            event = read_event(pipeline, path, of_notice)
        except EventError as error:
            fail(f"{path}: {error}", 1)
    return _Told(path, _explained(pipeline, attrs.evolve(event, source=source)), stored=False)


def _of_store(pipeline: Pipeline, ivorn: str, source: str) -> _Told:
    store = open_store(pipeline)
    try:
        newest, *others = found_or_exit(store, ivorn)
        if others:
            click.echo(f"the newest of {1 + len(others)} events of this IVORN:", err=True)
        event = reread(whole_or_exit(store, newest)).event
        found = _explained(pipeline, attrs.evolve(event, source=source or event.source), store)
        return _Told(store.path, found, stored=True)
    except EventError as error:
        fail(f"{printable(ivorn)}: the packet cannot be read any more: {error}", 1)
    except StoreError as error:
        fail(str(error), BAD_PIPELINE)
    finally:
        store.close()


def _explained(pipeline: Pipeline, event: Event, keeper: StoreReader | None = None) -> Explanation:
    filters = Filters(pipeline.filters, pipeline.node.filter_timeout, keeper)
    token = _wall.clock.set(event.received.timestamp)  # for filters that ask what time it is
    try:
        return trio.run(explain, pipeline, event, filters)
    finally:
        _wall.clock.reset(token)


def _show(told: _Told, pipeline: Pipeline) -> None:
    from rich.text import Text

    out = console()
    found, event = told.found, told.found.event
    came = f", received {show_time(event.received.timestamp())} through {event.source}" if told.stored else ""
    title = f"{told.where}: {printable(event.ivorn)} ({printable(event.role, 40)}){came}"
    out.print(Text(title, style="bold"))
    for line in made_of(event):
        out.print(Text(f"  {line}"))
    for defect in event.defects[:3]:
        out.print(Text(f"  breaks its grammar: {defect}", style="yellow"))
    for answer in found.filters:
        out.print()
        verb = {True: "holds", False: "does not hold", None: "gives no answer"}[answer.holds]
        reason = f": {answer.reason}" if answer.reason else ""
        head = Text.assemble(
            ("filter ", ""),
            (answer.name, "bold"),
            f" ({answer.plugin}) ",
            (verb, _STYLES[answer.holds]),
            reason,
        )
        out.print(head)
        for line in _grounds(answer):
            out.print(Text(f"  {line}"))
    for sink in found.sinks:
        out.print()
        verb = {True: "gets it", False: "does not get it", None: "would ask again later"}[sink.gets]
        out.print(
            Text.assemble(
                "sink ", (sink.name, "bold"), " ", (verb, _STYLES[sink.gets]), f": {found.why(sink)}"
            )
        )
        for part, depth in _parts(sink):
            mark = "*" if part.decides else " "
            out.print(Text(f"  {_WORDS[part.value]:<5}{mark} {'  ' * depth}{part.text}"))


def _grounds(answer: FilterAnswer) -> Iterator[str]:
    """What a filter looked at, in lines."""
    for fact in answer.looked_at:
        where = f"   {_where(fact.places[0])}" if fact.places else ""
        more = f" and {len(fact.places) - 1} more" if len(fact.places) > 1 else ""
        yield f"looked at {fact.fact}: {fact.value}{where}{more}"
    for asked in answer.asked:
        yield f"asked     {asked.expression}"
        if not asked.places:
            yield f"          gave {asked.value}"
        for place in asked.places:
            yield f"matched   {_where(place)}: {place.value}"
        if asked.more:
            yield f"          and {asked.more} more"


def _where(place: Place) -> str:
    return f"{place.path}, line {place.line}" if place.line is not None else place.path


def _parts(sink: SinkAnswer) -> Iterator[tuple[Part, int]]:
    def below(part: Part, depth: int) -> Iterator[tuple[Part, int]]:
        yield part, depth
        for inner in part.parts:
            yield from below(inner, depth + 1)

    if sink.when is not None:
        yield from below(sink.when, 0)


def _as_json(told: _Told) -> dict[str, Any]:
    found, event = told.found, told.found.event
    return {
        "file": None if told.stored else str(told.where),
        "ivorn": event.ivorn,
        "role": event.role,
        "received": event.received.isoformat(),
        "source": event.source,
        "valid": event.valid,
        "filters": [attrs.asdict(answer) for answer in found.filters],
        "sinks": [
            {
                **attrs.asdict(sink),
                "decided_by": [] if sink.when is None else list(sink.when.deciding()),
                "why": found.why(sink),
            }
            for sink in found.sinks
        ],
    }
