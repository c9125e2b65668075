from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import attrs
import click
import pytest

import voeflow
from voeflow._installed import entry_points
from voeflow._plugins import Plugins, load_plugins


@attrs.frozen
class Role:
    roles: tuple[str, ...] = ()

    def matches(self, event: object) -> bool:
        return True


@attrs.frozen
class Note:
    def handle(self, event: object) -> None: ...


@attrs.frozen
class Receive:
    async def run(self, node: object, *, task_status: object) -> None: ...


@attrs.frozen
class Broadcast(Receive):
    sink: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("ivoid",)


@attrs.frozen
class Bridge(Broadcast):
    source: ClassVar[bool] = True


class Offer:
    """A plugin that offers what it is given."""

    def __init__(
        self,
        *,
        transports: object = None,
        filters: object = None,
        handlers: object = None,
        commands: object = (),
    ) -> None:
        self.transports, self.filters, self.handlers = transports or {}, filters or {}, handlers or {}
        self.commands = commands

    @voeflow.hookimpl
    def register_transports(self) -> object:
        return self.transports

    @voeflow.hookimpl
    def register_filters(self) -> object:
        return self.filters

    @voeflow.hookimpl
    def register_handlers(self) -> object:
        return self.handlers

    @voeflow.hookimpl
    def register_commands(self) -> object:
        return self.commands


Install = Callable[[str, Mapping[str, str], Mapping[str, str]], None]


@pytest.fixture(autouse=True)
def nothing_else_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out whatever is installed beside what a test installs itself."""
    monkeypatch.setattr("voeflow._plugins.entry_points", partial(entry_points, path=[str(tmp_path)]))


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Make distributions as pip would leave them: modules, and metadata with entry points."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(name: str, entry_points: Mapping[str, str], modules: Mapping[str, str]) -> None:
        info = tmp_path / f"{name.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        lines = [f"{key} = {value}" for key, value in entry_points.items()]
        (info / "entry_points.txt").write_text("\n".join(["[voeflow]", *lines, ""]))
        for module, source in modules.items():
            (tmp_path / f"{module}.py").write_text(source)
            monkeypatch.delitem(sys.modules, module, raising=False)

    return install


SOUND = """
import attrs, voeflow

@attrs.frozen
class {cls}:
    def matches(self, event):
        return True

@voeflow.hookimpl
def register_filters():
    return {{"{name}": {cls}}}
"""


def failure(plugins: Plugins, distribution: str = "no distribution") -> voeflow.PluginError:
    (error,) = [each for each in plugins.failed if each.distribution == distribution]
    return error


def test_an_entry_points_classes_are_found_with_their_distribution(install: Install) -> None:
    install("sky-filters", {"sky": "sky_filters"}, {"sky_filters": SOUND.format(cls="Night", name="night")})
    night = load_plugins().filters["night"]
    assert (night.name, night.kind, night.cls.__name__) == ("night", "filter", "Night")
    assert (night.distribution, night.entry_point) == ("sky-filters 1.2", "sky")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def (", "SyntaxError"),
    ],
)
def test_a_broken_import_hides_nothing_else_and_is_named(install: Install, source: str, reason: str) -> None:
    install("a-broken", {"broken": "broken_module"}, {"broken_module": source})
    install("b-sound", {"sound": "sound_module"}, {"sound_module": SOUND.format(cls="Night", name="night")})
    plugins = load_plugins()
    assert "night" in plugins.filters
    error = failure(plugins, "a-broken 1.2")
    assert error.plugin == "broken"
    assert "broken_module cannot be imported: " in error.reason
    assert reason in error.reason
    assert error in plugins.unloaded


def test_a_misspelt_hook_is_an_error_and_none_of_its_plugin_is_used(install: Install) -> None:
    source = SOUND.format(cls="Night", name="night") + "\n@voeflow.hookimpl\ndef register_filtres(): ...\n"
    install("a-misspelt", {"night": "misspelt_module"}, {"misspelt_module": source})
    install("b-sound", {"sound": "sound_module"}, {"sound_module": SOUND.format(cls="Day", name="day")})
    plugins = load_plugins()
    assert "night" not in plugins.filters
    assert "day" in plugins.filters
    reason = failure(plugins, "a-misspelt 1.2").reason
    assert reason == 'there is no hook register_filtres (did you mean "register_filters"?)'


def test_an_unknown_parameter_of_a_hook_is_an_error() -> None:
    class Wrong:
        @voeflow.hookimpl
        def event_accepted(self, evnt: object) -> None: ...

    plugins = load_plugins([Wrong()])
    assert "evnt" in failure(plugins).reason
    assert "event_accepted" not in plugins.observers


def test_an_async_hook_is_an_error_that_says_what_to_write() -> None:
    class Wrong:
        @voeflow.hookimpl
        async def event_accepted(self) -> None: ...

    plugins = load_plugins([Wrong()])
    assert (
        "event_accepted is async; hooks are synchronous: write `def event_accepted`"
        in failure(plugins).reason
    )
    assert "event_accepted" not in plugins.observers


def test_a_hook_that_wraps_others_is_an_error() -> None:
    class Wrong:
        @voeflow.hookimpl(wrapper=True)
        def register_filters(self) -> Any:
            return (yield)

    assert "wraps other plugins' hooks" in failure(load_plugins([Wrong()])).reason


def test_an_entry_point_without_any_hook_is_an_error(install: Install) -> None:
    install("empty", {"empty": "empty_module"}, {"empty_module": "x = 1"})
    assert "mark one with @voeflow.hookimpl" in failure(load_plugins(), "empty 1.2").reason


def test_a_hook_that_raises_costs_its_own_answer_alone() -> None:
    class Half:
        @voeflow.hookimpl
        def register_filters(self) -> object:
            raise OSError("no licence\x1b[2J")

        @voeflow.hookimpl
        def register_handlers(self) -> object:
            return {"note": Note}

    plugins = load_plugins([Offer(filters={"role": Role}), Half()])
    assert list(plugins.filters) == ["role"]
    assert list(plugins.handlers) == ["note"]
    assert failure(plugins).reason == "register_filters() raised OSError: no licence\\x1b[2J"


def test_a_name_that_two_distributions_claim_is_nobodys_and_both_are_named(install: Install) -> None:
    install("sky-one", {"one": "sky_one"}, {"sky_one": SOUND.format(cls="Night", name="night")})
    install("sky-two", {"two": "sky_two"}, {"sky_two": SOUND.format(cls="Nacht", name="night")})
    plugins = load_plugins()
    assert "night" not in plugins.filters
    (error,) = [each for each in plugins.failed if each.plugin == "night"]
    assert error.distribution == "sky-one 1.2 and sky-two 1.2"
    assert "sky-one 1.2 (entry point one) and sky-two 1.2 (entry point two)" in error.reason


def test_one_name_may_serve_two_kinds() -> None:
    plugins = load_plugins([Offer(filters={"x": Role}, handlers={"x": Note})])
    assert plugins.filters["x"].cls is Role
    assert plugins.handlers["x"].cls is Note


class Plain:
    def matches(self, event: object) -> bool:
        return True


@attrs.frozen
class Mute:
    pass


@attrs.frozen
class Still:
    def run(self, node: object, *, task_status: object) -> None: ...


@attrs.frozen
class Selfless:
    def matches(event: object) -> bool:  # type: ignore[misc]  # noqa: N805
        return True


@attrs.frozen
class Alone:
    def handle(self) -> None: ...


@attrs.frozen
class Crowded:
    def handle(self, event: object, delivery: object, node: object) -> None: ...


@attrs.frozen
class Positional:
    async def run(self, node: object, task_status: object, more: object) -> None: ...


@attrs.frozen
class Greedy(Note):
    retries: int = 3


@attrs.frozen
class Hasty(Note):
    concurrency: ClassVar[int] = 0


@attrs.frozen
class Needy(Receive):
    needs: ClassVar[Any] = "ivoid"


@pytest.mark.parametrize(
    ("kind", "name", "cls", "reason"),
    [
        ("filters", "x", Plain, "the filter x (Plain) is no attrs class: write @attrs.frozen above it"),
        ("filters", "x", Mute, "the filter x (Mute) has no matches: write `def matches(self, event)`"),
        ("handlers", "x", Mute, "the handler x (Mute) has no handle: write `def handle(self, event)`"),
        (
            "transports",
            "x",
            Mute,
            "the transport x (Mute) has no run: write `async def run(self, node, *, task_status)`",
        ),
        (
            "transports",
            "x",
            Still,
            "the transport x (Still) has a run that is not async: write `async def run(self, node, *, ",
        ),
        (
            "filters",
            "x",
            Selfless,
            "the filter x (Selfless) has a matches of other parameters: write `def matches(self, event)`",
        ),
        (
            "handlers",
            "x",
            Alone,
            "the handler x (Alone) has a handle of other parameters: write `def handle(self, event)`",
        ),
        (
            "handlers",
            "x",
            Crowded,
            "the handler x (Crowded) has a handle of other parameters: write `def handle(self, event)`",
        ),
        (
            "transports",
            "x",
            Positional,
            "the transport x (Positional) has a run of other parameters: write `async ",
        ),
        ("filters", "x", Role(), "the filter x must be a class, got Role Role(roles=())"),
        ("filters", "a b", Role, "str 'a b' cannot name a filter: write letters, digits"),
        ("filters", 3, Role, "int 3 cannot name a filter: write letters, digits"),
        ("handlers", "x", Greedy, "the handler x (Greedy): its option retries has the name of a common key"),
        (
            "handlers",
            "x",
            Hasty,
            "the handler x (Hasty) has a bad class variable: concurrency: expected more than 0",
        ),
        (
            "transports",
            "x",
            Needy,
            'the transport x (Needy) has a bad class variable: write needs = ("ivoid",)',
        ),
    ],
)
def test_a_class_that_cannot_serve_is_refused_with_what_to_write_and_the_others_stay(
    kind: str, name: object, cls: object, reason: str
) -> None:
    sound = {"filters": Role, "handlers": Note, "transports": Receive}[kind]
    plugins = load_plugins([Offer(**{kind: {name: cls, "sound": sound}})])
    assert failure(plugins).reason.startswith(reason)
    assert failure(plugins).plugin == str(name)
    assert list(getattr(plugins, kind)) == ["sound"]


def test_a_hook_that_returns_no_dict_is_an_error() -> None:
    plugins = load_plugins([Offer(filters=[Role])])
    assert "register_filters() must return a dict of names and classes, got list" in failure(plugins).reason


def test_what_is_a_source_and_what_a_sink_is_known_from_the_class() -> None:
    plugins = load_plugins(
        [
            Offer(
                transports={"in": Receive, "out": Broadcast, "both": Bridge},
                handlers={"note": Note},
                filters={"role": Role},
            )
        ]
    )
    facts = {name: (each.is_source, each.is_sink) for name, each in plugins.transports.items()}
    assert facts == {"in": (True, False), "out": (False, True), "both": (True, True)}
    assert (plugins.handlers["note"].is_source, plugins.handlers["note"].is_sink) == (False, True)
    assert (plugins.filters["role"].is_source, plugins.filters["role"].is_sink) == (False, False)


def test_commands_are_gathered_and_a_name_taken_twice_stays_with_the_first() -> None:
    first, second, other = click.Command("send"), click.Command("send"), click.Command("listen")
    plugins = load_plugins([Offer(commands=[first]), Offer(commands=[second, other])])
    commands = {command.name: command for command in plugins.commands()}
    assert set(commands) == {"send", "listen"}
    assert commands["send"] in (first, second)
    assert failure(plugins).reason == "the command send is already that of no distribution"


@pytest.mark.parametrize("commands", ["send", [3], [click.Command(None)]])
def test_what_is_no_command_is_an_error(commands: object) -> None:
    plugins = load_plugins([Offer(commands=commands)])
    assert plugins.commands() == ()
    assert "register_commands()" in failure(plugins).reason


def test_one_module_behind_two_entry_points_is_told_and_used_once(install: Install) -> None:
    install(
        "twice",
        {"one": "twice_module", "two": "twice_module"},
        {"twice_module": SOUND.format(cls="Night", name="night")},
    )
    plugins = load_plugins()
    assert plugins.filters["night"].entry_point == "one"
    assert failure(plugins, "twice 1.2").plugin == "two"
