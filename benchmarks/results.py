"""What was measured: medians, ratios, whether goals were reached, and the whole for programs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import attrs

from benchmarks.brokers import Kind
from benchmarks.scenario import FAULTS, NOISE, Measure, Sample, Scenario

#: Which brokers the ratios are to, and which is ours.
PEER, LIMIT, OURS = "comet", "limit", "voeflow"

#: How much of a processor other programs may have had while a scenario ran, if it is to be worth keeping.
BUSY = 0.1

Verdict = Literal["reached", "within noise", "not reached"]


@attrs.frozen
class Goal:
    """A goal, and how near it voeflow came.

    Attributes:
        over: whose number voeflow's is divided by; "" for the number itself.
        at: the ratio or number that is aimed at.
        value: what was measured.
        verdict: whether it was reached.
    """

    over: str
    at: float
    value: float
    verdict: Verdict


@attrs.frozen
class Outcome:
    """What one scenario gave.

    Attributes:
        scenario: which.
        samples: by broker, one for each round.
        others: how much of a processor other programs had meanwhile, 1 being one processor all the time.
        lasted: how long all of it took, in seconds.
    """

    scenario: Scenario
    samples: Mapping[str, Sequence[Sample]]
    others: float = 0.0
    lasted: float = 0.0

    def median(self, broker: str, measure: Measure) -> float:
        """Give the median over the rounds; the sum for what must be nought; NaN where not measured."""
        values = [sample[measure.name] for sample in self.samples.get(broker, ()) if measure.name in sample]
        if not values:
            return math.nan
        return sum(values) if measure.name in FAULTS else statistics.median(values)

    def ratio(self, measure: Measure, over: str) -> float:
        """Give voeflow's median over another's; not a number where there is none."""
        other = self.median(over, measure)
        return self.median(OURS, measure) / other if measure.better and other else math.nan

    def goals(self, measure: Measure) -> list[Goal]:
        """Give the goals of a measure that could be looked at."""
        found = []
        for over, at in ((PEER, measure.goal), (LIMIT, measure.limit_goal), ("", measure.bound)):
            value = self.ratio(measure, over) if over else self.median(OURS, measure)
            if at is not None and not math.isnan(value):
                found.append(Goal(over, at, value, _verdict(measure, at, value)))
        return found

    def faults(self) -> list[str]:
        """Say what voeflow lost, refused or did not send on."""
        found = [measure for measure in self.scenario.measures if measure.name in FAULTS]
        numbers = [(measure.name, self.median(OURS, measure)) for measure in found]
        return [f"{self.scenario.name}: {number:.0f} {name}" for name, number in numbers if number > 0]


def _verdict(measure: Measure, at: float, value: float) -> Verdict:
    more = measure.better == "more"
    if value >= at if more else value <= at:
        return "reached"
    near = value >= at * (1 - measure.noise) if more else value <= at * (1 + measure.noise)
    return "within noise" if near else "not reached"


def same(measure: Measure, ratio: float) -> bool:
    """Whether a ratio tells two numbers apart no more than noise does."""
    return 1 / (1 + measure.noise) < ratio < 1 + measure.noise


def as_json(
    outcomes: Sequence[Outcome], kinds: Sequence[Kind], about: Mapping[str, object]
) -> dict[str, Any]:
    """Give everything that was measured, for programs."""
    return {
        **about,
        "brokers": {kind.name: kind.about for kind in kinds},
        "noise": NOISE,
        "scenarios": {outcome.scenario.name: _scenario(outcome) for outcome in outcomes},
    }


def _scenario(outcome: Outcome) -> dict[str, Any]:
    return {
        "title": outcome.scenario.title,
        "others": round(outcome.others, 3),
        "lasted": round(outcome.lasted, 1),
        "measures": {measure.name: _measure(outcome, measure) for measure in outcome.scenario.measures},
    }


def _measure(outcome: Outcome, measure: Measure) -> dict[str, Any]:
    ratios = {over: outcome.ratio(measure, over) for over in (PEER, LIMIT)}
    return {
        "unit": measure.unit,
        "better": measure.better,
        "noise": measure.noise,
        "medians": {broker: _number(outcome.median(broker, measure)) for broker in outcome.samples},
        "samples": {
            broker: [_number(sample[measure.name]) for sample in samples if measure.name in sample]
            for broker, samples in outcome.samples.items()
        },
        "ratios": {
            over: {"value": _number(ratio), "same": same(measure, ratio)}
            for over, ratio in ratios.items()
            if not math.isnan(ratio)
        },
        "goals": [attrs.asdict(goal) for goal in outcome.goals(measure)],
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
