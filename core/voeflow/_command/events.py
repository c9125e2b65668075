"""`voeflow events`: a look into the store, beside a running node or without one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click

from voeflow._command import events_export, events_replay, events_show
from voeflow._command._facts import brief, refusal, show_time
from voeflow._command._output import plain_table, print_table
from voeflow._command._pipelines import BAD_PIPELINE, fail, look_or_exit, pipeline_argument
from voeflow._command.events_selection import NOTHING, Chosen, condition, open_store, selection_options
from voeflow._errors import StoreError
from voeflow._store_records import StoredEvent
from voeflow._store_select import DeadLetter, select, select_dead, select_refused
from voeflow._text import printable


@click.group("events", short_help="Look into a pipeline's event store; export and replay.")
def command() -> None:
    """Look into a pipeline's event store, also while its node runs; copy events out, hand them over again."""


command.add_command(events_export.command)
command.add_command(events_replay.command)
command.add_command(events_show.command)


@command.command("list")
@pipeline_argument
@selection_options
@click.option(
    "--refused", is_flag=True, help="What was refused, with the reasons; `show --refused` shows one."
)
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
            rows: Iterable[dict[str, Any]] = (refusal(r) for r in select_refused(store, selection))
        elif chosen.dead:
            rows = (_dead_row(d, format_) for d in select_dead(store, selection) if holds(store, d.event))
        else:
            rows = (_event_row(e, format_) for e in select(store, selection) if holds(store, e))
        found = _print(islice(rows, chosen.limit), format_)
    except StoreError as error:
        fail(str(error), BAD_PIPELINE)
    finally:
        store.close()
    if not found:
        what = "refusals" if refused else "dead letters" if chosen.dead else "events"
        click.echo(f"there are no such {what} in {store.path}", err=True)
        sys.exit(NOTHING)


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
        print_table(table)
        number += len(page)
    return number
