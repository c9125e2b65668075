"""`voeflow events export`: copies packets, and what is kept beside them, out of the store."""

from __future__ import annotations

from pathlib import Path

import attrs
import click

from voeflow._command._facts import whole_of_store
from voeflow._command._pipelines import BAD_PIPELINE, fail, look_or_exit, pipeline_argument
from voeflow._command._progress import progress
from voeflow._command.events_selection import (
    NOTHING,
    Chosen,
    choose,
    open_store,
    selection_options,
)
from voeflow._errors import StoreError
from voeflow._export import exporter


@click.command("export")
@pipeline_argument
@click.option(
    "--to",
    "target",
    required=True,
    metavar="DIR|FILE",
    type=click.Path(path_type=Path),
    help="A directory, for a file a packet; or a file whose name ends in .tar, .tar.gz or .jsonl.",
)
@click.option("--packets-only", is_flag=True, help="Leave out what is kept beside packets.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@selection_options
def command(pipeline: Path, target: Path, packets_only: bool, force: bool, chosen: Chosen) -> None:
    """Copy packets out of the store of PIPELINE, byte for byte, oldest first.

    What is kept beside an event, the notice that it was made of say, is a file beside its packet's. A file is
    written whole or not at all. In a .jsonl file each line is a JSON object with an event's facts, as
    `voeflow events show --format json` prints them, and in base64 as `raw` its packet and each attachment.
    Exit status: 0; 1 if there are none, or the target cannot be written or is there already; 2 if the
    pipeline, or what was asked, is wrong.
    """
    loaded = look_or_exit(pipeline).pipeline
    try:
        writer = exporter(target, force=force, facts=whole_of_store)
    except ValueError as error:
        fail(f"--to {target}: {error}", BAD_PIPELINE)
    store = open_store(loaded)
    number = 0
    try:
        seqs = choose(loaded, store, chosen)
        if not seqs:
            fail(f"there are no such events in {loaded.node.store}; nothing was written.", NOTHING)
        with progress("exporting", len(seqs)) as tell, writer as write:
            for seq in seqs:
                for stored in store.get([seq]):  # none, if it has left the store in between
                    write(attrs.evolve(stored, attachments=()) if packets_only else stored)
                    number += 1
                tell(1)
    except StoreError as error:
        fail(str(error), NOTHING)
    except OSError as error:
        fail(f"cannot write {error.filename or target}: {error.strerror or error}", NOTHING)
    finally:
        store.close()
    click.echo(f"{number} packet{'' if number == 1 else 's'} written to {target}")
