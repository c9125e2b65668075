"""The log as one sink reads it: in order, without a gap, from memory or from the store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from support.samples import voevent
from support.stored import new_event
from voeflow import Event
from voeflow._answers import Envelope
from voeflow._feed import Feed
from voeflow._store import Store
from voeflow._store_records import StoredEvent


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "store.db")
    yield store
    store.close()


def envelope(seq: int) -> Envelope:
    return Envelope(seq, Event.parse(voevent(f"ivo://org.example/a#{seq}")))


async def test_what_is_offered_while_nothing_is_found_in_the_store_is_read_from_there(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append([new_event(seq, raw=envelope(seq).event.raw) for seq in (1, 2, 3)])
    store.prune(1e10, 10)
    feed = Feed("out", 0, 3, store)
    read = Store.read

    def read_late(self: Store, after: int, limit: int, max_bytes: int) -> list[StoredEvent]:
        found = read(self, after, limit, max_bytes)
        store.append([new_event(4, raw=envelope(4).event.raw)])
        trio.from_thread.run_sync(feed.offer, [envelope(4)])
        return found

    with monkeypatch.context() as late:
        late.setattr(Store, "read", read_late)
        await feed.read_on()
    assert feed.behind
    await feed.read_on()
    assert [each.seq for each in feed.pop(10)] == [4]
