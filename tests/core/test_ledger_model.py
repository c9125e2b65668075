"""A sink's ledger over a real store: what is handed over, whatever fails, ends or is asked for in between."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from support.stored import new_event, news
from voeflow._ledger import Ledger
from voeflow._store import Progress, Store, Waiting
from voeflow._store_asked import ask_again
from voeflow._store_records import Delivered

SINK = "mail"
HOWS = ("made", "made", "made", "failed", "put off", "put back", "given up")


class HandingOver(RuleBasedStateMachine):
    """Hands over as `Sink` does; every fifth event is not wanted."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="voeflow-"))
        self.path = self.directory / "voeflow.db"
        self.store = Store.open(self.path)
        self.ledger = Ledger.resume(SINK, self.store.open_sinks([SINK])[SINK])
        self.now = 1000.0
        self.number = 0
        self.kept: set[int] = set()
        self.in_hand: dict[int, Waiting | None] = {}
        self.unwanted: set[int] = set()
        self.done: set[int] = set()  # delivered or given up, by what is known in memory
        self.done_on_disk: set[int] = set()
        self.saving: tuple[Progress, set[int]] | None = None
        self.asked: set[int] = set()  # by what is on disk
        self.owed: set[int] = set()  # of what was asked for, what was not handed over since

    def teardown(self) -> None:
        try:
            self.all_is_handed_over_in_the_end()
        finally:
            self.store.close()
            shutil.rmtree(self.directory)

    @rule(number=st.integers(1, 6), taken=st.integers(0, 6))
    def append(self, number: int, taken: int) -> None:
        events = [new_event(self.number + each, received=self.now) for each in range(number)]
        self.number += number
        self.kept.update(seq for seq in news(self.store.append(events)) if seq is not None)
        self.take(taken)

    @rule(number=st.integers(2, 6))
    def take(self, number: int) -> None:
        for stored in self.store.read(self.ledger.taken, number, 2**30) if number else ():
            if self.ledger.take(stored.seq, 1):
                self.hand_over(stored.seq, None)

    @rule(passed=st.integers(0, 10))
    def try_again(self, passed: int) -> None:
        self.now += passed
        if (row := self.ledger.take_due(self.now)) is not None:
            self.hand_over(row.seq, row)

    @rule()
    def hand_over_again(self) -> None:
        if (row := self.ledger.take_again()) is not None:
            self.hand_over(row.seq, row)

    def hand_over(self, seq: int, row: Waiting | None) -> None:
        assert seq not in self.in_hand, "it is under way"
        assert seq not in self.done, "it is done with"
        self.owed.discard(seq)
        judged = row is None or (not row.attempts and row.replayed is None)
        if seq not in self.kept:
            self.ledger.settle(seq)
        elif judged and seq % 5 == 0:
            self.ledger.settle(seq)
            self.unwanted.add(seq)  # which the store is not told: it is judged again
        else:
            self.in_hand[seq] = row

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data(), hows=st.lists(st.sampled_from(HOWS), min_size=1, max_size=3))
    def settle(self, data: st.DataObject, hows: list[str]) -> None:
        for how in hows[: len(self.in_hand)]:
            self.settle_one(data.draw(st.sampled_from(sorted(self.in_hand))), how)

    def settle_one(self, seq: int, how: str) -> None:
        row = self.in_hand.pop(seq) or Waiting(seq)
        failed = attrs.evolve(row, attempts=row.attempts + 1, due=self.now + 5, since=self.now)
        if how == "made":
            self.deliver(seq, row)
        elif how == "failed":
            self.ledger.postpone(failed)
        elif how == "put off":
            self.ledger.postpone(attrs.evolve(row, attempts=max(1, row.attempts), due=self.now + 5))
        elif how == "put back":
            self.ledger.postpone(attrs.evolve(row, due=0.0))
        else:
            self.ledger.bury(attrs.evolve(failed, dead=True))
            self.done.add(seq)

    def deliver(self, seq: int, row: Waiting) -> None:
        self.ledger.settle(seq, Delivered(seq, self.now, row.attempts + 1))
        self.done.add(seq)

    @rule(number=st.integers(0, 6))
    def rewind(self, number: int) -> None:
        self.ledger.rewind()
        self.in_hand.clear()
        self.take(number)

    @rule(fails=st.booleans(), number=st.integers(1, 3))
    def save(self, fails: bool, number: int) -> None:
        """End to save what the last one has begun with, or begin."""
        if self.saving is None:
            progress = self.ledger.progress()
            if progress is None:
                self.look_for_what_is_asked(number)
            else:
                self.saving = progress, set(self.done)
            return
        progress, done = self.saving
        self.saving = None
        if fails:
            self.ledger.restore(progress)
            return
        self.store.save_progress([progress])
        self.done_on_disk = done
        self.asked -= set(progress.taken_up)
        self.look_for_what_is_asked(number)

    @rule()
    def save_at_once(self) -> None:
        for _ in range(2):
            self.save(fails=False, number=3)

    def look_for_what_is_asked(self, number: int) -> None:
        for row in self.store.asked(SINK, self.ledger.cursor, number):
            assert row.seq in self.asked
            if self.ledger.take_up(row):
                self.done.discard(row.seq)

    @rule(
        saved=st.booleans(),
        retired=st.sampled_from((False, False, True)),
        age=st.none() | st.integers(0, 10),
        number=st.integers(0, 6),
    )
    def die_and_come_back(self, saved: bool, retired: bool, age: int | None, number: int) -> None:
        if saved:
            self.save_at_once()
        if retired:
            self.store.open_sinks([])
            self.prune(age, retired=True)
        self.saving = None
        self.in_hand.clear()
        self.done = set(self.done_on_disk)
        self.ledger = Ledger.resume(SINK, self.store.open_sinks([SINK])[SINK])
        self.take(number)

    @rule(age=st.none() | st.integers(0, 10))
    def prune(self, age: int | None, *, retired: bool = False) -> None:
        if age is not None:
            self.store.prune(self.now - age, 3)
            left = {event.seq for event in self.store.read(0, 1000, 2**30)}
            removed = self.kept - left
            assert retired or removed <= (self.done_on_disk | self.unwanted) - self.asked
            self.kept -= removed
            self.asked -= removed

    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        if self.kept:
            seq = data.draw(st.sampled_from(sorted(self.kept)))
            ask_again(self.path, SINK, [seq])
            if seq not in self.asked:  # else it changes nothing
                self.asked.add(seq)
                self.owed.add(seq)

    @invariant()
    def nothing_under_way_is_passed_by_the_cursor(self) -> None:
        assert all(row is not None or seq > self.ledger.cursor for seq, row in self.in_hand.items())

    def all_is_handed_over_in_the_end(self) -> None:
        for _ in range(8 + len(self.kept)):
            self.now += 100
            self.take(1000)
            for again in (lambda: self.ledger.take_due(self.now), self.ledger.take_again):
                while (row := again()) is not None:
                    self.hand_over(row.seq, row)
            while self.in_hand:
                seq, row = self.in_hand.popitem()
                self.deliver(seq, row or Waiting(seq))
            self.save_at_once()
        assert self.kept <= self.done | self.unwanted
        assert not self.asked
        assert not self.owed & self.kept
        assert self.ledger.open_count == self.ledger.waiting_count == self.ledger.again_count == 0
        self.die_and_come_back(saved=False, retired=False, age=None, number=1000)
        assert not self.in_hand
        assert self.ledger.next_due is None


TestHandingOver = HandingOver.TestCase
TestHandingOver.settings = settings(max_examples=35, stateful_step_count=40)
