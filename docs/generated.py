"""The parts of pages that are made from the code, so that they cannot disagree with it.

A line such as `<!-- generated: plugins filter -->` in a page stands for Markdown that is made here, when the
page is built. The tests hold the same text to the code.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
import click

from voeflow._command import main
from voeflow._expectations import Expectation
from voeflow._keys import HandlerKeys, SinkKeys, SourceKeys, own_defaults
from voeflow._options import OptionDoc, describe_options
from voeflow._plugin import Kind, Plugin
from voeflow._plugins import load_plugins
from voeflow._tables import NodeSettings
from voeflow_mappings._unified_words import FIELDS

#: The distribution whose plugins are the built-in ones; others may be installed where the pages are built.
OURS = "voeflow"

#: The packages that it holds; a command is ours if its code is in one of them.
OUR_PACKAGES = {"voeflow", "voeflow_transports", "voeflow_filters", "voeflow_handlers", "voeflow_mappings"}

#: `Param`s, which reStructuredText takes only with an escaped blank after the code.
_CODE_IN_A_WORD = re.compile(r"`([^`\s,;.)][^`]*)`(?=[A-Za-z])")

_MARKER = re.compile(r"^<!-- generated: (?P<what>[a-z]+) ?(?P<argument>[a-z]*) -->$", re.MULTILINE)


def fill_in(source: str) -> str:
    """Put what is generated in the place of the markers in a page."""
    return _MARKER.sub(lambda found: _MAKERS[found["what"]](found["argument"]), source)


def fill_in_source(_: object, __: str, source: list[str]) -> None:
    """Serve Sphinx's event `source-read`."""
    source[0] = fill_in(source[0])


def built_in(kind: Kind) -> list[Plugin]:
    """Give the plugins of one kind that come with voeflow."""
    return [
        plugin for plugin in load_plugins().of_kind(kind).values() if plugin.distribution.split()[0] == OURS
    ]


def commands() -> Iterator[tuple[str, click.Command]]:
    """Give every command that comes with voeflow, with its full name, groups before what they hold."""
    context = click.Context(main, info_name="voeflow")
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        if _package(command) not in OUR_PACKAGES:
            continue
        yield f"voeflow {name}", command
        if isinstance(command, click.Group):
            for part in command.list_commands(context):
                inner = command.get_command(context, part)
                assert inner is not None
                yield f"voeflow {name} {part}", inner


def _package(command: click.Command) -> str:
    return str(getattr(command.callback, "__module__", "")).partition(".")[0]


def _keys(which: str) -> str:
    cls = {
        "node": NodeSettings,
        "sink": SinkKeys,
        "source": SourceKeys,
        "handler": HandlerKeys,
        "test": Expectation,
    }[which]
    options = describe_options(cls)
    if cls is HandlerKeys:
        common = {option.name for option in describe_options(SinkKeys)}
        options = [option for option in options if option.name not in common]
    return _table(options)


def _plugins(kind: Any) -> str:
    return "\n".join(_plugin(plugin) for plugin in built_in(kind))


def _plugin(plugin: Plugin) -> str:
    documentation = _fenced(inspect.getdoc(plugin.cls) or "")
    told = [f"### {plugin.name}", documentation, _table(describe_options(plugin.cls))]
    if plugin.kind == "handler":
        own = own_defaults(plugin.cls)
        changed = [f"`{name} = {value}`" for name, value in own.items()]
        told.append(
            "The [keys of every handler](pipeline.md#keys-of-every-handler) apply"
            + (f", with {' and '.join(changed)} if left out." if changed else ".")
        )
    if plugin.kind == "transport" and plugin.is_sink:
        told.append("The [keys of every sink](pipeline.md#keys-of-every-sink) apply.")
    if plugin.is_source:
        told.append("The [keys of every source](pipeline.md#keys-of-every-source) apply.")
    return "\n\n".join(told) + "\n"


def _command_reference(_: str) -> str:
    return "\n".join(_command(name, command) for name, command in commands())


def _command(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    level = "##" if name.count(" ") == 1 else "###"
    told = [f"{level} {name}", f"```text\n{usage}\n```", _fenced(inspect.cleandoc(command.help or ""))]
    rows = [
        record
        for parameter in command.get_params(context)
        if isinstance(parameter, click.Option)
        and "--help" not in parameter.opts
        and (record := parameter.get_help_record(context))
    ]
    if rows:
        lines = [f"| `{_cell(names)}` | {_cell(text)} |" for names, text in rows]
        told.append("\n".join(["| option | what it does |", "| --- | --- |", *lines]))
    return "\n\n".join(told) + "\n"


_MAKERS: dict[str, Callable[[str], str]] = {
    "keys": _keys,
    "plugins": _plugins,
    "commands": _command_reference,
    "fields": lambda _: _fields(),
}


def _fields() -> str:
    """What is known of the fields of GCN's unified schema, as a table."""
    rows = [
        f"| `{name}` | {f'that in `{about.unit_in}`' if about.unit_in else ''}"
        f"{', else ' if about.unit_in and about.unit else ''}{about.unit} "
        f"| {f'`{about.ucd}`' if about.ucd else ''} | {_cell(about.description)} |"
        for name, about in sorted(FIELDS.items())
    ]
    return "\n".join(["| field | unit | UCD | what it is |", "| --- | --- | --- | --- |", *rows])


def _table(options: Sequence[OptionDoc]) -> str:
    rows = [
        f"| `{option.name}` | {_cell(option.type)} "
        f"| {f'`{_cell(option.default)}`' if option.default is not None else 'required'} "
        f"| {_cell(option.help)} |"
        for option in options
    ]
    return "\n".join(["| key | type | default | what it is |", "| --- | --- | --- | --- |", *rows])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _fenced(documentation: str) -> str:
    """Give a docstring as Markdown, its indented blocks as fenced ones: TOML where they look like it."""
    blocks: list[str] = []
    for paragraph in re.split(r"\n(?=\S)|(?<=\S)\n\n(?= {4})", documentation):
        if paragraph.startswith("    "):
            text = textwrap.dedent(paragraph).strip("\n")
            language = "toml" if text.startswith("[") else "text"
            blocks.append(f"\n```{language}\n{text}\n```\n")
        else:
            blocks.append(paragraph)
    return "\n".join(blocks).strip("\n")


def mend_docstring(_: object, what: str, __: str, item: object, ___: object, lines: list[str]) -> None:
    """Make a docstring fit for reStructuredText; serves `autodoc-process-docstring`."""
    if what == "class" and attrs.has(item):  # type: ignore[arg-type]  # it is a class
        lines += _cached_properties(item)
    lines[:] = [_CODE_IN_A_WORD.sub(r"`\1`\\ ", line) for line in lines]


def _cached_properties(item: object) -> Iterator[str]:
    """Document the cached properties of a class: attrs drops their docstrings, but the source has them."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(item)))  # type: ignore[arg-type]  # it is a class
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        if any(ast.unparse(each).endswith("cached_property") for each in node.decorator_list):
            returns = ast.unparse(node.returns) if node.returns else "object"
            yield from ("", f".. py:property:: {node.name}", f"   :type: {returns}", "")
            yield from ("   " + line for line in (ast.get_docstring(node) or "").splitlines())
    yield ""
