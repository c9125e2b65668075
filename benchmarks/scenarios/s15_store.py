"""A store with up to a million events in it: what is left of the rate, and how long a start takes."""

from __future__ import annotations

from benchmarks.brokers import Setting
from benchmarks.load import authors
from benchmarks.running import Broker
from benchmarks.scenario import GENERATOR, LOST, REFUSED, Measure, Plan, Sample, Scenario

#: How many events are in it.
SIZES = (0, 10_000, 100_000, 1_000_000)

_AT_ONCE = 64
_QUICK_SECONDS, _SECONDS = 0.5, 2.0

_LEFT = Measure("rate, 1,000,000 stored over none", "", "more", bound=0.9)
_GENERATOR = "generator"


def rate(stored: int) -> Measure:
    """Give the measure of the rate with so many events in the store."""
    return Measure(f"acknowledged, {stored:,} stored", "events/s", "more")


def start(stored: int) -> Measure:
    """Give the measure of the time to start with so many events in the store."""
    return Measure(f"until both ports accept, {stored:,} stored", "ms", "less")


def _run(broker: Broker, plan: Plan, stem: str) -> Sample:
    seconds = _QUICK_SECONDS if plan.quick else _SECONDS
    found = plan.call(authors.send, broker.author_port, broker.pid, stem, _AT_ONCE, seconds)
    stored = broker.setting.stored
    return {
        rate(stored).name: found.rate,
        start(stored).name: 1000 * broker.started_in,
        LOST.name: found.unanswered,
        REFUSED.name: found.refused,
        GENERATOR.name: 100 * found.generator,
    }


def _derive(sample: Sample) -> Sample:
    return {_LEFT.name: sample[rate(SIZES[-1]).name] / sample[rate(0).name]}


SCENARIO = Scenario(
    name="store",
    title=f"{_AT_ONCE} authors at a time, with up to {SIZES[-1]:,} events in the store",
    measures=(
        _LEFT,
        *(rate(size) for size in SIZES),
        *(start(size) for size in SIZES),
        LOST,
        REFUSED,
        GENERATOR,
    ),
    brokers=("voeflow",),
    run=_run,
    settings=tuple(Setting(name=f"{size}", stored=size) for size in SIZES),
    derive=_derive,
    quick=False,
    rounds=3,
)
