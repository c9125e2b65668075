from __future__ import annotations

import datetime
import sys
from collections import deque
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any, ClassVar, Literal, NewType, TypeVar

import attrs
import pytest

from voeflow import Mistake, Secret
from voeflow._options import OptionDoc, class_faults, describe_options, read_options
from voeflow._quantities import Bytes, Seconds
from voeflow._xpath import XPath

HERE = Path("/etc/site")
C = TypeVar("C")


def read(cls: type[C], **table: object) -> C:
    instance, mistakes = read_options(cls, table, where="handlers.x", directory=HERE, culprit="the handler x")
    assert mistakes == []
    assert instance is not None
    return instance


def mistakes_of(cls: type, **table: object) -> list[str]:
    instance, mistakes = read_options(cls, table, where="handlers.x", directory=HERE, culprit="the handler x")
    assert instance is None
    return [str(mistake) for mistake in mistakes]


class Level(Enum):
    LOW = 1
    HIGH = 2


class Site(StrEnum):
    NORTH = "north"
    SOUTH = "south"


class Tag(str):
    __slots__ = ()


@attrs.frozen(kw_only=True)
class Every:
    text: str = ""
    count: int = 0
    ratio: float = 0.0
    on: bool = False
    path: Path = Path("events")
    wait: Seconds = attrs.field(default=Seconds(1.0))
    size: Bytes = attrs.field(default=Bytes(1))
    password: Secret = attrs.field(default=Secret(""))
    xpath: XPath | None = None
    kind: Literal["a", 1] = "a"
    level: Level = Level.LOW
    site: Site = Site.NORTH
    tag: Tag = attrs.field(default=Tag())
    maybe: str | None = None
    either: Seconds | Literal["never"] = "never"
    words: list[str] = attrs.field(factory=list)
    times: tuple[Seconds, ...] = ()
    place: tuple[float, float] = (0.0, 0.0)
    sites: frozenset[Site] = frozenset()
    headers: dict[str, int] = attrs.field(factory=dict)
    anything: Any = None


@pytest.mark.parametrize(
    ("key", "written", "expected"),
    [
        ("text", "a", "a"),
        ("count", 3, 3),
        ("ratio", 3, 3.0),
        ("ratio", 2.5, 2.5),
        ("on", True, True),
        ("path", "out", HERE / "out"),
        ("path", "/tmp/out", Path("/tmp/out")),
        ("path", "~/out", Path.home() / "out"),
        ("wait", "5 min", 300.0),
        ("wait", 2, 2.0),
        ("size", "1 MiB", 2**20),
        ("password", "hunter2", Secret("hunter2")),
        ("kind", "a", "a"),
        ("kind", 1, 1),
        ("level", 2, Level.HIGH),
        ("site", "south", Site.SOUTH),
        ("tag", "x", Tag("x")),
        ("maybe", "x", "x"),
        ("either", "never", "never"),
        ("either", "1 hour", 3600.0),
        ("words", ["a", "b"], ["a", "b"]),
        ("times", ["1 s", 2], (1.0, 2.0)),
        ("place", [1, 2.5], (1.0, 2.5)),
        ("sites", ["north", "north"], frozenset({Site.NORTH})),
        ("headers", {"a": 1}, {"a": 1}),
        ("anything", [1, {"a": "b"}], [1, {"a": "b"}]),
    ],
)
def test_a_value_is_read_by_its_type(key: str, written: object, expected: object) -> None:
    value = getattr(read(Every, **{key: written}), key)
    assert value == expected
    assert type(value) is type(expected) or isinstance(expected, Path)


Degrees = NewType("Degrees", float)


@attrs.frozen
class Foreign:
    angle: Degrees = Degrees(0.0)
    queue: deque[Level] = attrs.field(factory=deque)


def test_a_type_that_is_made_of_others_is_read_as_strictly() -> None:
    assert read(Foreign, angle=3, queue=[1, 2]) == Foreign(Degrees(3.0), deque([Level.LOW, Level.HIGH]))
    assert mistakes_of(Foreign, angle="3") == ['handlers.x.angle: expected a number, got "3"']


def test_an_xpath_is_compiled() -> None:
    xpath = read(Every, xpath="//Param").xpath
    assert xpath is not None
    assert xpath.expression == "//Param"


@pytest.mark.parametrize(
    ("key", "written", "mistake"),
    [
        ("text", 3, ': expected a string, got 3 (write "3")'),
        ("count", 2.9, ": expected a whole number, got 2.9"),
        ("count", True, ": expected a whole number, got true"),
        ("count", "3", ': expected a whole number, got "3"'),
        ("ratio", "3", ': expected a number, got "3"'),
        ("ratio", True, ": expected a number, got true"),
        ("ratio", float("nan"), ": expected a number, got NaN"),
        ("on", "false", ': expected true or false without quotes, got "false"'),
        ("on", 1, ": expected true or false without quotes, got 1"),
        ("path", "", ': expected a path, got ""'),
        ("path", 1, ": expected a path, got 1"),
        ("level", True, ": expected 1 or 2, got true"),
        ("level", 1.0, ": expected 1 or 2, got 1.0"),
        ("kind", "b", ': expected "a" or 1, got "b"'),
        ("site", "west", ': expected "north" or "south", got "west"'),
        ("maybe", 3, ': expected a string, got 3 (write "3")'),
        ("either", "soon", ': expected duration or "never", got "soon"'),
        ("words", "./slew.sh", ': expected a list of strings, got "./slew.sh" (write ["./slew.sh"])'),
        ("words", ["a", 3], '[1]: expected a string, got 3 (write "3")'),
        ("place", [1], ": expected 2 values in brackets, got 1"),
        ("headers", {"a": "b"}, '.a: expected a whole number, got "b"'),
        ("headers", ["a"], ': expected a table, as { name = ... }, got ["a"]'),
        ("words", {"a": 1}, ': expected a list of strings, got {"a": 1}'),
        ("text", datetime.date(2026, 1, 2), ': expected a string, got "2026-01-02"'),
    ],
)
def test_a_value_of_another_type_is_a_mistake(key: str, written: object, mistake: str) -> None:
    assert mistakes_of(Every, **{key: written}) == [f"handlers.x.{key}{mistake}"]


@pytest.mark.parametrize(
    ("key", "written", "expected"),
    [
        ("wait", "30 secs", "expected a duration such as"),
        ("size", "1 Mb", "expected a size such as"),
        ("xpath", "//Param[", ""),
        ("path", "~no-such-user-here/x", "expected a path"),
    ],
)
def test_durations_sizes_paths_and_xpaths_say_what_was_expected(
    key: str, written: str, expected: str
) -> None:
    (mistake,) = mistakes_of(Every, **{key: written})
    assert mistake.startswith(f"handlers.x.{key}: {expected}")


def test_a_long_value_is_cut_in_its_mistake() -> None:
    (mistake,) = mistakes_of(Every, count="x" * 10_000)
    assert len(mistake) < 200


def test_every_mistake_of_a_table_is_told() -> None:
    told = mistakes_of(Every, count="x", words=[1, "a", 2], txet="", on="no")
    assert [each.split(":")[0] for each in told] == [
        "handlers.x.txet",
        "handlers.x.count",
        "handlers.x.on",
        "handlers.x.words[0]",
        "handlers.x.words[2]",
    ]


def test_an_unknown_key_names_the_nearest() -> None:
    assert mistakes_of(Every, pasword="x") == ['handlers.x.pasword: no such key (did you mean "password"?)']


def test_an_unknown_key_that_is_like_none_is_told_those_there_are_in_the_order_of_the_class() -> None:
    @attrs.frozen
    class Port:
        listen: str = ""
        allow: str = ""

    assert mistakes_of(Port, zzz=1) == ["handlers.x.zzz: no such key (the keys are listen, allow)"]


def test_an_attribute_without_a_type_is_no_key_and_that_is_told() -> None:
    @attrs.frozen
    class Bright:
        inline: ClassVar[bool] = True
        flux = 1e-5
        least: float = 0.0

    assert mistakes_of(Bright, flux=2) == [
        "handlers.x.flux: no such key (the class Bright has one without a type: write flux: float = 1e-05)"
    ]
    assert mistakes_of(Bright, inline=False) == ["handlers.x.inline: no such key (the keys are least)"]


def test_an_unknown_key_may_be_the_one_that_is_missing() -> None:
    @attrs.frozen
    class Port:
        listen: str
        allow: str = ""

    assert mistakes_of(Port, port=18098) == [
        'handlers.x.port: no such key (did you mean "listen", which is missing?)',
        "handlers.x.listen: is missing; expected a value of the type: string",
    ]


@attrs.frozen
class Mail:
    to: tuple[str, ...] = attrs.field(metadata={"help": "who gets the mail", "one_or_many": True})
    server: str = attrs.field(metadata={"help": "the mail server"})
    limit: int = attrs.field(default=20, validator=attrs.validators.ge(1))
    hour: int = attrs.field(default=0)
    _hidden: str = ""
    seen: int = attrs.field(init=False, default=0)
    retries: ClassVar[int] = 3

    @hour.validator
    def _below_limit(self, _: object, hour: int) -> None:
        if hour > self.limit:
            raise ValueError(f"expected at most {self.limit}, got {hour}")


def test_a_missing_key_is_told_with_its_help() -> None:
    missing = "is missing; expected a value of the type:"
    assert mistakes_of(Mail) == [
        f"handlers.x.to: {missing} string or list of strings (who gets the mail)",
        f"handlers.x.server: {missing} string (the mail server)",
    ]


def test_a_lone_value_stands_for_a_list_where_the_field_says_so() -> None:
    assert read(Mail, to="a@b", server="s").to == ("a@b",)
    assert read(Mail, to=["a@b", "c@d"], server="s").to == ("a@b", "c@d")
    assert mistakes_of(Mail, to=3, server="s") == ['handlers.x.to: expected a string, got 3 (write "3")']


def test_every_validator_is_asked_and_keeps_its_words() -> None:
    assert mistakes_of(Mail, to="a@b", server="s", limit=0, hour=5) == [
        "handlers.x.limit: expected at least 1, got 0",
        "handlers.x.hour: expected at most 0, got 5",
    ]


@attrs.frozen
class Limited:
    wait: Seconds = attrs.field(default=Seconds(5.0), validator=attrs.validators.ge(Seconds(5)))
    longest: Seconds | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.lt(3600))
    )
    size: Bytes = attrs.field(default=Bytes(1), validator=attrs.validators.le(2**20))
    share: float = attrs.field(default=0.5, validator=attrs.validators.gt(0))
    way: str = attrs.field(default="up", validator=attrs.validators.in_(("up", "down")))
    name: str = attrs.field(default="abc", validator=attrs.validators.matches_re("[a-c]+"))
    short: str = attrs.field(default="a", validator=attrs.validators.max_len(3))
    some: tuple[int, ...] = attrs.field(default=(1,), validator=attrs.validators.min_len(1))
    odd: int = attrs.field(default=1, validator=attrs.validators.instance_of(int))


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("wait", "0", "expected at least 5 s, got 0 s"),
        ("longest", "2 hours", "expected below 1 hour, got 2 hours"),
        ("size", "2 MiB", "expected at most 1 MiB, got 2 MiB"),
        ("share", 0.0, "expected above 0, got 0"),
        ("way", "left", 'expected "up" or "down", got "left"'),
        ("name", "x", 'expected what the regular expression [a-c]+ matches, got "x"'),
        ("short", "abcd", "expected at most 3 characters, got 4"),
        ("some", [], "expected at least 1 value, got 0"),
    ],
)
def test_attrs_own_validators_are_told_in_words_and_units(key: str, value: object, told: str) -> None:
    assert mistakes_of(Limited, **{key: value}) == [f"handlers.x.{key}: {told}"]


def test_a_key_that_could_not_be_read_is_not_taken_for_one_that_is_not_there() -> None:
    @attrs.frozen
    class Account:
        username: str = attrs.field(default="")
        password: Secret = attrs.field(default=Secret(""))

        @username.validator
        def _both(self, _: object, username: str) -> None:
            if username and not self.password:
                raise ValueError("expected a password as well")

    (told,) = mistakes_of(Account, username="me", password={"file": "none"})
    assert told.startswith("handlers.x.password: the secret's file")


@attrs.frozen
class Made:
    keys: Path
    limit: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    _ring: tuple[str, ...] = attrs.field(init=False)

    @_ring.default
    def _read_keys(self) -> tuple[str, ...]:
        raise ValueError(f"cannot read {self.keys} up to {self.limit}")


def test_what_keeps_something_from_being_made_of_the_keys_is_a_mistake_of_the_table() -> None:
    assert mistakes_of(Made, keys="a") == ["handlers.x: cannot read /etc/site/a up to 1"]


def test_what_follows_from_a_mistake_of_a_key_is_not_told_again() -> None:
    assert mistakes_of(Made, keys="a", limit=0) == ["handlers.x.limit: expected at least 1, got 0"]
    assert mistakes_of(Made, keys=5) == ["handlers.x.keys: expected a path, got 5"]


def test_validators_are_asked_where_other_keys_are_wrong() -> None:
    told = mistakes_of(Mail, server=1, hour=21)
    assert told[1:] == [
        'handlers.x.server: expected a string, got 1 (write "1")',
        "handlers.x.hour: expected at most 20, got 21",
    ]


def test_a_private_field_has_a_key_without_underscore_and_an_inner_one_has_none() -> None:
    assert read(Mail, to="a", server="s", hidden="x")._hidden == "x"
    assert mistakes_of(Mail, to="a", server="s", seen=1)[0].startswith("handlers.x.seen: no such key")


def _port(text: str) -> int:
    if not text.isdigit():
        raise ValueError(f"expected a port, got {text}")
    return int(text)


def _above_port(value: int, self: Any) -> int:
    return value + int(self.port)


@attrs.frozen(kw_only=True)
class Converted:
    port: int = attrs.field(converter=_port)
    words: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    # mypy's attrs plugin knows no converter that takes the instance
    sum: int = attrs.field(default=0, converter=attrs.Converter(_above_port, takes_self=True))  # type: ignore[misc]


def test_a_value_is_read_as_what_the_fields_converter_takes() -> None:
    converted = read(Converted, port="8098", words=["a"], sum=2)
    assert (converted.port, converted.words, converted.sum) == (8098, ("a",), 8100)


def test_what_a_converter_refuses_is_a_mistake_of_its_key() -> None:
    assert mistakes_of(Converted, port="http") == ["handlers.x.port: expected a port, got http"]
    assert mistakes_of(Converted, port=80) == ['handlers.x.port: expected a string, got 80 (write "80")']


@attrs.frozen
class Wary:
    low: int = 0
    high: int = 0

    def __attrs_post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low must not be above high")
        if self.low < 0:
            raise RuntimeError("never thought of that")


def test_what_post_init_refuses_is_a_mistake_of_the_table() -> None:
    assert mistakes_of(Wary, low=1) == ["handlers.x: low must not be above high"]


def test_anything_else_that_a_class_raises_is_its_own_fault() -> None:
    (mistake,) = mistakes_of(Wary, low=-1, high=0)
    fault = "the handler x failed while it was set up, which is its own fault"
    assert mistake == f"handlers.x: {fault}: RuntimeError: never thought of that"


def test_a_class_that_exits_is_its_own_fault_too() -> None:
    @attrs.frozen
    class Leaving:
        gate: int = attrs.field(default=0, validator=lambda *_: sys.exit("no such gate"))

    fault = "the handler x failed while it was set up, which is its own fault"
    assert mistakes_of(Leaving) == [f"handlers.x: {fault}: SystemExit: no such gate"]
    assert mistakes_of(Leaving, door=1) == ["handlers.x.door: no such key (the keys are gate)"]


def test_a_relative_path_that_is_a_default_is_relative_to_the_file_too() -> None:
    assert read(Every).path == HERE / "events"


def test_a_secret_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\r\n")
    instance, _ = read_options(
        Every, {"password": {"file": "password"}}, where="", directory=tmp_path, culprit=""
    )
    assert instance is not None
    assert instance.password.reveal() == "hunter2"


@pytest.mark.parametrize("written", [12345, {"path": "12345"}, ["12345"], {"file": "x", "text": "12345"}])
def test_a_secret_that_is_none_is_not_told(written: object) -> None:
    assert mistakes_of(Every, password=written) == [
        'handlers.x.password: expected a string such as "${NAME}", or { file = "path" }'
    ]


def test_a_secrets_missing_file_is_told() -> None:
    assert mistakes_of(Every, password={"file": "none"}) == [
        "handlers.x.password: the secret's file /etc/site/none cannot be read: No such file or directory"
    ]


def test_mistakes_of_the_top_level_have_no_table() -> None:
    _, mistakes = read_options(Wary, {"low": "x"}, where="", directory=HERE, culprit="")
    assert mistakes == [Mistake("low", 'expected a whole number, got "x"')]


def test_options_are_described_for_their_reader() -> None:
    assert describe_options(Mail) == [
        OptionDoc("to", "string or list of strings", None, "who gets the mail"),
        OptionDoc("server", "string", None, "the mail server"),
        OptionDoc("limit", "whole number", "20", ""),
        OptionDoc("hour", "whole number", "0", ""),
        OptionDoc("hidden", "string", '""', ""),
    ]
    described = {each.name: (each.type, each.default) for each in describe_options(Every)}
    assert described["wait"] == ("duration", '"1 s"')
    assert described["size"] == ("size", "1")
    assert described["password"] == ("secret", '""')
    assert described["xpath"] == ("XPath expression", "none")
    assert described["site"] == ('"north" or "south"', '"north"')
    assert described["either"] == ('duration or "never"', '"never"')
    assert described["times"] == ("list of durations", "[]")
    assert described["place"] == ("list of 2: number, number", "[0.0, 0.0]")
    assert described["headers"] == ("table of whole numbers", "{}")
    assert described["path"] == ("path", '"events"')


@attrs.frozen
class Hopeless:
    plugin: str
    stream: complex
    streams: tuple[complex, ...]


@attrs.frozen
class Untyped:
    ghost = attrs.field()  # type: ignore[var-annotated]  # the point of the test


@attrs.frozen
class Unresolved:
    ghost: NoSuchName  # type: ignore[name-defined]  # noqa: F821 - the point of the test


def test_a_class_that_no_table_can_be_read_as_is_told_why() -> None:
    assert class_faults(Every, frozenset({"plugin"})) == []
    assert class_faults(Hopeless, frozenset({"plugin"})) == [
        "its option plugin has the name of a common key; give it another",
        "its option stream is of a type that no pipeline file can hold: complex",
        "its option streams is of a type that no pipeline file can hold: list of complexs",
    ]
    assert class_faults(Untyped, frozenset()) == ["its option ghost has no type; annotate it"]
    (fault,) = class_faults(Unresolved, frozenset())
    assert "NoSuchName" in fault


@attrs.frozen
class Door:
    lock: Path
    code: Secret = attrs.field(default=Secret(""))
    bolts: int = attrs.field(default=1, validator=attrs.validators.gt(0))


@attrs.frozen
class House:
    door: Door | bool = False
    windows: tuple[Door, ...] = ()


def test_a_field_that_is_an_attrs_class_is_a_table_within_the_table() -> None:
    house = read(House, door={"lock": "iron", "code": "1234"}, windows=[{"lock": "/glass", "bolts": 3}])
    assert house == House(Door(HERE / "iron", Secret("1234")), (Door(Path("/glass"), bolts=3),))
    assert read(House, door=True) == House(door=True)


def test_every_mistake_of_an_inner_table_is_told_at_its_own_key() -> None:
    told = mistakes_of(House, door={"lok": "iron", "bolts": 0}, windows=[{"lock": "a"}, {"lock": 5}, 7])
    assert told == [
        'handlers.x.door.lok: no such key (did you mean "lock"?)',
        "handlers.x.door.lock: is missing; expected a value of the type: path",
        "handlers.x.door.bolts: expected above 0, got 0",
        "handlers.x.windows[1].lock: expected a path, got 5",
        "handlers.x.windows[2]: expected a table {lock, code, bolts}, got 7",
    ]
    (told_of_shape,) = mistakes_of(House, door="iron")
    assert "expected table {lock, code, bolts} or true or false, got" in told_of_shape


def test_an_inner_table_of_which_something_is_wrong_does_not_tell_its_secret() -> None:
    assert "1234" not in str(mistakes_of(House, door={"code": "1234"}))


def test_the_keys_of_an_inner_table_are_described_after_it() -> None:
    assert [(each.name, each.type, each.default) for each in describe_options(House)] == [
        ("door", "table {lock, code, bolts} or true or false", "false"),
        ("door.lock", "path", None),
        ("door.code", "secret", '""'),
        ("door.bolts", "whole number", "1"),
        ("windows", "list of tables {lock, code, bolts}", "[]"),
        ("windows[].lock", "path", None),
        ("windows[].code", "secret", '""'),
        ("windows[].bolts", "whole number", "1"),
    ]


def test_an_inner_class_that_no_table_can_be_read_as_is_told_why() -> None:
    @attrs.frozen
    class Inner:
        when: datetime.date

    @attrs.frozen
    class Outer:
        inner: Inner | None = None

    Outer.__annotations__["inner"] = Inner
    Inner.__annotations__["when"] = datetime.date
    assert "no pipeline file can hold" in class_faults(Outer, frozenset())[0]
