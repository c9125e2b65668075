from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voeflow_transports.kafka._offsets import Offsets


def test_nothing_is_due_before_anything_is_done() -> None:
    offsets = Offsets()
    offsets.begin(7)
    assert offsets.due(None) is None


def test_what_is_done_out_of_order_waits_for_what_came_before_it() -> None:
    offsets = Offsets()
    first, second = offsets.begin(7), offsets.begin(9)  # 8 is a gap, as compaction leaves them
    second.done = True
    assert offsets.due(None) is None
    first.done = True
    assert offsets.due(None) == 10


def test_what_was_committed_is_not_due_again() -> None:
    offsets = Offsets()
    offsets.begin(7).done = True
    offsets.committed = 8
    assert offsets.due(None) is None


def test_a_commit_that_failed_is_due_again_with_all_that_was_done_since() -> None:
    offsets = Offsets()
    offsets.begin(7).done = True
    assert offsets.due(None) == 8
    offsets.begin(8).done = True
    offsets.committed = -1
    assert offsets.due(None) == 9


def test_a_beginning_that_could_not_be_committed_is_due_again_though_nothing_came() -> None:
    offsets = Offsets(committed=7, next=7)
    assert offsets.due(None) is None
    offsets.committed = -1
    assert offsets.due(None) == 7


def test_what_is_stored_waits_to_be_delivered_where_that_counts() -> None:
    offsets = Offsets()
    place = offsets.begin(7)
    place.done, place.position = True, 3
    assert offsets.due(2) is None
    assert offsets.waits
    assert offsets.due(3) == 8
    assert not offsets.waits


@given(st.integers(0, 30).flatmap(lambda n: st.permutations(range(n))), st.integers(0, 30))
def test_the_offset_due_is_that_of_the_first_which_is_not_done(order: list[int], number: int) -> None:
    offsets = Offsets()
    places = [offsets.begin(offset) for offset in range(len(order))]
    for index in order[:number]:
        places[index].done = True
    undone = [place.offset for place in places if not place.done]
    first = undone[0] if undone else len(places)
    assert offsets.due(None) == (first if first > 0 else None)
    assert len(offsets) == len(places) - first
