"""What the tests of VTP share: a clock that stands still, streams cut anywhere, machines wired together."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime

from hypothesis import strategies as st

from voeflow_transports.vtp._machine import Found, Machine

NOW = datetime(2026, 11, 24, 1, 2, 3, 987654, tzinfo=UTC)
IVOID = "ivo://org.example/voeflow"

#: An XPath expression that would take days on any packet.
ENDLESS = functools.reduce(lambda inner, _: f"count(//*[{inner}]) > 1", range(8), "count(//*) > 1")


def clock() -> datetime:
    return NOW


def pieces(stream: bytes, cuts: list[int]) -> Iterator[bytes]:
    """Give `stream` in pieces, cut at `cuts`; no piece is empty, as an empty one is the end of a stream."""
    places = sorted({cut % (len(stream) + 1) for cut in cuts} | {0, len(stream)})
    for start, end in itertools.pairwise(places):
        yield stream[start:end]


def one_by_one(stream: bytes) -> Iterator[bytes]:
    for at in range(len(stream)):
        yield stream[at : at + 1]


cuts = st.lists(st.integers(min_value=0, max_value=10_000), max_size=12)


def exchange(left: Machine, right: Machine, now: float = 0.0) -> tuple[list[Found], list[Found]]:
    """Carry each machine's outbox to the other until both are silent; give what each has found."""
    found_left: list[Found] = []
    found_right: list[Found] = []
    while True:
        to_right, to_left = left.outbox(), right.outbox()
        if not to_right and not to_left:
            return found_left, found_right
        if to_right:
            found_right += right.receive(to_right, now)
        if to_left:
            found_left += left.receive(to_left, now)
