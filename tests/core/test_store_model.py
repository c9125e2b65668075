"""The store against a model of it in dicts, under any order of calls."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from support.stored import new_event, news
from voeflow import _store_marks, _store_write
from voeflow._errors import StoreError
from voeflow._store import NewEvent, Progress, SinkState, Store, Waiting
from voeflow._store_asked import ask_again
from voeflow._store_select import find

SINKS = ("mail", "save", "spawn")


@attrs.define
class ModelSink:
    cursor: int
    waiting: dict[int, Waiting] = attrs.field(factory=dict)
    asked: set[int] = attrs.field(factory=set)


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="voeflow-"))
        self.path = self.directory / "voeflow.db"
        self.store = Store.open(self.path)
        self.events: dict[int, NewEvent] = {}
        self.last = 0
        self.sinks: dict[str, ModelSink] = {}
        self.active: tuple[str, ...] = ()
        self.marking = pytest.MonkeyPatch()
        self.marking.setattr(
            _store_write, "MARKED_AT_ONCE", 4
        )  # so that some events have marks and some none
        self.marking.setattr(_store_marks, "_BLOCK", 3)

    def teardown(self) -> None:
        self.store.close()
        self.marking.undo()
        shutil.rmtree(self.directory)

    @rule(
        numbers=st.lists(st.integers(0, 30), max_size=6),
        age=st.integers(0, 10),
    )
    def append(self, numbers: list[int], age: int) -> None:
        events = [new_event(number, received=1000.0 - age) for number in numbers]
        seqs = news(self.store.append(events))
        for event, seq in zip(events, seqs, strict=True):
            if event.digest in {known.digest for known in self.events.values()}:
                assert seq is None
            else:
                assert seq is not None
                assert seq > self.last
                self.last = seq
                self.events[seq] = event

    @rule(data=st.data())
    def progress(self, data: st.DataObject) -> None:
        reports = []
        for name in self.active:
            sink = self.sinks[name]
            cursor = data.draw(st.integers(sink.cursor, self.last))
            failed = data.draw(st.lists(st.integers(1, cursor), max_size=3, unique=True)) if cursor else []
            waiting = [
                Waiting(
                    n,
                    1,
                    2000.0,
                    "refused",
                    dead=data.draw(st.booleans()),
                    since=data.draw(st.none() | st.floats(0, 3000)),
                    replayed=data.draw(st.none() | st.integers(0, 1)),
                )
                for n in failed
            ]
            settled = [n for n in sink.waiting if n not in failed and data.draw(st.booleans())]
            taken_up = [n for n in sink.asked if data.draw(st.booleans())]
            reports.append(Progress(name, cursor, waiting, settled, taken_up))
            sink.asked -= set(taken_up)
            sink.cursor = cursor
            sink.waiting.update((row.seq, row) for row in waiting if row.seq in self.events)
            for n in settled:
                del sink.waiting[n]
        self.store.save_progress(reports)

    @rule(name=st.sampled_from(SINKS), seqs=st.lists(st.integers(1, 40), max_size=5))
    def ask(self, name: str, seqs: list[int]) -> None:
        if name not in self.sinks:
            with pytest.raises(StoreError, match="knows no sink"):
                ask_again(self.path, name, seqs)
        else:
            kept = [seq for seq in seqs if seq in self.events]
            assert ask_again(self.path, name, seqs) == len(kept)
            self.sinks[name].asked.update(kept)

    @rule(name=st.sampled_from(SINKS), up_to=st.integers(0, 40), limit=st.integers(1, 5))
    def look(self, name: str, up_to: int, limit: int) -> None:
        sink = self.sinks.get(name, ModelSink(0))
        seqs = sorted(seq for seq in sink.asked if seq <= up_to)[:limit]
        attempts = [sink.waiting[seq].attempts if seq in sink.waiting else 0 for seq in seqs]
        found = self.store.asked(name, up_to, limit)
        assert [(row.seq, row.attempts, row.replayed) for row in found] == list(
            zip(seqs, attempts, attempts, strict=True)
        )
        assert self.store.anything_asked() == any(sink.asked for sink in self.sinks.values())

    @rule(number=st.integers(0, 30))
    def find(self, number: int) -> None:
        known = [
            seq for seq, event in self.events.items() if event == new_event(number, received=event.received)
        ]
        assert [event.seq for event in find(self.store, new_event(number).ivorn)] == sorted(
            known, reverse=True
        )

    @rule(moment=st.integers(989, 1001))
    def look_back(self, moment: int) -> None:
        since = (seq for seq, event in self.events.items() if event.received >= moment)
        assert self.store.position_at(moment) == min(since, default=self.last + 1) - 1

    @rule(age=st.integers(0, 10), limit=st.integers(1, 5))
    def prune(self, age: int, limit: int) -> None:
        before = 1000.0 - age
        free = {seq for seq, event in self.events.items() if event.received < before and not self.owed(seq)}
        assert self.store.prune(before, limit) == min(limit, len(free))
        left = {event.seq for event in self.store.read(0, 1000, 2**30)}
        removed = set(self.events) - left
        assert removed <= free
        assert len(removed) == min(limit, len(free))
        oldest_left = min((self.events[seq].received for seq in free - removed), default=before)
        assert all(self.events[seq].received <= oldest_left for seq in removed)
        for seq in removed:
            del self.events[seq]
            for sink in self.sinks.values():
                sink.waiting.pop(seq, None)
                sink.asked.discard(seq)

    @rule(names=st.sets(st.sampled_from(SINKS)), reopened=st.booleans())
    def open_sinks(self, names: set[str], reopened: bool) -> None:
        if reopened:
            self.store.close()
            self.store = Store.open(self.path)
        states = self.store.open_sinks(sorted(names))
        self.active = tuple(sorted(names))
        oldest = min(self.events, default=self.last + 1)
        for name in names:
            sink = self.sinks.setdefault(name, ModelSink(self.last))
            sink.cursor = max(sink.cursor, oldest - 1)
        assert states == {name: self.state_of(name) for name in names}

    @invariant()
    def the_log_is_as_the_model_has_it(self) -> None:
        stored = self.store.read(0, 1000, 2**30)
        assert [(event.seq, event.digest) for event in stored] == [
            (seq, event.digest) for seq, event in sorted(self.events.items())
        ]
        assert self.store.last_seq() == self.last
        named = {event.ivorn: seq for seq, event in sorted(self.events.items(), reverse=True)}
        assert self.store.earlier("ivo://") == sorted(named, key=lambda ivorn: named[ivorn])

    def owed(self, seq: int) -> bool:
        return any(
            seq > sink.cursor or (seq in sink.waiting and not sink.waiting[seq].dead) or seq in sink.asked
            for sink in (self.sinks[name] for name in self.active)
        )

    def state_of(self, name: str) -> SinkState:
        sink = self.sinks[name]
        return SinkState(sink.cursor, [row for _, row in sorted(sink.waiting.items()) if not row.dead])


TestStoreAgainstModel = StoreMachine.TestCase
TestStoreAgainstModel.settings = settings(max_examples=40, stateful_step_count=30)
