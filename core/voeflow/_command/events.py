"""`voeflow events`: a look into the store, beside a running node or without one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click

from voeflow._command import events_export, events_replay
from voeflow._command._facts import brief, show_time, whole
from voeflow._command._output import console, plain_table
from voeflow._command._pipelines import BAD_PIPELINE, fail, look_or_exit, pipeline_argument
from voeflow._command.events_selection import NOTHING, Chosen, condition, open_store, selection_options
from voeflow._errors import StoreError
from voeflow._feed import reread
from voeflow._store_deliveries import deliveries_of, verdicts_of
from voeflow._store_reader import StoreReader
from voeflow._store_records import StoredEvent
from voeflow._store_select import DeadLetter, find, select, select_dead, select_refused
from voeflow._text import printable


@click.group("events")
def command() -> None:
    """Look into a pipeline's event store, also while its node runs; copy events out, hand them over again."""


command.add_command(events_export.command)
command.add_command(events_replay.command)


@command.command("list")
@pipeline_argument
@selection_options
@click.option("--refused", is_flag=True, help="Packets that were refused, with the reasons.")
@click.option(
    "--format", "format_", type=click.Choice(["table", "json", "ivorn"]), default="table", show_default=True
)
def list_events(pipeline: Path, chosen: Chosen, refused: bool, format_: str) -> None:
    """List the events in the store of PIPELINE, newest first.

    `--format json` prints one JSON object a line. Exit status: 0; 1 if there are none; 2 if the pipeline, or
    what was asked, is wrong.
    """
    loaded = look_or_exit(pipeline).pipeline
    holds = condition(loaded, chosen.where)
    selection = chosen.selection
    if refused and (chosen.dead or chosen.where or selection.role or selection.author):
        fail(
            "--refused goes with --ivorn, --since, --until and --limit only: a refused packet has no more.", 2
        )
    store = open_store(loaded)
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
        elif chosen.dead:
            rows = (_dead_row(d, format_) for d in select_dead(store, selection) if holds(d.event))
        else:
            rows = (_event_row(e, format_) for e in select(store, selection) if holds(e))
        found = _print(islice(rows, chosen.limit), format_)
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
    loaded = look_or_exit(pipeline).pipeline
    store = open_store(loaded)
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
