"""The log as one sink reads it: in order, without a gap, from memory or from the store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
import structlog
import trio

from support.samples import voevent
from support.stored import new_event
from voeflow import Event, EventError
from voeflow._answers import Envelope
from voeflow._feed import Feed, reread
from voeflow._store import Store
from voeflow._store_records import StoredEvent
from voeflow._xml import MAX_ATTRIBUTES, MAX_DEPTH


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


def test_what_was_taken_once_can_be_read_again_whatever_is_taken_today() -> None:
    crowded = b"<Who " + b" ".join(b'a%d="1"' % n for n in range(2 * MAX_ATTRIBUTES)) + b">"
    deep = b"<What>" + b"<Group>" * (2 * MAX_DEPTH) + b"</Group>" * (2 * MAX_DEPTH) + b"</What>"
    raw = envelope(1).event.raw.replace(b"<Who>", deep + crowded)
    with pytest.raises(EventError):
        Event.parse(raw)
    stored = StoredEvent(**attrs.asdict(new_event(1, raw=raw), recurse=False), seq=7)
    again = reread(stored)
    assert (again.seq, again.event.raw) == (7, raw)


async def test_what_cannot_be_parsed_again_is_told_and_what_comes_after_it_is_handed_on(
    store: Store,
) -> None:
    damaged = {1, 3, 5}
    store.append(
        [new_event(n, raw=b"<damaged" if n in damaged else envelope(n).event.raw) for n in range(1, 6)]
    )
    feed = Feed("out", 0, 5, store)
    with structlog.testing.capture_logs() as logs:
        await feed.read_on()
    assert [each.seq for each in feed.pop(10)] == [2, 4]
    assert feed.empty
    told = [(line["sink"], line["ivorn"], line["position"]) for line in logs]
    assert told == [("out", f"ivo://obspm.gepi/svom#{n}", n) for n in (1, 3, 5)]
    assert "not well-formed XML" in logs[0]["reason"]
