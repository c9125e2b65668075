"""`voeflow sources`: what each source of a pipeline last heard, beside a running node or without one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from voeflow._command._facts import iso_time, show_time
from voeflow._command._output import plain_table, print_table
from voeflow._command._pipelines import BAD_PIPELINE, fail, look_or_exit, pipeline_argument
from voeflow._command.events_selection import open_store
from voeflow._errors import StoreError
from voeflow._hearing import BOOKMARKS, Heard, load_all
from voeflow._pipeline_look import SourceLook
from voeflow._quantities import show_seconds
from voeflow._text import printable

#: The exit status where a source is silent.
SILENT = 1


@click.command("sources", short_help="Tell when each source of PIPELINE was last heard.")
@pipeline_argument
@click.option("--format", "format_", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(pipeline: Path, format_: str) -> None:
    """Tell when each source of PIPELINE last heard an event, or any sign of life, and which are silent.

    It is what the store has of it: of a running node a few seconds old. `--format json` prints one JSON
    object a line. Exit status: 0; 1 if an alarm is on, or there is no store to read; 2 if the pipeline is
    wrong.
    """
    look = look_or_exit(pipeline)
    store = open_store(look.pipeline)
    try:
        heard = load_all(store.bookmarks(BOOKMARKS))
    except StoreError as error:
        fail(str(error), BAD_PIPELINE)
    finally:
        store.close()
    found = [(source, heard.get(source.name, Heard())) for source in look.sources]
    if format_ == "json":
        for source, each in found:
            click.echo(json.dumps(_facts(source, each), ensure_ascii=True))
    else:
        _print(found)
    sys.exit(SILENT if any(each.alarm is not None for _, each in found) else 0)


def _facts(source: SourceLook, heard: Heard) -> dict[str, Any]:
    alarm = heard.alarm
    return {
        "source": source.name,
        "plugin": source.plugin,
        "last_event": iso_time(heard.event),
        "last_sign_of_life": iso_time(heard.sign),
        "last_heard": iso_time(heard.last),
        "last_heard_from": heard.peer,
        "silent_for": heard.silent,
        "silent_after": source.silent_after,
        "alarm_since": iso_time(alarm.since) if alarm is not None else None,
        "alarm": alarm.ivorn if alarm is not None else None,
    }


def _print(found: list[tuple[SourceLook, Heard]]) -> None:
    table = plain_table(
        "source", "plugin", "last event", "last heard", "heard from", "silent after", "alarm since"
    )
    for source, heard in found:
        table.add_row(
            printable(source.name),
            source.plugin,
            _shown(heard.event),
            _shown(heard.last),
            printable(heard.peer),
            show_seconds(source.silent_after) if source.silent_after is not None else "-",
            _shown(heard.alarm.since) if heard.alarm is not None else "-",
        )
    print_table(table)


def _shown(moment: float | None) -> str:
    return "never" if moment is None else show_time(moment)
