from __future__ import annotations

import pytest

from voeflow_transports.vtp._budget import Budget

SMALL = [b"x" * 500]


def test_what_ordinary_filters_take_is_free() -> None:
    budget = Budget(1.0)
    for now in range(1000):
        budget.charge("a", 0.015, budget.free(SMALL), float(now))
    assert budget.left("a", 1000.0) == 1.0


def test_what_is_beyond_that_is_had_back_in_an_hour() -> None:
    budget = Budget(1.0)
    budget.charge("a", 1.02, 0.02, 0.0)
    assert budget.left("a", 0.0) == 0.0
    assert budget.left("a", 1800.0) == pytest.approx(0.5)
    assert budget.left("a", 3600.0) == 1.0
    assert budget.left("b", 0.0) == 1.0


def test_a_network_is_proven_when_its_filters_were_asked_and_were_quick() -> None:
    budget = Budget(1.0)
    assert not budget.proven("a", 0.0)
    budget.charge("a", 0.01, 0.02, 0.0)
    assert budget.proven("a", 0.0)
    budget.charge("a", 0.03, 0.02, 0.0)
    assert not budget.proven("a", 0.0)


def test_no_batch_is_free_beyond_what_one_filter_may_take() -> None:
    assert Budget(1.0).free([b"x" * 2**20] * 64) == 1.0


def test_what_is_remembered_is_bounded() -> None:
    budget = Budget(1.0)
    for number in range(5000):
        budget.charge(str(number), 1.0, 0.0, 0.0)
    assert len(budget._accounts) == 4096
    assert budget.left("4999", 0.0) == 0.0
