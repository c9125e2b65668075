"""`voeflow events replay`: hands events to a sink again."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from voeflow._command._pipelines import BAD_PIPELINE, fail, look_or_exit, pipeline_argument
from voeflow._command._progress import progress
from voeflow._command.events_selection import (
    EVERYTHING,
    NOTHING,
    Chosen,
    choose,
    open_store,
    selection_options,
)
from voeflow._errors import StoreError
from voeflow._names import nearest
from voeflow._store_asked import ask_again


@click.command("replay")
@pipeline_argument
@click.option("--to", "sink", required=True, metavar="SINK", help="The handler or transport that gets them.")
@click.option("--yes", is_flag=True, help="Do not ask before all events there are go to SINK.")
@selection_options
def command(pipeline: Path, sink: str, yes: bool, chosen: Chosen) -> None:
    """Hand events in the store of PIPELINE to a sink again, whether it wants them or not.

    A node that runs begins within a second or two, oldest first, and lets new events go before; one that does
    not run begins when it starts. SINK is a table's name; its `when` and `sources` are not asked, and with
    --dead its own dead letters are meant. Where all events there are would go, it asks first, or takes --yes.
    Exit status: 0; 1 if there are none, or the store cannot be written; 2 if the pipeline, or what was asked,
    is wrong.
    """
    look = look_or_exit(pipeline)
    loaded, sinks = look.pipeline, [each.name for each in look.sinks]
    if sink in look.others:
        fail(f"--to {sink}: this transport brings events in, and nothing goes out to it", BAD_PIPELINE)
    if sink not in sinks:
        fail(f"--to {sink}: {pipeline} has no such sink; {nearest(sink, sinks, 'sinks')}", BAD_PIPELINE)
    store = open_store(loaded)
    try:
        seqs = choose(loaded, store, chosen, sink)
        if chosen == EVERYTHING and seqs and not yes:
            # A slip of the hand here could slew a telescope a thousand times.
            if not sys.stdin.isatty():
                fail(f"this would hand all {len(seqs)} events to {sink}: say which, or --yes", BAD_PIPELINE)
            click.confirm(f"Hand all {len(seqs)} events in the store to {sink} again?", abort=True, err=True)
        with progress("asking", len(seqs)) as tell:
            number = ask_again(store.path, sink, seqs, tell) if seqs else 0
    except StoreError as error:
        fail(str(error), NOTHING)
    finally:
        store.close()
    if not number:
        letters = f"dead letters of {sink}" if chosen.dead else "events"
        fail(f"there are no such {letters} in {loaded.node.store}; nothing is handed over again.", NOTHING)
    click.echo(f"{number} event{'s' if number > 1 else ''} will be handed to {sink} again")
