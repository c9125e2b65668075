"""From one subscriber to some hundred: how the time to the last grows, and what an event costs."""

from __future__ import annotations

from benchmarks.running import Broker
from benchmarks.scenario import GENERATOR, MISSING, Plan, Sample, Scenario
from benchmarks.to_the_last import last, measure, work

#: Those of 1,000 and 4,000 have scenarios of their own.
SIZES = (1, 4, 16, 64, 256)

_EVENTS = (8, 20)
_PAUSE = 0.05


def _run(broker: Broker, plan: Plan, stem: str) -> Sample:
    found: Sample = {GENERATOR.name: 0.0, MISSING.name: 0.0}
    for size in SIZES:
        sample, _ = measure(broker, plan, f"{stem}-{size}", size, _EVENTS, _PAUSE)
        found[GENERATOR.name] += sample.pop(GENERATOR.name) / len(SIZES)
        found[MISSING.name] += sample.pop(MISSING.name)
        found |= sample
    return found


SCENARIO = Scenario(
    name="crowds",
    title=f"one event to {', '.join(map(str, SIZES))} subscribers, receipts included",
    measures=(*(last(size) for size in SIZES), *(work(size) for size in SIZES), MISSING, GENERATOR),
    brokers=("comet", "limit", "voeflow"),
    run=_run,
    rounds=3,
    quick=False,
)
