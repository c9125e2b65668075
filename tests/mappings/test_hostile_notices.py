"""Whatever is done to a notice, it becomes a valid packet or is refused; and the same becomes the same."""

from __future__ import annotations

import copy
import json
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.notices import NAMES, Mapper, notice
from voeflow import Event, EventError, Notice
from voeflow_mappings import register_mappings

#: Each is drawn as a copy: a later change may go into it, and it would come back changed, or hold itself.
ODD: st.SearchStrategy[Any] = st.sampled_from([
    None, True, False, 0, -1, 1, 1.5, -0.0, 1e300, 5e-324, 10**99, -(10**99), "", " ", "x", "\x00\x1b",
    "\ufffe\uffff", "]]>", "<&\"'>", "\r\n\t\u2028", "ivo://a/b#c", "#", "_", "é" * 300, "a" * 20_000,
    "2026-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:60Z",
    "2026-01-01T00:00:00." + "1" * 50, [], {}, [[]], [{}], [[[1]]], {"": 1}, {"a": {"b": {"": []}}},
    [1, "2", None], [{"a": 1}, 2], list(range(20_000)), {"\x00": "\x00"}, {"b" * 500: 1},
    {f"k{n}": n for n in range(700)}, ["a,b", "c"], [True, False], [[1e308, -1e308]] * 4, "test", "update",
    "retraction", "RETRACTION", "MDC",
]).map(copy.deepcopy)  # fmt: skip
VALUES = ODD | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a notice where something can be put."""
    found: list[tuple[str | int, ...]] = []
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in parts:
        found += [(*path, key), *places(inner, (*path, key))]
    return found


CONTENTS = {name: json.loads(notice(name).content) for name in NAMES}


@st.composite
def mutants(draw: st.DrawFn) -> Notice:
    """A notice with a few of its values replaced, taken away, or renamed."""
    name = draw(st.sampled_from(NAMES))
    content = json.loads(notice(name).content)
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(places(CONTENTS[name])))
        inner = content
        try:
            for key in path[:-1]:
                inner = inner[key]
            match draw(st.sampled_from(["put", "put", "put", "take", "rename"])):
                case "put":
                    inner[path[-1]] = draw(VALUES)
                case "take":
                    del inner[path[-1]]
                case _:
                    inner[draw(st.text(max_size=10))] = inner.pop(path[-1])
        except (KeyError, IndexError, TypeError, AttributeError):
            continue  # what was there has gone by an earlier change
    return attrs.evolve(notice(name), content=json.dumps(content).encode())


def earlier(prefix: str) -> list[str]:
    """IVORNs of which some are of the event, some nearly, and some are nothing."""
    return [
        prefix,
        f"{prefix}initial_20200101T000000Z_00000000",
        f"{prefix}update_1_20200101T000000.5Z_ffffffff",
        f"{prefix}Preliminary-20200101T000000Z",
        f"{prefix}update_999999999_99999999T999999Z_ffffffff",
        f"{prefix}\x00<&>",
    ]


@settings(max_examples=400)
@given(mutants())
def test_a_changed_notice_becomes_a_valid_packet_or_is_refused(one: Notice) -> None:
    for mapping in register_mappings().values():
        try:
            made = mapping.map(one, earlier)
        except EventError as refusal:
            reason = str(refusal)
            made = None
        else:
            reason = ""
        assert reason.isprintable()
        assert len(reason) < 500
        if made is None:
            continue
        event = Event.parse(made.packet)
        assert event.valid
        assert event.ivoid is not None
        assert len(event.ivorn) < 400
        assert len(made.packet) < 2**20
        assert mapping.map(Notice(one.content, topic=one.topic), earlier) == made


@pytest.mark.parametrize("name", NAMES)
def test_the_same_notice_gives_the_same_bytes(name: str) -> None:
    assert Mapper().mapped(notice(name)) == Mapper().mapped(notice(name))


@given(st.binary(max_size=50))
def test_any_bytes_by_the_missions_topics_are_refused(content: bytes) -> None:
    for mapping, topic in zip(
        register_mappings().values(), ("gcn.notices.fermi.gbm", "igwn.gwalert"), strict=True
    ):
        with pytest.raises(EventError):
            mapping.map(Notice(content, topic=topic), earlier)


def test_the_worst_characters_at_the_greatest_length_fit_into_a_packet_that_brokers_take() -> None:
    one = notice("gbm-ground")
    content = json.loads(one.content) | {f'k{n:03}"': '"' * 500 for n in range(500)}
    made = Mapper().mapped(attrs.evolve(one, content=json.dumps(content).encode()))
    assert Event.parse(made.packet).valid
    assert 500_000 < len(made.packet) < 2**20
