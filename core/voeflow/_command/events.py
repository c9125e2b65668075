"""`voeflow events`: a look into the store, beside a running node or without one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import click

from voeflow._answers import Envelope, Filters
from voeflow._command._facts import brief, show_time, whole
from voeflow._command._output import console, plain_table
from voeflow._command._pipelines import BAD_PIPELINE, fail, pipeline_argument, read_or_exit
from voeflow._errors import FilterError, StoreError
from voeflow._feed import reread
from voeflow._quantities import parse_seconds
from voeflow._routing import read_when
from voeflow._store_reader import StoreReader
from voeflow._store_records import StoredEvent
from voeflow._store_select import (
    DeadLetter,
    Selection,
    deliveries_of,
    find,
    select,
    select_dead,
    select_refused,
    verdicts_of,
)
from voeflow._tables import Pipeline
from voeflow._text import printable

#: The exit status when nothing was found.
NOTHING = 1


def _read_moment(_: click.Context, option: click.Parameter, text: str | None) -> float | None:
    """Read a time in UTC, or how long ago, as seconds since 1970."""
    if text is None:
        return None
    try:
        ago = parse_seconds(text.removesuffix("ago").strip())
    except ValueError:
        pass
    else:
        return (datetime.now(UTC) - timedelta(seconds=ago)).timestamp()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f'expected a time such as "2026-11-24T01:30" (UTC) or "2 hours", got "{text}"', param=option
        ) from None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


@click.group("events")
def command() -> None:
    """Look into a pipeline's event store: also while its node runs, which does not notice."""


@command.command("list")
@pipeline_argument
@click.option("--role", help="Only events of this role.")
@click.option("--author", help="Only events of this AuthorIVORN; * stands for anything.")
@click.option("--ivorn", help="Only events of this IVORN; * stands for anything.")
@click.option(
    "--since", callback=_read_moment, help="Only those received since then: a time in UTC, or how long ago."
)
@click.option("--until", callback=_read_moment, help="Only those received before then.")
@click.option("--where", help="Only events for which this holds, over the pipeline's filters, as `when`.")
@click.option("--dead", is_flag=True, help="Deliveries that were given up, with their sinks and reasons.")
@click.option("--refused", is_flag=True, help="Packets that were refused, with the reasons.")
@click.option("--limit", type=click.IntRange(min=1), help="At most this many, the newest.")
@click.option(
    "--format", "format_", type=click.Choice(["table", "json", "ivorn"]), default="table", show_default=True
)
def list_events(
    pipeline: Path,
    role: str | None,
    author: str | None,
    ivorn: str | None,
    since: float | None,
    until: float | None,
    where: str | None,
    dead: bool,
    refused: bool,
    limit: int | None,
    format_: str,
) -> None:
    """List the events in the store of PIPELINE, newest first.

    `--format json` prints one JSON object a line. Exit status: 0; 1 if there are none; 2 if the pipeline, or
    what was asked, is wrong.
    """
    loaded, _ = read_or_exit(pipeline)
    holds = _condition(loaded, where)
    if refused and (dead or where or role or author):
        fail(
            "--refused goes with --ivorn, --since, --until and --limit only: a refused packet has no more.", 2
        )
    selection = Selection(role=role, author=author, ivorn=ivorn, since=since, until=until)
    store = _open(loaded)
    try:
        if refused:
            rows: Iterable[dict[str, Any]] = (
                {
                    "received": show_time(r.received),
                    "source": r.source,
                    "peer": r.peer,
                    "ivorn": r.ivorn,
                    "reason": r.reason,
                }
                for r in select_refused(store, selection)
            )
        elif dead:
            rows = (_dead_row(d, format_) for d in select_dead(store, selection) if holds(d.event))
        else:
            rows = (_event_row(e, format_) for e in select(store, selection) if holds(e))
        found = _print(islice(rows, limit), format_)
    except StoreError as error:
        fail(str(error), BAD_PIPELINE)
    finally:
        store.close()
    sys.exit(0 if found else NOTHING)


@command.command("show")
@pipeline_argument
@click.argument("ivorn")
@click.option("--raw", is_flag=True, help="The packet's bytes, exactly as they came in.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def show_event(pipeline: Path, ivorn: str, raw: bool, format_: str) -> None:
    """Show the events of one IVORN in the store of PIPELINE, and what became of them.

    One IVORN may have come in several forms; all are shown, newest first, and `--raw` prints the newest. Exit
    status: 0; 1 if there is none; 2 if the pipeline is wrong.
    """
    loaded, _ = read_or_exit(pipeline)
    store = _open(loaded)
    try:
        found = find(store, ivorn)
        if not found:
            click.echo(f"no event {printable(ivorn)} in {loaded.node.store}", err=True)
            sys.exit(NOTHING)
        if raw:
            if len(found) > 1:
                click.echo(f"the newest of {len(found)} events of this IVORN:", err=True)
            sys.stdout.buffer.write(found[0].raw)
        elif format_ == "json":
            for stored in found:
                click.echo(json.dumps(_everything(store, stored), ensure_ascii=True))
        else:
            for stored in found:
                _show(store, stored)
    except StoreError as error:
        fail(str(error), BAD_PIPELINE)
    finally:
        store.close()


def _open(pipeline: Pipeline) -> StoreReader:
    try:
        return StoreReader.open(pipeline.node.store)
    except StoreError as error:
        fail(str(error), NOTHING)


def _condition(pipeline: Pipeline, where: str | None) -> Callable[[StoredEvent], bool]:
    """Give what `--where` asks, as a function of an event."""
    if where is None:
        return lambda _: True
    when, mistakes = read_when("--where", where, pipeline.filters)
    if when is None:
        fail(str(mistakes[0]).replace("--where.when", "--where"), BAD_PIPELINE)
    filters = Filters(pipeline.filters, pipeline.node.filter_timeout)

    def holds(stored: StoredEvent) -> bool:
        import trio

        try:
            return trio.run(filters.hold, when, Envelope(stored.seq, reread(stored).event))
        except FilterError as error:
            click.echo(f"{printable(stored.ivorn)}: left out: {error}", err=True)
            return False

    return holds


def _event_row(stored: StoredEvent, format_: str) -> dict[str, Any]:
    if format_ != "table":
        return brief(stored)
    return {
        "received": show_time(stored.received),
        "role": stored.role,
        "ivorn": stored.ivorn,
        "source": stored.source,
        "valid": "yes" if stored.valid else "no",
    }


def _dead_row(dead: DeadLetter, format_: str) -> dict[str, Any]:
    facts = {
        "sink": dead.sink,
        "given up": show_time(dead.given_up),
        "attempts": dead.attempts,
        "ivorn": dead.event.ivorn,
        "reason": dead.reason,
    }
    return facts if format_ == "table" else {**brief(dead.event), **facts}


def _print(rows: Iterator[dict[str, Any]], format_: str) -> int:
    """Print rows and give their number."""
    number = 0
    if format_ == "table":
        return _print_table(rows)
    for row in rows:
        number += 1
        if format_ == "json":
            click.echo(json.dumps(row, ensure_ascii=True))
        else:
            click.echo(printable(row["ivorn"] or "-", 1000))
    return number


def _print_table(rows: Iterator[dict[str, Any]]) -> int:
    """Print a table a page at a time, so that a million events need no more memory than a screenful."""
    number = 0
    while page := list(islice(rows, 200)):
        table = plain_table(*page[0], header=not number)
        for row in page:
            table.add_row(
                *(printable(str(value if value is not None else "-"), 300) for value in row.values())
            )
        console().print(table)
        number += len(page)
    return number


def _everything(store: StoreReader, stored: StoredEvent) -> dict[str, Any]:
    return {
        **whole(stored, reread(stored).event),
        "deliveries": [
            {"sink": d.sink, "state": d.state, "attempts": d.attempts, "reason": d.reason}
            for d in deliveries_of(store, stored.seq)
        ],
        "verdicts": [
            {"filter": v.filter, "holds": v.holds, "reason": v.reason} for v in verdicts_of(store, stored.seq)
        ],
    }


def _show(store: StoreReader, stored: StoredEvent) -> None:
    facts = _everything(store, stored)
    click.echo(click.style(printable(stored.ivorn, 1000), bold=True))
    position = facts.pop("position")
    if position is not None:
        error = "unknown" if position["error"] is None else f"{position['error']:g} deg"
        facts["position"] = (
            f"ra {position['ra']:.5f} deg, dec {position['dec']:+.5f} deg, error {error}, {position['frame']}"
        )
    for name in ("received", "role", "author", "date", "version", "source", "valid", "description", "time"):
        _line(name, facts[name])
    _line("position", facts.get("position"))
    for citation in facts["citations"]:
        _line("cites", f"{citation['ivorn']} ({citation['kind']})")
    for param in facts["params"]:
        _line(param["name"], f"{param['value']} {param['unit']}")
    for group in facts["groups"]:
        for param in group["params"]:
            _line(f"{group['name']}.{param['name']}", f"{param['value']} {param['unit']}")
    for defect in facts["defects"]:
        _line("breaks its grammar", defect)
    for verdict in facts["verdicts"]:
        _line(f"filter {verdict['filter']}", f"{'holds' if verdict['holds'] else 'no'}: {verdict['reason']}")
    for delivery in facts["deliveries"]:
        tries = f" after {delivery['attempts']} attempts: {delivery['reason']}" if delivery["reason"] else ""
        _line(f"sink {delivery['sink']}", delivery["state"] + tries)


def _line(name: str, value: object) -> None:
    if value not in (None, ""):
        click.echo(f"  {printable(str(name), 60)}: {printable(str(value), 500).rstrip()}")
