"""Each promise that `make faults` proves at length, in its short form."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from faults.cases import CASES, short
from faults.ground import Ground
from faults.outcome import Row

#: So that a failure here comes again.
SEED = 20261124

#: These wait more than they work, and are played at one time.
WAITING = ("cluster", "kafka")

#: These compare times.
TIMED = ("crowd", "flood", "large")


@pytest.mark.slow
@pytest.mark.parametrize(
    "names",
    [
        *(pytest.param((name,), marks=pytest.mark.alone) for name in TIMED),
        *((name,) for name in CASES if name not in (*TIMED, *WAITING)),
        WAITING,
    ],
    ids="+".join,
)
def test_what_was_acknowledged_reaches_every_sink(tmp_path: Path, names: Sequence[str]) -> None:
    with ThreadPoolExecutor() as pool:
        played = [pool.submit(play, name, tmp_path / name) for name in names]
    rows = [row for each in played for row in each.result()]
    assert rows
    assert [each for row in rows for each in row.broken] == []


def play(name: str, directory: Path) -> Sequence[Row]:
    directory.mkdir()
    with Ground(directory) as ground:
        rows = CASES[name](ground, short(SEED))
        assert ground.bugs() == []
    return rows
