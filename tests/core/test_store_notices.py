"""The store keeps what is beside an event with it: read with it, bounded with it, gone with it."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.stored import new_event, news
from voeflow import Attachment, _store_reader
from voeflow._errors import StoreError
from voeflow._store import NewEvent, Progress, Refusal, Store, StoreReader
from voeflow._store_format import connect_to_write, migrate
from voeflow._store_records import StoredEvent
from voeflow._store_select import Selection, find, find_refused, select, select_refused
from voeflow._store_tables import STEPS

NOTICE = Attachment("notice.json", "application/json", b'{"id": 1}')
SKY = Attachment("skymap.fits", "application/fits", bytes(1000))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "voeflow.db")
    store.open_sinks(["mail"])
    yield store
    store.close()


def noted(number: int, *attachments: Attachment, notice: bytes | None = None, **facts: object) -> NewEvent:
    event = new_event(number, **facts)  # type: ignore[arg-type]  # as given
    return attrs.evolve(event, attachments=attachments, notice=notice)


def digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def whole(store: StoreReader, event: StoredEvent) -> StoredEvent:
    found = store.complete(event)
    assert found is not None
    return found


def test_attachments_come_back_with_their_event_however_it_is_read(store: Store) -> None:
    store.append([new_event(1), noted(2, NOTICE, SKY), noted(3, NOTICE)])
    expected = [(), (NOTICE, SKY), (NOTICE,)]
    assert [event.attachments for event in store.read(0, 10, 10**6)] == expected
    assert [event.attachments for event in store.get([1, 2, 3])] == expected
    looked_at = list(select(store, Selection()))
    assert [event.attached for event in looked_at] == [9, 1009, 0]
    assert [whole(store, event).attachments for event in looked_at] == expected[::-1]
    (found,) = find(store, "ivo://obspm.gepi/svom#2")
    assert whole(store, found).attachments == (NOTICE, SKY)


def test_attachments_count_in_the_bytes_that_are_read_at_once(store: Store) -> None:
    store.append([noted(number, SKY) for number in range(4)])
    assert [event.seq for event in store.read(0, 10, 2500)] == [1, 2]
    assert [event.seq for event in store.read(2, 10, 1)] == [3], "one is read even when it is larger"


def test_attachments_go_with_their_event(store: Store) -> None:
    store.append(
        [noted(1, NOTICE, SKY, notice=digest(b"1")), noted(2, NOTICE, notice=digest(b"2"), received=9e9)]
    )
    store.save_progress([Progress("mail", 2)])
    assert store.prune(2000.0, 10) == 1
    with closing(store.connect()) as connection:
        assert connection.execute("SELECT seq, name FROM attachments").fetchall() == [(2, "notice.json")]
        assert connection.execute("SELECT seq FROM notices").fetchall() == [(2,)]
    assert store.find_notice(digest(b"1")) is None


def test_an_event_that_goes_while_it_is_read_is_read_whole_or_not_at_all(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append([noted(1, NOTICE, notice=digest(b"1")), noted(2, SKY)], progress=[Progress("mail", 2)])
    looked_at = list(select(store, Selection()))
    make = _store_reader.stored_event

    def then_prune(row: tuple[object, ...]) -> StoredEvent:
        store.prune(2000.0, 1)
        return make(row)

    with monkeypatch.context() as pruning:
        pruning.setattr(_store_reader, "stored_event", then_prune)
        assert [event.attachments for event in store.get([1, 2])] == [(NOTICE,), (SKY,)]
    store.append([noted(1, NOTICE), noted(2, SKY)], progress=[Progress("mail", 4)])
    with monkeypatch.context() as pruning:
        pruning.setattr(_store_reader, "stored_event", then_prune)
        assert [event.attachments for event in store.read(0, 10, 10**6)] == [(NOTICE,), (SKY,)]
    assert [store.complete(event) for event in looked_at] == [None, None]


def test_of_a_duplicate_nothing_more_is_kept(store: Store) -> None:
    assert news(store.append([noted(1, NOTICE), noted(1, SKY)])) == [1, None]
    assert news(store.append([noted(1, SKY)])) == [None]
    assert store.get([1])[0].attachments == (NOTICE,)


def test_a_batch_that_cannot_be_written_leaves_no_attachment(store: Store) -> None:
    unreadable = noted(2, NOTICE, ivorn="\ud800")
    with pytest.raises(StoreError):
        store.append([noted(1, NOTICE, notice=digest(b"1")), unreadable])
    with closing(store.connect()) as connection:
        assert connection.execute("SELECT count(*) FROM attachments").fetchone() == (0,)
    assert store.find_notice(digest(b"1")) is None


def test_a_notice_is_known_by_its_digest_to_have_made_its_event(store: Store) -> None:
    store.append([noted(1, NOTICE, notice=digest(b"1"))])
    store.append([noted(1, NOTICE, notice=digest(b" 1"))])
    for content in (b"1", b" 1"):
        found = store.find_notice(digest(content))
        assert found is not None
        assert (found.seq, found.attachments) == (1, (NOTICE,))
    assert store.find_notice(digest(b"2")) is None


# Earlier events


def test_earlier_ivorns_come_in_the_order_of_the_log_each_once(store: Store) -> None:
    ivorns = [
        "ivo://a/b#z",
        "ivo://a/b#y",
        "ivo://a/c#x",
        "ivo://a/b",
        "ivo://a/b#z",
        "ivo://A/b#w",
        "ivo://a/b#a",
    ]
    store.append([new_event(n, ivorn=ivorn) for n, ivorn in enumerate(ivorns)])
    assert store.earlier("ivo://a/b#") == ["ivo://a/b#z", "ivo://a/b#y", "ivo://a/b#a"]
    assert store.earlier("ivo://a/b#", limit=2) == ["ivo://a/b#y", "ivo://a/b#a"]
    assert store.earlier("ivo://a/b#%") == store.earlier("ivo://a/_") == store.earlier("x") == []


def test_earlier_ivorns_are_found_by_their_index(store: Store) -> None:
    seen: list[str] = []
    store._reader.set_trace_callback(seen.append)
    store.earlier("ivo://a/b#")
    (statement,) = (each for each in seen if each.startswith("SELECT"))
    plan = [row[3] for row in store._reader.execute(f"EXPLAIN QUERY PLAN {statement}")]
    assert "SEARCH marks USING COVERING INDEX marks_by_ivorn (ivorn>? AND ivorn<?)" in plan
    assert "SEARCH events USING INTEGER PRIMARY KEY (rowid>?)" in plan, "only those without a mark"
    assert not [step for step in plan if step.startswith(("SCAN events", "SCAN marks"))]


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), max_size=8),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=2) | st.just("\U0010ffff"),
)
def test_earlier_ivorns_are_those_that_begin_so(
    tmp_path_factory: pytest.TempPathFactory, ivorns: list[str], prefix: str
) -> None:
    store = Store.open(tmp_path_factory.mktemp("store") / "voeflow.db")
    ivorns += [prefix + ivorn for ivorn in ivorns]
    store.append([new_event(n, ivorn=ivorn) for n, ivorn in enumerate(ivorns)])
    found = store.earlier(prefix)
    store.close()
    assert found == list(dict.fromkeys(ivorn for ivorn in ivorns if ivorn.startswith(prefix)))


# Older stores


def test_a_store_of_the_first_format_is_upgraded_with_all_it_has(tmp_path: Path) -> None:
    path = tmp_path / "voeflow.db"
    path.touch()
    with closing(connect_to_write(path)) as connection:
        migrate(connection, path, STEPS[:1])
        event = new_event(1)
        facts = (
            event.ivorn,
            event.role,
            event.version,
            event.author,
            event.date,
            event.received,
            event.source,
        )
        connection.execute("INSERT INTO events VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, 1)", (event.digest, *facts))
        connection.execute("INSERT INTO packets VALUES (1, ?)", (event.raw,))
        connection.execute(
            "INSERT INTO refusals(raw, reason, source, peer, received) VALUES (?, 'bad', 'authors', '', 1)",
            (b"x",),
        )
        connection.execute("INSERT INTO sinks VALUES (1, 'mail', 1, 0, 1)")
        connection.execute("INSERT INTO deliveries VALUES (1, 1, 2, 0, 'no route', 0, NULL, NULL)")
    with pytest.raises(StoreError, match="has the older format 1: run the node once to bring it up to date"):
        StoreReader.open(path)

    store = Store.open(path)
    state = store.open_sinks(["mail"])["mail"]
    assert [(waiting.seq, waiting.reason) for waiting in state.waiting] == [(1, "no route")]
    (old,) = store.read(0, 10, 10**6)
    assert (old.raw, old.attachments) == (event.raw, ())
    (refusal,) = select_refused(store, Selection())
    assert (refusal.raw, refusal.where, refusal.number) == (b"x", "", 1)
    assert news(store.append([event, noted(2, NOTICE, notice=digest(b"2"))])) == [None, 2]
    assert store.get([2])[0].attachments == (NOTICE,)
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_refusal_is_found_by_its_number(store: Store) -> None:
    refusals = [Refusal(b"%d" % n, "bad", "in", "", 1.0, None, f"offset {n}") for n in range(3)]
    store.append([], refusals)
    for refusal in select_refused(store, Selection()):
        assert refusal.number is not None
        assert find_refused(store, refusal.number) == refusal
    assert find_refused(store, 99) is None
