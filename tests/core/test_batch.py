"""Packets that are read together: what each is found to be, in order, whatever the others are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from support.samples import voevent
from voeflow import Event, EventError, StoreError
from voeflow._batch import Batch
from voeflow._entry import Entry

WHEN = datetime(2026, 11, 24, tzinfo=UTC)


def entry(raw: bytes, **facts: object) -> Entry:
    return Entry(raw, "authors", "schema", "192.0.2.1:1", "", WHEN, **facts)  # type: ignore[arg-type]


def parse(entry: Entry) -> Event:
    if b"trip-parse" in entry.raw:
        raise RuntimeError("a bug")
    return Event.parse(entry.raw, source=entry.source, received=entry.received)


def ivorn(name: str) -> str:
    return f"ivo://org.example/a#{name}"


def test_each_packet_of_several_is_stored_or_refused_in_its_order() -> None:
    entries = [
        entry(voevent(ivorn("one"))),
        entry(b"no xml"),
        entry(voevent(ivorn("two"), body="<Foreign/>")),
        entry(b"too much of it", refused="it is too long"),
        entry(voevent(ivorn("three")), check=lambda event: f"not {event.ivorn}"),
        entry(voevent(ivorn("four"))),
    ]
    batch = Batch()
    batch.read(entries[:2], parse)
    batch.read(entries[2:], parse)

    assert batch.entries == entries
    assert [event.ivorn for event in batch.events] == [ivorn("one"), ivorn("four")]
    assert [entry.event is None for entry in entries] == [False, True, True, True, True, False]
    assert [(refusal.raw, refusal.ivorn) for refusal in batch.refusals] == [
        (entries[1].raw, None),
        (entries[2].raw, ivorn("two")),
        (entries[3].raw, None),
        (entries[4].raw, ivorn("three")),
    ]
    reasons = [refusal.reason for refusal in batch.refusals]
    for reason, expected in zip(
        reasons, ["no XML", "Foreign", "it is too long", ivorn("three")], strict=True
    ):
        assert expected in reason


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("trips", ["parse", "defects", "digest"])
def test_a_packet_that_trips_the_node_is_refused_and_the_others_are_kept(
    trips: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tripping(name: str) -> object:
        read = vars(Event)[name].func

        def fact(event: Event) -> object:
            if event.ivorn.endswith(f"trip-{name}"):
                raise RuntimeError("a bug")
            return read(event)

        return property(fact)

    for name in ("defects", "digest"):
        monkeypatch.setattr(Event, name, tripping(name))
    entries = [entry(voevent(ivorn(name))) for name in (f"trip-{trips}", "one", "two")[:number]]
    batch = Batch()
    with capture_logs() as lines:
        batch.read(entries, parse)

    assert [event.ivorn for event in batch.events] == [ivorn("one"), ivorn("two")][: number - 1]
    (refusal,) = batch.refusals
    assert (refusal.raw, refusal.ivorn, refusal.reason) == (entries[0].raw, None, "this node cannot read it")
    (line,) = lines
    assert line["event"] == "a packet tripped the parser; please report it"
    assert isinstance(line["exc_info"], RuntimeError)


def test_a_packet_that_there_is_no_memory_for_is_neither_stored_nor_refused() -> None:
    def short_of_memory(entry: Entry) -> Event:
        if b"large" in entry.raw:
            raise MemoryError
        return parse(entry)

    entries = [entry(voevent(ivorn(name))) for name in ("one", "large", "two")]
    batch = Batch()
    batch.read(entries, short_of_memory)

    assert [event.ivorn for event in batch.events] == [ivorn("one"), ivorn("two")]
    assert not batch.refusals
    assert isinstance(entries[1].answer, StoreError)


def test_what_a_notice_was_made_of_is_not_judged_again() -> None:
    event = Event.parse(voevent(ivorn("one"), body="<Foreign/>"))
    made = entry(b"{}", event=event, notice=b"n" * 32, check=lambda _: "never asked")
    batch = Batch()
    batch.read([made, entry(b"no xml")], parse)

    (new,) = batch.events
    assert (new.ivorn, new.valid, new.notice) == (ivorn("one"), False, b"n" * 32)
    assert made.event is event


def test_what_another_process_could_not_read_is_refused_in_its_words() -> None:
    def found(entry: Entry) -> Event:
        raise EventError("no XML", 1, 2)

    batch = Batch()
    batch.read([entry(b"x"), entry(b"y")], found)
    assert [refusal.reason for refusal in batch.refusals] == [str(EventError("no XML", 1, 2))] * 2
