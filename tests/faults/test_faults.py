"""Each promise that `make faults` proves at length, in its short form."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.cases import CASES, short
from faults.ground import Ground

#: So that a failure here comes again.
SEED = 20261124


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_what_was_acknowledged_reaches_every_sink(tmp_path: Path, name: str) -> None:
    with Ground(tmp_path) as ground:
        rows = CASES[name](ground, short(SEED))
        assert ground.bugs() == []
    assert rows
    assert [each for row in rows for each in row.broken] == []
