"""Results on standard output: tables for people, one row a line for what reads from a pipe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

#: The width of a table that goes to a file or a pipe, which have none: enough for a row to stay on one line.
PIPE_WIDTH = 400


def console() -> Console:
    """Give a console on standard output that takes text as it is."""
    from rich.console import Console

    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def print_table(table: Table) -> None:
    """Print a table; to a file or a pipe without the blanks that fill its last column."""
    out = console()
    if out.is_terminal:
        out.print(table)
        return
    with out.capture() as captured:
        out.print(table)
    for line in captured.get().removesuffix("\n").split("\n"):
        click.echo(line.rstrip())


def plain_table(*columns: str, header: bool = True) -> Table:
    """Give a table without lines; cells are `rich.text.Text` or plain text without markup."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2), show_header=header)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
