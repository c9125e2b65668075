"""`voeflow init`: a commented starter pipeline."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import click

from voeflow._command._pipelines import fail

#: The name of the file that is written.
NAME = "pipeline.toml"


@click.command("init", short_help="Write a commented starter pipeline.toml.")
@click.argument("directory", default=".", type=click.Path(path_type=Path, file_okay=False))
def command(directory: Path) -> None:
    """Write a commented starter pipeline.toml into DIRECTORY (here, if left out).

    Exit status: 0; 1 if there is a pipeline.toml already.
    """
    path = directory / NAME
    text = resources.files("voeflow._command").joinpath("starter.toml").read_bytes()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(text)
    except FileExistsError:
        fail(f"{path} is there already, and is left as it is.", 1)
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}.", 1)
    click.echo(f"Wrote {path}. Next: voeflow check {path}, then voeflow run {path}")
