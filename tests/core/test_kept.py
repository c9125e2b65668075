from __future__ import annotations

import threading

from voeflow._kept import Kept


class Thing:
    def __init__(self, barrier: threading.Barrier | None = None) -> None:
        self.asked = 0
        self.barrier = barrier

    @Kept
    def fact(self) -> int:
        """A fact."""
        self.asked += 1
        if self.barrier is not None:
            self.barrier.wait(timeout=60)
        return self.asked


def test_a_fact_is_worked_out_once_for_each_object() -> None:
    one, other = Thing(), Thing()
    assert (one.fact, one.fact, other.fact) == (1, 1, 1)
    assert Thing.fact.__doc__ == "A fact."


def test_threads_work_out_the_facts_of_two_objects_at_the_same_time() -> None:
    barrier = threading.Barrier(2)
    things = [Thing(barrier), Thing(barrier)]
    threads = [threading.Thread(target=lambda thing=thing: thing.fact) for thing in things]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not barrier.broken
    assert [thing.asked for thing in things] == [1, 1]
