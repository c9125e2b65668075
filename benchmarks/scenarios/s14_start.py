"""From the start of the process until both ports accept, and what it holds in memory then."""

from __future__ import annotations

import time

from benchmarks.load.idle import SETTLED
from benchmarks.processes import memory
from benchmarks.running import Broker
from benchmarks.scenario import Measure, Plan, Sample, Scenario

_START = Measure("until both ports accept", "ms", "less", bound=350.0)
_MEMORY = Measure("idle memory (PSS)", "MB", "less", bound=60.0)


def _run(broker: Broker, _: Plan, __: str) -> Sample:
    time.sleep(SETTLED)
    return {_START.name: 1000 * broker.started_in, _MEMORY.name: memory(broker.pid)}


SCENARIO = Scenario(
    name="start",
    title="start, and memory when idle",
    measures=(_START, _MEMORY),
    brokers=("comet", "limit", "voeflow"),
    run=_run,
    fresh=True,
)
