"""What stands on the pages is true: pipelines load, commands exist, Python compiles, every name is told."""

from __future__ import annotations

import inspect
import re
import shutil
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import click
import pytest

import voeflow
import voeflow.testing
from docs.pages import DOCS, ROOT, Block, blocks, commands, generated, pages, rendered
from support.certificates import Authority
from voeflow import _hookspecs
from voeflow._command import main
from voeflow._options import describe_options
from voeflow._pipeline import load_pipeline
from voeflow._plugin import METHODS
from voeflow._plugins import Plugins, load_plugins

TOML = [block for block in blocks("toml") if "project" not in tomllib.loads(block.text)]
SHELL = [block for block in blocks("console", "sh") if list(commands(block))]

_WORD = re.compile(r"[A-Za-z0-9_-]+")


@attrs.frozen
class Observable:
    """The filter that the tutorial writes."""

    max_zenith: float = 60.0
    max_sun: float = -18.0

    def matches(self, event: voeflow.Event) -> bool:
        return bool(event.ivorn)


@attrs.frozen
class Log:
    """The handler that the tutorial is given."""

    file: Path

    def handle(self, event: voeflow.Event) -> None: ...


@attrs.frozen
class Folder:
    """The transport that the tutorial is given."""

    directory: Path

    async def run(self, node: voeflow.Node, *, task_status: object) -> None: ...


class Lst:
    """The distribution of the tutorial; tests/interop makes the real one."""

    @voeflow.hookimpl
    def register_filters(self) -> dict[str, type]:
        return {"lst-observable": Observable}

    @voeflow.hookimpl
    def register_handlers(self) -> dict[str, type]:
        return {"lst-log": Log}

    @voeflow.hookimpl
    def register_transports(self) -> dict[str, type]:
        return {"lst-folder": Folder}


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return load_plugins([Lst()])


def whole(text: str) -> str:
    """Make a pipeline of a piece of one: what it refers to and does not have is put in."""
    document = tomllib.loads(text)
    sinks = [*document.get("handlers", {}).values(), *document.get("transports", {}).values()]
    known = set(document.get("filters", {})) | {"and", "or", "not"}
    named = {word for sink in sinks for word in _WORD.findall(sink.get("when", ""))}
    sources = {name for sink in sinks for name in sink.get("sources", [])}
    sources -= {"node", *document.get("transports", {})}
    parts = [] if "ivoid" in document else ['ivoid = "ivo://org.example/voeflow"']
    parts.append(text)
    parts += [f'[filters.{name}]\nplugin = "role"\nroles = ["test"]' for name in sorted(named - known)]
    parts += [f'[transports.{name}]\nplugin = "vtp-receive"' for name in sorted(sources)]
    if not document.get("transports") and not sources:
        parts.append('[transports.only]\nplugin = "vtp-receive"')
    return "\n".join(parts)


@pytest.mark.parametrize("block", TOML, ids=str)
def test_a_pipeline_on_a_page_has_no_mistake(block: Block, tmp_path: Path, plugins: Plugins) -> None:
    names = re.findall(r"\$\{([A-Z_]+)", block.text)
    environment = dict.fromkeys(names, str(tmp_path)) | {"BROKER": "", "SITE_IVOID": "ivo://org.example/x"}
    environment["SLACK_WEBHOOK_URL"] = "https://hooks.example.org/x"
    for name in re.findall(r'file = "(?:\$\{[A-Z_]+\}/)?([\w-]+)"', block.text):
        (tmp_path / name).write_text("a secret that is long enough\n")
    named = re.findall(r'\b(certificate|key|client_ca|ca) += +"([\w.-]+)"', block.text)
    if named:
        authority = Authority(tmp_path / "made")
        certified = authority.certify("any", "localhost")
        for what, name in named:
            made = {"certificate": certified.certificate, "key": certified.key}.get(what, authority.path)
            shutil.copy(made, tmp_path / name)
    if 'plugin = "signed"' in block.text:
        shutil.copytree(ROOT / "tests/support/keys", tmp_path / "keys")
    path = tmp_path / "pipeline.toml"
    path.write_text(whole(block.text), encoding="utf-8")
    load_pipeline(path, plugins, environment)


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_on_a_page_compiles(block: Block) -> None:
    compile(block.text, str(block), "exec")


@pytest.mark.parametrize(
    "block",
    [block for block in blocks("python") if "@voeflow.hookimpl" in block.text and not block.caption],
    ids=str,
)
def test_a_plugin_on_a_page_is_taken(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("plugin_on_a_page")
    module.__dict__.update(attrs=attrs, voeflow=voeflow)  # a continued block has them from the one before
    monkeypatch.setitem(sys.modules, module.__name__, module)  # attrs looks there for annotations
    exec(compile(block.text, str(block), "exec"), module.__dict__)
    with_it, without = load_plugins([module]), load_plugins()
    assert with_it.failed == without.failed
    offered = [len(with_it.of_kind(kind)) - len(without.of_kind(kind)) for kind in METHODS]
    offered.append(len(with_it.mappings) - len(without.mappings))
    offered.append(len(with_it.commands()) - len(without.commands()))
    assert sum(offered) == 1 or "event_accepted" in with_it.observers


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_a_command_on_a_page_exists_with_its_options(block: Block) -> None:
    for words in commands(block):
        command: click.Command = main
        context = click.Context(main, info_name="voeflow")
        left = list(words)
        while isinstance(command, click.Group) and left and not left[0].startswith("-"):
            found = command.get_command(context, left[0])
            assert found is not None, f"there is no command {left[0]!r}: voeflow {' '.join(words)}"
            command, left = found, left[1:]
            context = click.Context(command, parent=context, info_name=command.name)
        command.make_parser(context).parse_args(left)  # raises click.NoSuchOption and its kin


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_a_page_names_no_place_on_the_machine_where_it_was_written(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert str(ROOT) not in text
    assert not re.search(r"/(?:work|tmp|home|root)/", text)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_from_the_root_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)[)#]", (ROOT / name).read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def built_in() -> list[Any]:
    return [plugin for kind in METHODS for plugin in generated().built_in(kind)]


@pytest.mark.parametrize("plugin", built_in(), ids=lambda plugin: plugin.name)
def test_every_option_of_a_built_in_plugin_is_told_with_its_help(plugin: Any) -> None:
    _, _, section = rendered("reference/plugins-builtin.md").partition(f"### {plugin.name}\n")
    section = section.partition("\n### ")[0]
    assert (inspect.getdoc(plugin.cls) or "").partition("\n")[0] in section
    for option in describe_options(plugin.cls):
        assert option.help, f"the option {option.name} of {plugin.name} has no help"
        assert f"| `{option.name}` |" in section


def test_every_key_of_the_node_and_of_sinks_is_told() -> None:
    page = rendered("reference/pipeline.md")
    from voeflow._expectations import Expectation
    from voeflow._keys import HandlerKeys
    from voeflow._tables import NodeSettings

    for cls in (NodeSettings, HandlerKeys, Expectation):
        for option in describe_options(cls):
            assert option.help
            assert f"| `{option.name}` |" in page


def test_every_word_of_the_mappings_is_told() -> None:
    from voeflow_mappings import _lvk_words as words
    from voeflow_mappings._unified_words import FIELDS

    page = rendered("reference/notices.md")
    external = [name for name, _ in words.EXTERNAL.values()]
    for name in (*words.PARAMS, *external, *words.CLASSIFICATION, *FIELDS):
        assert f"`{name}`" in page
    for kind in words.KINDS.values():
        assert f"`{kind.name}`" in page
        assert f" {kind.packet_type}" in page


def test_every_command_is_told_with_every_option() -> None:
    page = rendered("reference/command.md")
    told = list(generated().commands())
    assert {name.split()[1] for name, _ in told} >= {"run", "check", "test", "events", "plugins", "init"}
    for name, command in told:
        _, _, section = page.partition(f"# {name}\n")
        section = section.partition("\n## ")[0].partition("\n### ")[0]
        assert section, f"{name} is not on the page"
        if not isinstance(command, click.Group):
            assert "Exit status" in " ".join(section.split()), f"the help of {name} tells no exit status"
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.opts[-1] in section


def hookspecs() -> list[str]:
    return [
        name
        for name, each in vars(_hookspecs).items()
        if inspect.isfunction(each) and hasattr(each, f"{_hookspecs.PROJECT}_spec")
    ]


@pytest.mark.parametrize("name", hookspecs())
def test_every_hook_is_told(name: str) -> None:
    page = (DOCS / "reference/hooks.md").read_text(encoding="utf-8")
    assert f".. autofunction:: voeflow._hookspecs.{name}\n" in page
    assert inspect.getdoc(getattr(_hookspecs, name))


@pytest.mark.parametrize("name", voeflow.__all__)
def test_every_public_name_is_told(name: str) -> None:
    page = (DOCS / "reference/api.md").read_text(encoding="utf-8")
    assert re.search(rf"^\.\. (?:auto)?\w+:: voeflow\.{name}(\(\))?$", page, re.MULTILINE)


@pytest.mark.parametrize("name", voeflow.testing.__all__)
def test_every_public_name_for_tests_is_told(name: str) -> None:
    page = (DOCS / "reference/testing.md").read_text(encoding="utf-8")
    assert re.search(rf"^\.\. (?:auto)?\w+:: voeflow\.testing\.{name}(\(\))?$", page, re.MULTILINE)


def test_there_are_hooks_names_pipelines_and_commands_to_hold_the_pages_to() -> None:
    assert "register_filters" in hookspecs()
    assert len(TOML) > 10
    assert len(SHELL) > 3


def test_what_is_installed_for_systemd_is_in_a_checkout() -> None:
    page = (ROOT / "examples/systemd/README.md").read_text(encoding="utf-8")
    installed = re.findall(r"^sudo install -m \d+ (\S+)", page, re.MULTILINE)
    assert installed
    assert [name for name in installed if not (ROOT / name).is_file()] == []
