"""`voeflow sinks`: what each sink of a pipeline was last given, and what it has still to do."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from voeflow._command._facts import iso_time, show_time
from voeflow._command._output import plain_table, print_table
from voeflow._command._pipelines import fail, look_or_exit, pipeline_argument
from voeflow._command.events_selection import NOTHING, open_store
from voeflow._errors import StoreError
from voeflow._pipeline_look import SinkLook
from voeflow._store_backlog import Backlog, backlogs
from voeflow._text import printable

#: The exit status where deliveries have failed or were given up.
FAILING = 1


@click.command("sinks", short_help="Tell what each sink of PIPELINE was given, and what is to come.")
@pipeline_argument
@click.option("--format", "format_", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(pipeline: Path, format_: str) -> None:
    """Tell when something was last delivered to each sink of PIPELINE, and what it has still to do.

    A sink is a handler, or a transport that events go out to. To come are the events that it has not taken
    yet, whether it will want them or not. Waiting are deliveries that failed and are tried again, and those
    that were put off or are to be made again; failed says how many of these have failed. Dead are those that
    were given up. Below the table stand the next try and the last that was given up, with the reason.

    It is what the store has of it: of a running node a few seconds old. A `-` stands where no delivery of an
    event that is still kept is known. `--format json` prints one JSON object a line. Exit status: 0; 1 if a
    sink has failed deliveries that wait, or dead letters, or there is no store to read; 2 if the pipeline is
    wrong.
    """
    look = look_or_exit(pipeline)
    store = open_store(look.pipeline)
    try:
        known = backlogs(store, [sink.name for sink in look.sinks])
    except StoreError as error:
        fail(str(error), NOTHING)
    finally:
        store.close()
    found = [(sink, known.get(sink.name)) for sink in look.sinks]
    if format_ == "json":
        for sink, backlog in found:
            click.echo(json.dumps(_facts(sink, backlog), ensure_ascii=True))
    else:
        _print(found)
    sys.exit(FAILING if any(each is not None and (each.failed or each.dead) for _, each in found) else 0)


def _facts(sink: SinkLook, backlog: Backlog | None) -> dict[str, Any]:
    has = backlog or Backlog(in_use=False)
    return {
        "sink": sink.name,
        "plugin": sink.plugin,
        "known": backlog is not None,
        "in_use": has.in_use,
        "last_delivered": iso_time(has.delivered),
        "to_come": has.to_come,
        "waiting": has.waiting,
        "failed": has.failed,
        "next_try": iso_time(has.next_try),
        "reason": has.reason,
        "dead": has.dead,
        "last_given_up": iso_time(has.given_up),
        "dead_reason": has.dead_reason,
    }


def _print(found: list[tuple[SinkLook, Backlog | None]]) -> None:
    table = plain_table("sink", "plugin", "last delivered", "to come", "waiting", "failed", "dead")
    for sink, has in found:
        if has is None:
            told = ("not known yet", *["-"] * 4)
        else:
            counts = (has.to_come, has.waiting, has.failed, has.dead)
            told = ("-" if has.delivered is None else show_time(has.delivered), *map(str, counts))
        table.add_row(printable(sink.name), sink.plugin or "-", *told)
    print_table(table)
    for sink, has in found:
        for remark in _remarks(has):
            click.echo(f"{printable(sink.name)}: {remark}")


def _remarks(has: Backlog | None) -> list[str]:
    """Say what has no room in a table of 100 columns."""
    if has is None:
        return ["no node has run with it yet; once one does, it begins with the next event"]
    remarks = []
    if not has.in_use:
        remarks.append("not in use: the pipeline that a node read last was without it")
    if has.next_try is not None:
        begin = "failed, next try at" if has.failed else "put off until"
        remarks.append(_because(f"{begin} {show_time(has.next_try)}", has.reason))
    if has.given_up is not None:
        remarks.append(_because(f"given up at {show_time(has.given_up)}", has.dead_reason))
    return remarks


def _because(what: str, reason: str) -> str:
    return f"{what}: {printable(reason, 500)}" if reason else what
