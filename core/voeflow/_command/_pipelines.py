"""What several subcommands do with a pipeline file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from voeflow._errors import PipelineError
from voeflow._pipeline import load_pipeline
from voeflow._plugins import Plugins, load_plugins
from voeflow._tables import Pipeline
from voeflow._text import printable

if TYPE_CHECKING:
    from voeflow._pipeline_look import Look

#: The exit status of a command whose pipeline file is wrong.
BAD_PIPELINE = 2

pipeline_argument = click.argument(
    "pipeline", type=click.Path(path_type=Path, dir_okay=False, readable=False)
)


def read_or_exit(path: Path, *, with_tests: bool = False) -> tuple[Pipeline, Plugins]:
    """Read a pipeline with every installed plugin at hand, or tell all its mistakes and exit with status 2.

    With `with_tests`, that an event file of its `[[tests]]` is missing is a mistake too.

    A plugin that could not be loaded is told too: as a warning, since the pipeline may do without it.
    """
    plugins = load_plugins(lazily=True)
    for failure in plugins.failed:
        warn(str(failure))
    try:
        pipeline = load_pipeline(path, plugins, os.environ, with_tests=with_tests)
    except PipelineError as error:
        _tell(error)
        number = len(error.mistakes)
        click.echo(f"{number} mistake{'s' if number > 1 else ''} found; nothing was started.", err=True)
        sys.exit(BAD_PIPELINE)
    for deprecation in pipeline.deprecations:
        warn(deprecation)
    return pipeline, plugins


def look_or_exit(path: Path) -> Look:
    """Read what a look into a pipeline's store needs, or tell the mistakes in that and exit with status 2."""
    from voeflow._pipeline_look import load_to_look

    try:
        return load_to_look(path, load_plugins(lazily=True), os.environ)
    except PipelineError as error:
        _tell(error)
        sys.exit(BAD_PIPELINE)


def _tell(error: PipelineError) -> None:
    for mistake in error.mistakes:
        click.echo(f"{error.path}: {printable(str(mistake), 1000)}", err=True)


def warn(text: str) -> None:
    """Print a warning to standard error."""
    click.echo(f"{click.style('warning', fg='yellow')}: {printable(text, 1000)}", err=True)


def fail(text: str, status: int) -> NoReturn:
    """Print an error to standard error and exit with `status`."""
    click.echo(f"{click.style('error', fg='red')}: {printable(text, 2000)}", err=True)
    sys.exit(status)
