"""`voeflow check`: all of the checking that `run` does, and nothing started."""

from __future__ import annotations

from pathlib import Path

import click

from voeflow._command._pipelines import pipeline_argument, read_or_exit


@click.command("check", short_help="Tell every mistake in PIPELINE, and start nothing.")
@pipeline_argument
def command(pipeline: Path) -> None:
    """Check PIPELINE as `run` would, and start nothing; also that the event files of its [[tests]] are there.

    Every mistake is told, each with its table and key. Exit status: 0; 2 if there is a mistake.
    """
    loaded, _ = read_or_exit(pipeline, with_tests=True)
    parts = [
        f"{len(tables)} {word}{'' if len(tables) == 1 else 's'}"
        for word, tables in (
            ("transport", loaded.transports),
            ("filter", loaded.filters),
            ("handler", loaded.handlers),
            *([("test", loaded.tests)] if loaded.tests else []),
        )
    ]
    click.echo(f"{pipeline}: good: {', '.join(parts)}.")
