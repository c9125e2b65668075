"""What was measured: medians, ratios, the table and the JSON."""

from __future__ import annotations

import math
import os
import platform
import statistics
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
from rich.table import Table

from benchmarks.brokers import Kind
from benchmarks.scenario import FAULTS, Measure, Sample, Scenario

#: Two numbers that differ by less than this share are not told apart on a machine that does other things too.
NOISE = 0.15

#: Which broker the ratios are to, and which is ours.
_PEER, _OURS = "comet", "voeflow"


@attrs.frozen
class Outcome:
    """What one scenario gave.

    Attributes:
        scenario: which.
        samples: by broker, one for each round.
    """

    scenario: Scenario
    samples: Mapping[str, Sequence[Sample]]

    def median(self, broker: str, measure: Measure) -> float:
        """Give the median over the rounds; the sum for what must be nought; NaN where not measured."""
        values = [sample[measure.name] for sample in self.samples.get(broker, ())]
        if not values:
            return math.nan
        return sum(values) if measure.name in FAULTS else statistics.median(values)

    def ratio(self, measure: Measure) -> float:
        """Give voeflow's median over Comet's; not a number where there is none."""
        peer = self.median(_PEER, measure)
        return self.median(_OURS, measure) / peer if measure.better and peer else math.nan

    def reached(self, measure: Measure) -> bool | None:
        """Say whether the goal of a measure was reached; None where it has none, or it was not measured."""
        if measure.bound is not None:
            mine = self.median(_OURS, measure)
            return None if math.isnan(mine) else mine <= measure.bound
        ratio = self.ratio(measure)
        if measure.goal is None or math.isnan(ratio):
            return None
        return ratio >= measure.goal if measure.better == "more" else ratio <= measure.goal

    def faults(self) -> list[str]:
        """Say what voeflow lost, refused or did not send on."""
        found = [measure for measure in self.scenario.measures if measure.name in FAULTS]
        numbers = [(measure.name, self.median(_OURS, measure)) for measure in found]
        return [f"{self.scenario.name}: {number:.0f} {name}" for name, number in numbers if number > 0]

    def table(self) -> Table:
        """Give the table that people read."""
        brokers = list(self.samples)
        table = Table(
            title=f"{self.scenario.name}: {self.scenario.title}", title_justify="left", min_width=90
        )
        table.add_column("measure")
        for broker in brokers:
            table.add_column(broker, justify="right")
        table.add_column("voeflow / comet", justify="right")
        table.add_column("goal")
        for measure in self.scenario.measures:
            unit = f" ({measure.unit})" if measure.unit else ""
            numbers = [_show(self.median(broker, measure)) for broker in brokers]
            goal = _show_goal(measure, self.reached(measure))
            table.add_row(measure.name + unit, *numbers, _show_ratio(self.ratio(measure)), goal)
        return table


def as_json(
    outcomes: Sequence[Outcome], kinds: Sequence[Kind], about: Mapping[str, object]
) -> dict[str, Any]:
    """Give everything that was measured, for programs."""
    return {
        **about,
        "brokers": {kind.name: kind.about for kind in kinds},
        "noise": NOISE,
        "scenarios": {
            outcome.scenario.name: {
                "title": outcome.scenario.title,
                "measures": {
                    measure.name: {
                        "unit": measure.unit,
                        "better": measure.better,
                        "medians": {
                            broker: _number(outcome.median(broker, measure)) for broker in outcome.samples
                        },
                        "samples": {
                            broker: [_number(sample[measure.name]) for sample in samples]
                            for broker, samples in outcome.samples.items()
                        },
                        "ratio": _number(outcome.ratio(measure)),
                        "goal_ratio": measure.goal,
                        "goal_bound": measure.bound,
                        "reached": outcome.reached(measure),
                    }
                    for measure in outcome.scenario.measures
                },
            }
            for outcome in outcomes
        },
    }


def about_machine(directory: Path) -> dict[str, object]:
    """Give what a reader has to know of the machine: what a synchronous write costs, how busy it is."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "directory": str(directory),
        "file_system": _file_system(directory),
        "fsync_ms": round(1000 * _fsync(directory), 3),
    }


def _file_system(directory: Path) -> str:
    """Give the type of the file system that a directory is on; `tmpfs` would make durability free."""
    real = directory.resolve()
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, point, found, *_ = line.split()
        if real.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, found
    return kind


def _fsync(directory: Path) -> float:
    """Give the median time of a write of 5 kB that is on disk when it returns, in seconds."""
    path = directory / f"fsync-{os.getpid()}"
    took = []
    with path.open("wb") as file:
        for _ in range(50):
            begun = time.perf_counter()
            file.write(bytes(5000))
            file.flush()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - begun)
    path.unlink()
    return statistics.median(took)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)


def _show(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"


def _show_ratio(ratio: float) -> str:
    if math.isnan(ratio):
        return ""
    same = 1 / (1 + NOISE) < ratio < 1 + NOISE
    return f"{ratio:.2f} x" + (" (the same)" if same else "")


def _show_goal(measure: Measure, reached: bool | None) -> str:
    if measure.bound is not None:
        goal = f"at most {measure.bound:g} {measure.unit}"
    elif measure.goal is not None:
        goal = f"at {'least' if measure.better == 'more' else 'most'} {measure.goal:g} x"
    else:
        return ""
    return goal + {True: ": reached", False: ": [bold]not reached[/]", None: ""}[reached]
