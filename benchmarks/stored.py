"""Stores with very many events in them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from voeflow._store import NewEvent, Store

#: How many events are stored with one commit.
_BATCH = 20_000

#: Short, so that a million are made in half a minute: what grows are the indexes, by events and not by bytes.
_PACKET = (
    '<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" '
    'version="2.0" role="observation" ivorn="%s"/>'
)


def make_store(path: Path, number: int) -> None:
    """Make a store with so many events in it, received one after another up to now."""
    with closing(Store.open(path)) as store:
        store.open_sinks([])
        now = time.time()
        for first in range(0, number, _BATCH):
            store.append(list(_events(first, min(first + _BATCH, number), now - number)))


def _events(first: int, last: int, begun: float) -> Iterator[NewEvent]:
    for number in range(first, last):
        ivorn = f"ivo://org.example.benchmark/stored#{number}"
        raw = (_PACKET % ivorn).encode()
        yield NewEvent(
            digest=hashlib.sha256(raw).digest(),
            raw=raw,
            ivorn=ivorn,
            role="observation",
            version="2.0",
            author="ivo://org.example.benchmark/stored",
            date="2026-11-24T01:02:03+00:00",
            received=begun + number,
            source="authors",
            valid=True,
        )
