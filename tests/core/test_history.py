"""What a transport can read back in the log, and note of how far it has come."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio

from support.nodes import Hand, Wire, running
from support.samples import voevent
from voeflow import StoreError
from voeflow._bookmarks import Bookmarks
from voeflow._store import Store

PIPELINE = """
[transports.in]
plugin = "hand"
[transports.else]
plugin = "hand"
[transports.out]
plugin = "wire"
when = "not test"
sources = ["in"]
[filters.test]
plugin = "role"
roles = ["test"]
"""


def packet(number: int, role: str = "observation") -> bytes:
    return voevent(f"ivo://a.b/c#{number}", role=role)


async def test_a_sink_reads_back_what_it_wants_and_learns_how_far_that_was(tmp_path: Path) -> None:
    async with running(tmp_path, PIPELINE) as (pipeline, _):
        source: Hand = pipeline.transports["in"].instance
        other: Hand = pipeline.transports["else"].instance
        wire: Wire = pipeline.transports["out"].instance
        for number in range(1, 6):
            await source.node.submit(packet(number, "test" if number in (2, 5) else "observation"))
        await other.node.submit(packet(6))
        await source.node.submit(packet(7))
        deliveries = await wire.wait(3 + 1)
        assert [each.position for each in deliveries] == [1, 3, 4, 7]
        node = wire.node
        assert node.position == 7
        history = await node.history(1, 7)
        assert [each.position for each in history.deliveries] == [3, 4, 7]
        assert [each.id for each in history.deliveries] == [each.id for each in deliveries[1:]]
        assert history.position == 7
        history.deliveries[0].failed("changes nothing")
        assert await node.history(4, 6) == type(history)((), 6)
        assert await node.history(7, 7) == type(history)((), 7)
        assert (await node.history(0, 3)).deliveries[-1].event.raw == packet(3)
        assert len(wire.deliveries) == 4


async def test_a_long_history_comes_in_pieces(tmp_path: Path) -> None:
    async with running(tmp_path, PIPELINE) as (pipeline, _):
        source: Hand = pipeline.transports["in"].instance
        wire: Wire = pipeline.transports["out"].instance
        large = [voevent(f"ivo://a.b/c#large-{n}", tail=f"<!--{'x' * 200_000}-->") for n in range(3)]
        for raw in (*map(packet, range(100)), *large):
            await source.node.submit(raw)
        await wire.wait(103)
        position, lengths = 0, []
        while position < 103:
            history = await wire.node.history(position, 103)
            lengths.append(len(history.deliveries))
            assert [each.position for each in history.deliveries] == list(
                range(position + 1, history.position + 1)
            )
            position = history.position
        assert lengths[0] == 64
        assert sum(lengths) == 103
        assert len(lengths) == 4, "two pieces of 200 kB do not go together"


async def test_what_cannot_be_parsed_any_more_is_left_out_of_the_history(tmp_path: Path) -> None:
    async with running(tmp_path, PIPELINE) as (pipeline, _):
        wire: Wire = pipeline.transports["out"].instance
        for number in range(1, 5):
            await pipeline.transports["in"].instance.node.submit(packet(number))
        await wire.wait(4)
        with closing(sqlite3.connect(tmp_path / "voeflow.db")) as connection:
            connection.execute("UPDATE packets SET raw = ? WHERE seq IN (2, 4)", (b"<damaged",))
            connection.commit()
        history = await wire.node.history(0, 4)
        assert [each.position for each in history.deliveries] == [1, 3]
        assert history.position == 4


async def test_an_event_is_found_by_its_digest_and_a_position_by_its_time(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    async with running(tmp_path, PIPELINE) as (pipeline, _):
        node = pipeline.transports["in"].instance.node
        assert await node.position_at(datetime.now(UTC)) == 0
        answers = [await node.submit(packet(number)) for number in (1, 2, 1)]
        assert answers[2].outcome == "duplicate"
        assert [await node.find(answer.digest) for answer in answers] == [1, 2, 1]
        assert await node.find(bytes(32)) is None
        assert (await node.submit(b"<no/>")).digest is None
        assert await node.position_at(before) == 0
        assert await node.position_at(datetime.now(UTC) + timedelta(days=1)) == 2
        (event,) = [each.event for each in (await pipeline.transports["out"].instance.wait(2))[1:]]
        assert await node.position_at(event.received) == 1


async def test_only_a_sink_has_a_history(tmp_path: Path) -> None:
    async with running(tmp_path, PIPELINE) as (pipeline, _):
        with pytest.raises(TypeError, match=r"transports\.in is no sink"):
            await pipeline.transports["in"].instance.node.history(0, 1)


async def test_bookmarks_are_each_transports_own_and_outlive_the_node(tmp_path: Path) -> None:
    async with running(tmp_path, PIPELINE) as (pipeline, _):
        node = pipeline.transports["in"].instance.node
        node.bookmark("topic", "1")
        node.bookmark("topic", "2")
        node.bookmark("other", "3")
        pipeline.transports["else"].instance.node.bookmark("topic", "4")
        assert await node.bookmarks() == {"topic": "2", "other": "3"}
    async with running(tmp_path, PIPELINE) as (pipeline, _):
        assert await pipeline.transports["in"].instance.node.bookmarks() == {"topic": "2", "other": "3"}
        assert await pipeline.transports["else"].instance.node.bookmarks() == {"topic": "4"}
        assert await pipeline.transports["out"].instance.node.bookmarks() == {}


async def test_a_bookmark_that_cannot_be_written_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(tmp_path / "store.db")
    try:
        bookmarks = Bookmarks(store)
        bookmarks.note("in", "topic", "1")

        def full(_: object, rows: object) -> None:
            raise StoreError("the disk is full")

        with monkeypatch.context() as broken:
            broken.setattr(Store, "save_bookmarks", full)
            assert not await bookmarks.save()
            with pytest.raises(StoreError, match="the disk is full"):
                await bookmarks.of("in")
        assert await trio.to_thread.run_sync(store.bookmarks, "in") == {}
        bookmarks.note("in", "topic", "2")
        assert await bookmarks.save()
        assert await bookmarks.of("in") == {"topic": "2"}
    finally:
        store.close()
