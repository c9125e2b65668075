"""The command `voeflow`: its own subcommands, and those that plugins add."""

from __future__ import annotations

import gc
import importlib
from typing import Any

import click

from voeflow._command._structlog import import_structlog

#: The subcommands of our own, each in a module of its own that is imported when it is asked for, so that
#: none pays for another's imports.
OWN = {
    "run": "voeflow._command.run",
    "check": "voeflow._command.check",
    "test": "voeflow._command.test",
    "explain": "voeflow._command.explain",
    "events": "voeflow._command.events",
    "sources": "voeflow._command.sources",
    "sinks": "voeflow._command.sinks",
    "plugins": "voeflow._command.plugins",
    "init": "voeflow._command.init",
    "new": "voeflow._command.new",
}


class Commands(click.Group):
    """Our own subcommands first, then those of plugins."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give every name, our own first."""
        return [*OWN, *sorted(_of_plugins().keys() - OWN.keys())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a subcommand by its name."""
        import_structlog()
        if cmd_name in OWN:
            command = importlib.import_module(OWN[cmd_name]).command
            assert isinstance(command, click.Command)
            return command
        return _of_plugins().get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand that `args` begin with, or fail with the nearest known name."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            from difflib import get_close_matches

            near = get_close_matches(name, self.list_commands(ctx), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"There is no command {name!r}.{hint} See voeflow --help.")
        return super().resolve_command(ctx, args)


def _of_plugins() -> dict[str, click.Command]:
    import_structlog()
    from voeflow._plugins import load_plugins

    return {command.name: command for command in load_plugins(lazily=True).commands() if command.name}


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="voeflow", prog_name="voeflow")
@click.pass_context
def main(ctx: click.Context, /, **_: Any) -> None:
    """Receive, filter, act on and pass on VOEvents.

    Start with `voeflow init`, look at the pipeline.toml that it writes, and type `voeflow run pipeline.toml`.
    """
    from voeflow._log import configure_log

    # `run` sets its own; the results of all others have standard output to themselves
    configure_log("warning")
    if ctx.invoked_subcommand != "run":  # which has a pipeline to read, and with it modules to import
        collect_garbage()


def collect_garbage() -> None:
    """Have garbage collected from now on, where it is not yet, but among what there is already."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
