"""`voeflow plugins`: what is installed, and what each plugin's table may say."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING

import click

from voeflow._command._output import console, plain_table, print_table
from voeflow._command._pipelines import fail, warn
from voeflow._keys import HandlerKeys, SinkKeys, SourceKeys
from voeflow._mapping_plugins import MappingPlugin
from voeflow._options import describe_options
from voeflow._plugin import Plugin
from voeflow._plugins import Plugins, load_plugins
from voeflow._text import printable

if TYPE_CHECKING:
    from rich.table import Table


@click.command("plugins", short_help="List the installed plugins, or tell one's options.")
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """List the installed plugins; with NAME, tell its documentation and its options.

    Exit status: 0; 1 if there is no plugin of that name, or one could not be loaded.
    """
    plugins = load_plugins()
    if name is None:
        _list(plugins)
    else:
        found = [p for p in _all(plugins) if p.name == name]
        mappings = [mapping for mapping in plugins.mappings if mapping.name == name]
        if not found and not mappings:
            _fail_unknown(name, plugins)
        for plugin in found:
            _describe(plugin)
        for mapping in mappings:
            _describe_mapping(mapping)
    for failure in plugins.failed:
        warn(str(failure))
    sys.exit(1 if plugins.failed else 0)


def _all(plugins: Plugins) -> list[Plugin]:
    return [*plugins.transports.values(), *plugins.filters.values(), *plugins.handlers.values()]


def _list(plugins: Plugins) -> None:
    table = plain_table("kind", "plugin", "what it is", "from")
    for plugin in _all(plugins):
        table.add_row(plugin.kind, plugin.name, _summary(plugin.cls), plugin.distribution)
    for mapping in plugins.mappings:
        table.add_row("mapping", mapping.name, _summary(mapping.mapping), mapping.distribution)
    print_table(table)


def _summary(documented: object) -> str:
    return printable((inspect.getdoc(documented) or "").partition("\n")[0], 120)


def _documentation(documented: object, *, fitted: bool) -> str:
    """Give a docstring; `fitted` joins the lines of a paragraph, for a terminal that breaks them itself."""
    text = inspect.getdoc(documented) or "(no documentation)"
    if not fitted:
        return text
    return "\n\n".join(_joined(paragraph) for paragraph in text.split("\n\n"))


def _joined(paragraph: str) -> str:
    lines = paragraph.split("\n")
    is_prose = all(line[:1].isalnum() or line[:1] in "`\"'([{" for line in lines)
    return " ".join(lines) if is_prose else paragraph


def _describe_mapping(plugin: MappingPlugin) -> None:
    from rich.text import Text

    out = console()
    out.print(Text(f"{plugin.name}, a mapping from {plugin.distribution}", style="bold"))
    out.print()
    out.print(Text(_documentation(plugin.mapping, fitted=out.is_terminal)))
    out.print()
    out.print(Text(f"It is asked about notices of the topics {', '.join(plugin.topics)}."))


def _describe(plugin: Plugin) -> None:
    from rich.text import Text

    out = console()
    out.print(Text(f"{plugin.name}, a {plugin.kind} from {plugin.distribution}", style="bold"))
    out.print()
    out.print(Text(_documentation(plugin.cls, fitted=out.is_terminal)))
    out.print()
    print_table(_options(plugin.cls))
    for cls in _common(plugin):
        out.print()
        out.print(Text(f"Keys that every such {plugin.kind} has:"))
        print_table(_options(cls, plugin.cls))


def _common(plugin: Plugin) -> list[type]:
    """Give the classes of the keys that its table has in common with others."""
    if plugin.kind == "handler":
        return [HandlerKeys]
    return [cls for cls, has in ((SinkKeys, plugin.is_sink), (SourceKeys, plugin.is_source)) if has]


def _options(cls: type, own: type = object) -> Table:
    """Give the table of a class's options; `own` may set defaults of its own for them."""
    from rich.text import Text

    table = plain_table("option", "type", "default", "what it is")
    for option in describe_options(cls):
        default = str(getattr(own, option.name, option.default or "(required)"))
        table.add_row(option.name, Text(option.type), Text(default), Text(option.help))
    return table


def _fail_unknown(name: str, plugins: Plugins) -> None:
    from difflib import get_close_matches

    names = [plugin.name for plugin in _all(plugins)] + [mapping.name for mapping in plugins.mappings]
    near = get_close_matches(name, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else " `voeflow plugins` lists those that are."
    for failure in plugins.failed:
        warn(str(failure))
    fail(f"no plugin {name!r} is installed.{hint}", 1)
