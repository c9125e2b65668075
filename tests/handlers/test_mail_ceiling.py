from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voeflow_handlers import _ceiling as bounds
from voeflow_handlers._ceiling import WINDOW, Ceiling, Digest, Go, Hold, Told

NOON = 1_800_000_000.0


def filled(limit: int, held: int) -> Ceiling:
    """A ceiling under which `limit` mails went out at noon, and `held` were held back, a second apart."""
    ceiling = Ceiling(limit)
    for n in range(limit):
        assert ceiling.ask(f"sent-{n}", "", NOON) == Go()
    for n in range(held):
        assert ceiling.ask(f"held-{n}", f"line {n}", NOON + n) == Hold(WINDOW - n)
    return ceiling


def test_no_ceiling_lets_everything_go() -> None:
    ceiling = Ceiling(0)
    assert all(ceiling.ask(str(n), "", NOON) == Go() for n in range(1000))


def test_above_the_ceiling_deliveries_wait_for_the_end_of_the_hour() -> None:
    ceiling = filled(2, 1)
    assert ceiling.ask("held-0", "", NOON + 600) == Hold(WINDOW - 600)


def test_the_first_handed_again_after_the_hour_is_the_digest_of_all() -> None:
    ceiling = filled(2, 3)
    digest = ceiling.ask("held-1", "", NOON + WINDOW)
    assert digest == Digest(
        ("held-0", "held-1", "held-2"), ["line 0", "line 1", "line 2"], since=NOON, until=NOON + 2
    )
    ceiling.told(digest)
    assert [ceiling.ask(f"held-{n}", "", NOON + WINDOW) for n in range(3)] == [Told()] * 3


def test_while_a_digest_is_on_its_way_the_others_wait() -> None:
    ceiling = filled(1, 2)
    assert isinstance(ceiling.ask("held-0", "", NOON + WINDOW), Digest)
    assert ceiling.ask("held-1", "", NOON + WINDOW) == Hold(bounds._MEANWHILE)


def test_a_digest_that_did_not_go_out_is_tried_by_the_next() -> None:
    ceiling = filled(1, 2)
    first = ceiling.ask("held-0", "", NOON + WINDOW)
    assert isinstance(first, Digest)
    ceiling.untold(first)
    assert ceiling.ask("held-1", "", NOON + WINDOW + 60) == first


def test_a_new_hour_has_a_new_count() -> None:
    ceiling = filled(2, 1)
    later = NOON + WINDOW
    assert [ceiling.ask(f"new-{n}", "", later) for n in range(3)] == [Go(), Go(), Hold(WINDOW)]


def test_what_the_next_hour_holds_back_is_not_in_the_digest_of_the_first() -> None:
    ceiling = filled(1, 1)
    later = NOON + WINDOW
    assert ceiling.ask("new", "", later) == Go()
    assert ceiling.ask("held-later", "", later) == Hold(WINDOW)
    digest = ceiling.ask("held-0", "", later + 1)
    assert isinstance(digest, Digest)
    assert digest.ids == ("held-0",)


def test_a_mail_that_did_not_go_out_does_not_count() -> None:
    ceiling = filled(2, 0)
    ceiling.unsent()
    assert ceiling.ask("again", "", NOON) == Go()
    assert ceiling.ask("more", "", NOON) == Hold(WINDOW)


def test_a_clock_that_is_set_back_holds_nothing_for_longer_than_an_hour() -> None:
    ceiling = filled(1, 1)
    past = NOON - 100 * WINDOW
    assert isinstance(ceiling.ask("held-0", "", past), Digest)
    assert ceiling.ask("new", "", past) == Go()


def test_what_is_remembered_is_bounded() -> None:
    ceiling = filled(1, 0)
    for n in range(bounds.HELD_MAX + 10):
        ceiling.ask(f"held-{n}", f"line {n}", NOON)
    digest = ceiling.ask("held-0", "", NOON + WINDOW)
    assert isinstance(digest, Digest)
    assert len(digest.ids) == bounds.HELD_MAX
    assert len(digest.lines) == bounds.LINES_MAX
    assert ceiling.ask(f"held-{bounds.HELD_MAX}", "", NOON + WINDOW) == Go()  # as good as new


@given(st.integers(1, 5), st.lists(st.floats(0, 3 * WINDOW), min_size=1, max_size=60))
def test_every_delivery_is_mailed_or_in_exactly_one_digest_and_no_hour_has_too_many(
    limit: int, arrivals: list[float]
) -> None:
    ceiling = Ceiling(limit)
    due = sorted((NOON + after, str(n)) for n, after in enumerate(arrivals))
    mailed: list[tuple[float, str]] = []
    digests: list[str] = []
    done: list[str] = []
    while due:
        now, delivery = due.pop(0)
        match ceiling.ask(delivery, delivery, now):
            case Go():
                mailed.append((now, delivery))
                done.append(delivery)
            case Hold(seconds):
                assert 0 < seconds <= WINDOW
                due = sorted([*due, (now + seconds, delivery)])
            case Digest() as digest:
                ceiling.told(digest)
                digests += digest.ids
                assert ceiling.ask(delivery, "", now) == Told()
                done.append(delivery)
            case Told():
                done.append(delivery)
    assert sorted(done) == sorted(str(n) for n in range(len(arrivals)))
    assert sorted([*digests, *(delivery for _, delivery in mailed)]) == sorted(done)
    times = [now for now, _ in mailed]
    # two windows may touch: within any hour there are at most two ceilings' worth
    assert all(sum(begin <= t < begin + WINDOW for t in times) <= 2 * limit for begin in times)
