"""500 subscribers against none: what each costs in memory."""

from __future__ import annotations

from benchmarks.load import idle
from benchmarks.running import Broker
from benchmarks.scenario import Measure, Plan, Sample, Scenario

_SUBSCRIBERS = 500

_EACH = Measure("memory a subscriber", "kB", "less", bound=16.0)


def _run(broker: Broker, plan: Plan, _: str) -> Sample:
    before, after = plan.call(idle.hold, broker.subscriber_port, broker.pid, _SUBSCRIBERS)
    return {_EACH.name: 1000 * (after - before) / _SUBSCRIBERS}


SCENARIO = Scenario(
    name="memory",
    title=f"{_SUBSCRIBERS} subscribers against none",
    measures=(_EACH,),
    brokers=("comet", "limit", "voeflow"),
    run=_run,
    fresh=True,
    quick=False,
    rounds=3,
)
