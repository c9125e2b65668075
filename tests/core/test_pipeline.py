from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import attrs
import pytest

import voeflow
from voeflow._pipeline import load_pipeline
from voeflow._plugins import Plugins, load_plugins
from voeflow._quantities import Bytes, Seconds
from voeflow._tables import Pipeline
from voeflow._xpath import XPath

SECOND = Seconds(1.0)


@attrs.frozen(kw_only=True)
class Receive:
    needs: ClassVar[tuple[str, ...]] = ("ivoid",)
    listen: tuple[str, ...] = attrs.field(default=("localhost:8098",), metadata={"one_or_many": True})
    allow: tuple[str, ...] = ()

    async def run(self, node: object, *, task_status: object) -> None: ...


@attrs.frozen(kw_only=True)
class Subscribe:
    remote: tuple[str, ...] = attrs.field(metadata={"one_or_many": True, "help": "the brokers"})
    xpath: tuple[XPath, ...] = ()

    async def run(self, node: object, *, task_status: object) -> None: ...


@attrs.frozen(kw_only=True)
class Broadcast(Receive):
    sink: ClassVar[bool] = True
    test_interval: Seconds = SECOND


@attrs.frozen
class Role:
    roles: tuple[Literal["observation", "prediction", "utility", "test"], ...]

    def matches(self, event: object) -> bool:
        return True


@attrs.frozen
class Author:
    authors: tuple[str, ...]

    def matches(self, event: object) -> bool:
        return True


@attrs.frozen
class XPathFilter:
    expression: XPath

    def matches(self, event: object) -> bool:
        return True


@attrs.frozen
class Save:
    concurrency: ClassVar[int] = 4
    directory: Path

    def handle(self, event: object) -> None: ...


@attrs.frozen
class Spawn:
    command: tuple[str, ...] = attrs.field(metadata={"help": "the program and its arguments"})
    timeout: Seconds = SECOND

    def __attrs_post_init__(self) -> None:
        if self.command == ("rm",):
            raise RuntimeError("will not do that")

    def handle(self, event: object) -> None: ...


@attrs.frozen(kw_only=True)
class Email:
    to: tuple[str, ...] = attrs.field(metadata={"help": "who gets the mail"})
    sender: str
    server: str
    password: voeflow.Secret | None = None

    def handle(self, event: object) -> None: ...


class Installed:
    @voeflow.hookimpl
    def register_transports(self) -> Mapping[str, type]:
        return {"vtp-receive": Receive, "vtp-subscribe": Subscribe, "vtp-broadcast": Broadcast}

    @voeflow.hookimpl
    def register_filters(self) -> Mapping[str, type]:
        return {"role": Role, "author": Author, "xpath": XPathFilter}

    @voeflow.hookimpl
    def register_handlers(self) -> Mapping[str, type]:
        return {"save": Save, "spawn": Spawn, "email": Email}


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    # what is installed here is no part of these tests
    monkeypatch.setattr("voeflow._plugins.entry_points", lambda _: [])
    return load_plugins([Installed()])


@attrs.frozen
class Loader:
    path: Path
    plugins: Plugins

    def load(self, text: str, **environ: str) -> Pipeline:
        self.path.write_text(textwrap.dedent(text))
        return load_pipeline(self.path, self.plugins, environ)

    def mistakes(self, text: str, **environ: str) -> list[str]:
        with pytest.raises(voeflow.PipelineError) as raised:
            self.load(text, **environ)
        return [str(mistake) for mistake in raised.value.mistakes]


@pytest.fixture
def loader(tmp_path: Path, plugins: Plugins) -> Loader:
    return Loader(tmp_path / "pipeline.toml", plugins)


SAVE = '[handlers.x]\nplugin = "save"\ndirectory = "x"\n'

CONTRACT = """
    ivoid = "ivo://org.example/voeflow"
    store = "voeflow.db"
    retention = "30 days"

    [transports.authors]
    plugin = "vtp-receive"
    listen = "0.0.0.0:8098"
    allow  = ["127.0.0.0/8", "::1", "145.238.0.0/16"]

    [transports.upstream]
    plugin = "vtp-subscribe"
    remote = "broker.example.org:8099"
    xpath  = ['//Who[AuthorIVORN="ivo://obspm.gepi/svom"]']

    [transports.public]
    plugin = "vtp-broadcast"
    listen = "0.0.0.0:8099"
    allow  = ["0.0.0.0/0", "::/0"]
    test_interval = "1 hour"
    when = "not test"

    [filters.test]
    plugin = "role"
    roles  = ["test"]

    [filters.svom]
    plugin  = "author"
    authors = ["ivo://obspm.gepi/svom"]

    [filters.far_from_sun]
    plugin = "xpath"
    expression = '//Param[@name="Sun_Distance" and @value>40]'

    [handlers.archive]
    plugin = "save"
    directory = "events"

    [handlers.slew]
    plugin  = "spawn"
    command = ["./slew.sh", "--fast"]
    timeout = "30 s"
    when    = "svom and far_from_sun and not test"

    [handlers.duty]
    plugin  = "email"
    to      = ["duty@example.org"]
    sender  = "voeflow@example.org"
    server  = "smtp://localhost:25"
    password = "${SMTP_PASSWORD}"
    when    = "svom and not test"
    sources = ["authors"]
    retries = 0
    retry_wait = "1 min"
"""


def test_the_contracts_pipeline_is_read(loader: Loader, tmp_path: Path) -> None:
    pipeline = loader.load(CONTRACT, SMTP_PASSWORD="hunter2")
    assert pipeline.node.ivoid == "ivo://org.example/voeflow"
    assert pipeline.node.store == tmp_path / "voeflow.db"
    assert pipeline.node.retention == Seconds(30 * 86400.0)
    assert list(pipeline.transports) == ["authors", "upstream", "public"]
    assert [table.is_sink for table in pipeline.transports.values()] == [False, False, True]
    assert pipeline.transports["authors"].instance == Receive(
        listen=("0.0.0.0:8098",), allow=("127.0.0.0/8", "::1", "145.238.0.0/16")
    )
    assert pipeline.transports["public"].when.names == {"test"}
    assert pipeline.filters["test"].instance == Role(("test",))
    slew, duty, archive = (pipeline.handlers[name] for name in ("slew", "duty", "archive"))
    assert slew.instance == Spawn(("./slew.sh", "--fast"), Seconds(30.0))
    assert slew.when.names == {"svom", "far_from_sun", "test"}
    assert slew.sources is None
    assert (slew.retries, slew.retry_wait, slew.concurrency) == (5, 5.0, 1)
    assert duty.sources == frozenset({"authors"})
    assert (duty.retries, duty.retry_wait, duty.concurrency) == (0, 60.0, 1)
    assert isinstance(duty.instance, Email)
    assert duty.instance.password == voeflow.Secret("hunter2")
    assert archive.instance == Save(tmp_path / "events")
    assert archive.concurrency == 4
    assert archive.when.text is None


SMALL = """
    [transports.upstream]
    plugin = "vtp-subscribe"
    remote = "broker.example.org"
"""


def test_what_a_pipeline_leaves_out_has_its_default(loader: Loader, tmp_path: Path) -> None:
    node = loader.load(SMALL).node
    assert node.ivoid == ""
    assert node.store == tmp_path / "voeflow.db"
    assert (node.retention, node.max_event, node.drain, node.filter_timeout) == (
        Seconds(2592000.0),
        Bytes(2**20),
        Seconds(20.0),
        Seconds(10.0),
    )


def test_five_different_mistakes_are_told_at_once_each_with_table_key_and_remedy(loader: Loader) -> None:
    text = (
        SMALL
        + """
        [filters.test]
        plugin = "roll"
        roles = ["test"]

        [filters.svom]
        plugin = "author"
        author = ["ivo://obspm.gepi/svom"]
        authors = "ivo://obspm.gepi/svom"

        [handlers.slew]
        plugin = "spawn"
        command = ["./slew.sh"]
        timeout = "30 secs"
        when = "svon and not test"
        sources = ["upsteam"]
    """
    )
    assert loader.mistakes(text) == [
        'filters.test.plugin: no filter "roll" is installed (did you mean "role"?)',
        'filters.svom.author: no such key (did you mean "authors"?)',
        (
            'filters.svom.authors: expected a list of strings, got "ivo://obspm.gepi/svom"'
            ' (write ["ivo://obspm.gepi/svom"])'
        ),
        'handlers.slew.when: no filter is named "svon" (did you mean "svom"?)',
        'handlers.slew.sources[0]: no transport is named "upsteam" (did you mean "upstream"?)',
        (
            'handlers.slew.timeout: expected a duration such as "30 s", "5 min" or "1 hour", got "30 secs":'
            " no unit is called secs"
        ),
    ]


def test_the_error_names_the_file_on_every_line(loader: Loader) -> None:
    with pytest.raises(voeflow.PipelineError) as raised:
        loader.load("retention = 0\nstoer = 'x'\n" + SMALL)
    lines = str(raised.value).splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"{loader.path}: ") for line in lines)


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        (
            'ivoid = "org.example"',
            'ivoid: expected an IVOID such as "ivo://org.example/voeflow", got "org.example"',
        ),
        (
            'ivoid = "ivo://org.example/x#1"',
            (
                "ivoid: expected an IVOID without a local part, which only events have, got"
                ' "ivo://org.example/x#1"'
            ),
        ),
        ("retention = 0", "retention: expected more than 0, got 0"),
        ('retention = "a while"', "retention: expected a duration such as"),
        ("max_event = 0", "max_event: expected more than 0, got 0"),
        ("max_event = 1.5", "max_event: expected a size such as"),
        ('retension = "3 days"', 'retension: no such key (did you mean "retention"?)'),
        ("[handler.x]", 'handler: no such table (did you mean "handlers"?)'),
        ("handlers = 3", "handlers: expected tables [handlers.NAME], got 3"),
        ("[[handlers]]", "handlers: expected tables [handlers.NAME], got [{}]"),
        ("handlers.x = 3", "handlers.x: expected a table [handlers.x], got 3"),
        (
            "[handlers.x]",
            (
                "handlers.x.plugin: is missing; expected the name of a handler"
                " (the installed handlers are email, save, spawn)"
            ),
        ),
        ("[handlers.x]\nplugin = 3", "handlers.x.plugin: expected the name of a handler, got 3"),
        (
            '[handlers.x]\nplugin = "role"',
            (
                'handlers.x.plugin: expected the name of a handler, got "role", which is a filter'
                " (it goes into a table [filters.NAME])"
            ),
        ),
        (
            '[filters.x]\nplugin = "zzzzzz"',
            (
                'filters.x.plugin: no filter "zzzzzz" is installed (the installed filters are'
                " author, role, xpath)"
            ),
        ),
        (
            '[filters.x]\nplugin = "./bright.py:Bright"',
            (
                'filters.x.plugin: no filter "./bright.py:Bright" is installed (a plugin has a name that an'
                " installed distribution gives it, and is no file or class: `voeflow new plugin` writes such"
                " a distribution)"
            ),
        ),
        (
            '[filters.Not]\nplugin = "role"\nroles = ["test"]',
            'filters.Not: "Not" is a word of `when` expressions (give the filter another name)',
        ),
        (
            '[filters."a b"]\nplugin = "role"\nroles = ["test"]',
            "filters.a b: a table's name is letters, digits, _ and -, and does not begin with - (rename it)",
        ),
        (
            '[filters.x]\nplugin = "role"\nroles = ["test"]\nwhen = "y"',
            "filters.x.when: only what events go out to has this key; filters have none (leave it out)",
        ),
        (
            '[handlers.upstream]\nplugin = "save"\ndirectory = "x"',
            "handlers.upstream: a transport has this name too (rename one of the two)",
        ),
        (
            '[transports.in]\nplugin = "vtp-subscribe"\nremote = "x"\nsources = ["upstream"]',
            (
                "transports.in.sources: only what events go out to has this key; vtp-subscribe"
                " brings events in,"
                " and nothing goes out to it (leave it out)"
            ),
        ),
        (
            '[transports.in]\nplugin = "vtp-receive"',
            (
                "transports.in: vtp-receive needs the node's ivoid, which is not set"
                ' (write ivoid = "ivo://AUTHORITY/NAME" above all tables)'
            ),
        ),
        (
            '[handlers.x]\nplugin = "save"\n',
            "handlers.x.directory: is missing; expected a value of the type: path",
        ),
        (
            SAVE + "retries = -1",
            "handlers.x.retries: expected 0 or more, got -1",
        ),
        (
            SAVE + "concurrency = 0",
            "handlers.x.concurrency: expected more than 0, got 0",
        ),
        (
            SAVE + "retry_wiat = 3",
            'handlers.x.retry_wiat: no such key (did you mean "retry_wait"?)',
        ),
        (
            SAVE + 'retention = "3 days"',
            "handlers.x.retention: no such key (retention is a key of the node: write it above all tables)",
        ),
        (
            SAVE + 'retension = "3 days"',
            "handlers.x.retension: no such key (retention is a key of the node: write it above all tables)",
        ),
        (
            SAVE + "sources = []",
            (
                "handlers.x.sources: expected at least one transport, got an empty list;"
                " leave the key out for all of them"
            ),
        ),
        (
            SAVE + 'sources = "upstream"',
            'handlers.x.sources: expected a list of strings, got "upstream" (write ["upstream"])',
        ),
        (
            SAVE + "when = 3",
            'handlers.x.when: expected a string, got 3 (write "3")',
        ),
        (
            SAVE + 'when = "a &"',
            'handlers.x.when: at character 3: expected "and", "or" or the end, got "&"; write "and"',
        ),
        (
            '[handlers.x]\nplugin = "spawn"\ncommand = ["rm"]',
            (
                "handlers.x: the handler spawn of no distribution failed while it was set up,"
                " which is its own fault: RuntimeError: will not do that"
            ),
        ),
    ],
)
def test_a_mistake_is_told_where_it_is_and_nothing_follows_from_it(
    loader: Loader, line: str, mistake: str
) -> None:
    small = textwrap.dedent(SMALL)
    # keys of the node stand above all tables, tables below
    (told,) = loader.mistakes(f"{small}\n{line}" if line.startswith("[") else f"{line}\n{small}")
    assert told.startswith(mistake)


def test_a_pipeline_without_transports_is_a_mistake(loader: Loader) -> None:
    (told,) = loader.mistakes(SAVE)
    assert told == "transports: there is none, so nothing can come in (add a table [transports.NAME])"


def test_what_only_carries_events_on_is_no_source(loader: Loader) -> None:
    text = (
        'ivoid = "ivo://org.example/x"\n'
        + textwrap.dedent(SMALL)
        + '[transports.out]\nplugin = "vtp-broadcast"\n'
    )
    (told,) = loader.mistakes(text + SAVE + 'sources = ["out"]')
    assert told == (
        'handlers.x.sources[0]: no events come in through "out", which only carries them on'
        " (the sources are upstream)"
    )


def test_a_transport_whose_plugin_is_unknown_may_be_named_as_a_source(loader: Loader) -> None:
    text = '[transports.in]\nplugin = "vtp-recieve"\n' + SAVE + 'sources = ["in"]'
    assert [told.partition(":")[0] for told in loader.mistakes(text)] == ["transports.in.plugin"]


def test_the_common_keys_of_a_handler_are_checked_where_its_plugin_is_unknown(loader: Loader) -> None:
    told = loader.mistakes(
        textwrap.dedent(SMALL) + '[handlers.x]\nplugin = "sav"\nwhen = "test"\nretries = -1'
    )
    assert [each.partition(":")[0] for each in told] == [
        "handlers.x.plugin",
        "handlers.x.retries",
        "handlers.x.when",
    ]


def test_mistakes_come_in_the_order_of_the_file(loader: Loader) -> None:
    text = (
        "retention = 0\n"
        + textwrap.dedent(SMALL)
        + "".join(
            f'[handlers.{name}]\nplugin = "{plugin}"\ncommand = "x"\n'
            for name, plugin in (("b", "spawn"), ("a", "spwan"))
        )
    )
    assert [told.partition(":")[0] for told in loader.mistakes(text)] == [
        "retention",
        "handlers.b.command",
        "handlers.a.plugin",
    ]


def test_an_unset_variable_is_told_once_and_with_the_other_mistakes(loader: Loader) -> None:
    text = (
        textwrap.dedent(SMALL)
        + '[handlers.x]\nplugin = "spawn"\ncommand = ["${CMD}"]\ntimeout = "${LIMIT:?in seconds}"\n'
        "retries = -1"
    )
    assert loader.mistakes(text) == [
        "handlers.x.command[0]: the environment variable CMD is not set; set it, or write ${CMD:-default}",
        "handlers.x.timeout: the environment variable LIMIT is not set: in seconds",
        "handlers.x.retries: expected 0 or more, got -1",
    ]


def test_a_name_out_of_what_failed_to_load_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        @voeflow.hookimpl
        def register_filters(self) -> object:
            raise ImportError("libsky.so not found")

    monkeypatch.setattr("voeflow._plugins.entry_points", lambda _: [])
    loader = Loader(tmp_path / "pipeline.toml", load_plugins([Installed(), Broken()]))
    (told,) = loader.mistakes(textwrap.dedent(SMALL) + '[filters.x]\nplugin = "night"')
    assert "libsky.so not found" in told
    assert "could not be loaded" in told


def test_a_name_whose_class_was_refused_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        @voeflow.hookimpl
        def register_filters(self) -> object:
            return {"night": int}

    monkeypatch.setattr("voeflow._plugins.entry_points", lambda _: [])
    loader = Loader(tmp_path / "pipeline.toml", load_plugins([Installed(), Broken()]))
    (told,) = loader.mistakes(textwrap.dedent(SMALL) + '[filters.x]\nplugin = "night"')
    assert told == (
        'filters.x.plugin: the plugin "night" of no distribution cannot be used:'
        " the filter night (int) is no attrs class: write @attrs.frozen above it"
    )
