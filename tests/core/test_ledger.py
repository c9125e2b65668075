"""What a sink has still to do survives a restart, whatever happened in between."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from voeflow._ledger import Ledger
from voeflow._store_records import Delivered, Progress, SinkState, Waiting


def waiting(seq: int, due: float = 5.0, attempts: int = 1) -> Waiting:
    return Waiting(seq, attempts, due=due, reason="down")


def test_the_cursor_stays_before_the_oldest_open_delivery() -> None:
    ledger = Ledger("s", 0)
    for seq in (1, 2, 3):
        ledger.take(seq)

    ledger.settle(2)
    assert ledger.cursor == 0
    ledger.settle(1)
    assert ledger.cursor == 2
    ledger.settle(3)
    assert ledger.cursor == 3


def test_a_failed_delivery_lets_the_cursor_pass() -> None:
    ledger = Ledger("s", 0)
    ledger.take(1)
    ledger.postpone(waiting(1))

    assert ledger.cursor == 1
    progress = ledger.progress()
    assert progress == Progress("s", 1, [waiting(1)], [])


def test_nothing_new_is_nothing_to_write() -> None:
    ledger = Ledger("s", 7)

    assert ledger.progress() is None
    ledger.take(8)
    assert ledger.progress() is None  # taken, and still open


def test_a_waiting_delivery_is_taken_when_it_is_due_and_only_once() -> None:
    ledger = Ledger("s", 0)
    ledger.take(1)
    ledger.postpone(waiting(1, due=5))

    assert ledger.take_due(4.9) is None
    assert ledger.next_due == 5
    assert ledger.take_due(5) == waiting(1, due=5)
    assert ledger.take_due(5) is None


def test_due_deliveries_come_in_the_order_of_their_times() -> None:
    ledger = Ledger("s", 0)
    for seq, due in ((1, 9.0), (2, 3.0), (3, 6.0)):
        ledger.take(seq)
        ledger.postpone(waiting(seq, due=due))

    taken = [ledger.take_due(10.0) for _ in range(3)]
    assert [row.seq for row in taken if row] == [2, 3, 1]


def test_a_later_time_replaces_an_earlier_one() -> None:
    ledger = Ledger("s", 0)
    ledger.take(1)
    ledger.postpone(waiting(1, due=5))
    ledger.postpone(waiting(1, due=8, attempts=2))

    assert ledger.take_due(5) is None
    assert ledger.take_due(8) == waiting(1, due=8, attempts=2)


def test_a_dead_letter_is_written_and_no_longer_waits() -> None:
    ledger = Ledger("s", 0)
    ledger.take(1)
    dead = attrs.evolve(waiting(1), dead=True)
    ledger.bury(dead)

    assert ledger.waiting_count == 0
    assert ledger.progress() == Progress("s", 1, [dead], [])


def test_what_is_open_is_taken_again_after_a_rewind() -> None:
    ledger = Ledger("s", 0)
    for seq in (1, 2, 3):
        ledger.take(seq)
    ledger.settle(1)
    ledger.rewind()

    assert ledger.taken == 1
    ledger.take(2)
    assert ledger.open_count == 1


def test_a_retry_under_way_is_due_again_after_a_rewind() -> None:
    ledger = Ledger("s", 0)
    ledger.take(1)
    ledger.postpone(waiting(1, due=5))
    ledger.take_due(6)
    ledger.rewind()

    assert ledger.take_due(6) == waiting(1, due=5)


def test_what_could_not_be_written_is_given_again() -> None:
    ledger = Ledger("s", 0)
    ledger.take(1)
    ledger.postpone(waiting(1))
    lost = ledger.progress()
    assert lost is not None
    ledger.restore(lost)

    assert ledger.progress() == lost


def test_events_are_taken_in_order() -> None:
    ledger = Ledger("s", 5)
    with pytest.raises(AssertionError):
        ledger.take(5)


def asked(seq: int, attempts: int = 0) -> Waiting:
    return Waiting(seq, attempts, replayed=attempts)


def at(cursor: int) -> Ledger:
    """Give a ledger that is done with all up to `cursor`."""
    return Ledger("s", cursor)


def test_what_is_taken_up_waits_for_a_quiet_moment_in_the_order_it_came() -> None:
    ledger = at(9)
    assert ledger.take_up(asked(3))
    assert ledger.take_up(asked(7))

    assert (ledger.again_count, ledger.waiting_count, ledger.next_due) == (2, 0, None)
    assert ledger.take_due(1e9) is None
    assert ledger.take_again() == asked(3)
    assert ledger.take_again() == asked(7)
    assert ledger.take_again() is None
    assert (ledger.again_count, ledger.waiting_count, ledger.open_count) == (0, 2, 2)


def test_what_was_delivered_is_written_once_and_again_where_that_failed() -> None:
    ledger = Ledger("s", 0)
    for seq in (1, 2, 3):
        ledger.take(seq)
    ledger.settle(2, Delivered(2, 1000.0, 1))
    ledger.settle(1)

    assert ledger.unsaved_count == 1
    progress = ledger.progress()
    assert progress == Progress("s", 2, [], [], delivered=(Delivered(2, 1000.0, 1),))
    assert ledger.unsaved_count == 1, "it may be written or not"
    ledger.settle(3, Delivered(3, 1001.0, 2))
    ledger.restore(progress)
    assert ledger.unsaved_count == 2
    assert ledger.progress() == Progress(
        "s", 3, [], [], delivered=(Delivered(2, 1000.0, 1), Delivered(3, 1001.0, 2))
    )
    assert (ledger.progress(), ledger.unsaved_count) == (None, 0)


def test_what_is_taken_up_is_written_with_what_it_was_taken_from() -> None:
    ledger = at(9)
    ledger.take_up(asked(3))

    progress = ledger.progress()
    assert progress == Progress("s", 9, [asked(3)], [], taken_up=(3,))
    assert ledger.progress() is None
    ledger.restore(progress)
    assert ledger.progress() == progress


def test_what_is_taken_up_and_done_before_it_was_written_is_asked_for_no_more() -> None:
    ledger = at(9)
    ledger.take_up(asked(3))
    ledger.take_again()
    ledger.settle(3)

    assert ledger.progress() == Progress("s", 9, [], [3], taken_up=(3,))
    assert ledger.open_count == 0


def test_a_retry_that_is_asked_for_is_made_at_once_and_its_failures_count_no_more() -> None:
    ledger = at(9)
    ledger.postpone(waiting(3, due=1000, attempts=4))
    ledger.take_up(asked(3))

    assert ledger.next_due is None
    row = ledger.take_again()
    assert row is not None
    assert (row.attempts, row.failures) == (4, 0)


def test_what_is_under_way_is_not_handed_over_again_for_the_time_that_it_waited_for_before() -> None:
    ledger = at(9)
    ledger.postpone(waiting(3, due=5))
    ledger.take_up(asked(3))
    row = ledger.take_again()
    assert row is not None
    ledger.postpone(attrs.evolve(row, due=5))  # the same time once more

    assert ledger.take_due(5) is not None
    assert (ledger.take_due(5), ledger.next_due) == (None, None)


def test_what_was_put_back_and_is_asked_for_is_handed_over_once() -> None:
    ledger = at(9)
    ledger.postpone(Waiting(3, due=0.0))
    ledger.take_up(asked(3))

    assert ledger.take_again() is not None
    assert (ledger.take_due(5), ledger.take_again()) == (None, None)


def test_what_is_under_way_stays_asked_for() -> None:
    ledger = at(9)
    ledger.postpone(waiting(3))
    ledger.take_due(5)

    assert not ledger.take_up(asked(3))
    ledger.settle(3)
    assert ledger.take_up(asked(3))


def test_what_was_taken_up_is_so_after_a_restart_and_a_rewind() -> None:
    ledger = Ledger.resume("s", SinkState(9, [asked(3), waiting(4, due=5)]))
    assert (ledger.again_count, ledger.waiting_count) == (1, 1)

    assert ledger.take_again() == asked(3)
    ledger.rewind()
    assert ledger.take_again() == asked(3)
    assert ledger.take_due(5) == waiting(4, due=5)


class Restarts(RuleBasedStateMachine):
    """A sink that dies at any moment has, after the restart, every event that it was not done with."""

    opened = Bundle("opened")

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger("s", 0)
        self.saved = SinkState(0, [])
        self.given = 0
        self.done: set[int] = set()  # settled or dead
        self.now = 0.0
        self.asked: set[int] = set()  # of the store
        self.owed: set[int] = set()  # asked for, and not delivered since
        self.taken_up: set[int] = set()  # of these, what the sink knows of

    @rule(target=opened)
    def take(self) -> int:
        self.given = self.ledger.taken + 1
        self.ledger.take(self.given)
        return self.given

    @rule(seq=consumes(opened))
    def settle(self, seq: int) -> None:
        self.ledger.settle(seq)
        self.done.add(seq)
        self.close(seq)

    @rule(seq=consumes(opened), wait=st.floats(0, 10))
    def postpone(self, seq: int, wait: float) -> None:
        self.ledger.postpone(waiting(seq, due=self.now + wait))

    @rule(seq=consumes(opened))
    def bury(self, seq: int) -> None:
        self.ledger.bury(attrs.evolve(waiting(seq), dead=True))
        self.done.add(seq)
        self.close(seq)

    def close(self, seq: int) -> None:
        if seq in self.taken_up:
            self.taken_up.remove(seq)
            self.owed.discard(seq)

    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        if self.given:
            seq = data.draw(st.integers(1, self.given))
            if seq not in self.asked:  # else it changes nothing
                self.asked.add(seq)
                self.owed.add(seq)

    @rule(number=st.integers(1, 3))
    def take_up(self, number: int) -> None:
        self.save()
        for seq in sorted(seq for seq in self.asked if seq <= self.ledger.cursor)[:number]:
            if self.ledger.take_up(asked(seq)):
                self.taken_up.add(seq)

    @rule(target=opened)
    def hand_again(self) -> object:
        row = self.ledger.take_again()
        return row.seq if row is not None else multiple()

    @rule(target=opened, passed=st.floats(0, 10))
    def retry(self, passed: float) -> object:
        self.now += passed
        row = self.ledger.take_due(self.now)
        return row.seq if row is not None else multiple()

    @rule()
    def save(self) -> None:
        progress = self.ledger.progress()
        if progress is not None:
            rows = {row.seq: row for row in self.saved.waiting}
            for seq in progress.settled:
                rows.pop(seq, None)
            for row in progress.waiting:
                rows.pop(row.seq, None)
                if not row.dead:
                    rows[row.seq] = row
            self.saved = SinkState(progress.cursor, list(rows.values()))
            self.asked -= set(progress.taken_up)

    @rule()
    def fail_to_save(self) -> None:
        progress = self.ledger.progress()
        if progress is not None:
            self.ledger.restore(progress)

    @invariant()
    def nothing_is_lost(self) -> None:
        to_come = set(range(self.saved.cursor + 1, self.given + 1))
        remembered = to_come | {row.seq for row in self.saved.waiting}
        assert set(range(1, self.given + 1)) - self.done <= remembered
        assert self.owed <= self.asked | {row.seq for row in self.saved.waiting}


TestRestarts = Restarts.TestCase
TestRestarts.settings = settings(max_examples=60, stateful_step_count=30)


def test_all_is_settled_up_to_what_is_open_or_waits() -> None:
    ledger = at(0)
    for seq in (1, 2, 3, 4):
        ledger.take(seq)
    assert ledger.settled_up_to == 0

    for seq in (1, 3, 4):
        ledger.settle(seq)
    ledger.postpone(waiting(2))
    assert (ledger.cursor, ledger.settled_up_to) == (4, 1)

    ledger.bury(attrs.evolve(waiting(2), dead=True))
    assert ledger.settled_up_to == 4


def test_what_was_settled_stays_so_while_it_is_handed_over_again() -> None:
    ledger = at(9)
    ledger.take_up(asked(3))

    assert ledger.settled_up_to == 9


def test_what_waits_and_is_asked_for_again_is_not_settled() -> None:
    ledger = Ledger.resume("s", SinkState(9, [waiting(3)]))
    ledger.take_up(asked(3))
    assert ledger.settled_up_to == 2

    ledger.take_again()
    ledger.settle(3)
    assert ledger.settled_up_to == 9
