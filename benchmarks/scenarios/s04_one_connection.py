"""Many events on one author connection, the next sent before the last is acknowledged; Comet takes one."""

from __future__ import annotations

from benchmarks.load import one_author
from benchmarks.running import Broker
from benchmarks.scenario import GENERATOR, LOST, REFUSED, Measure, Plan, Sample, Scenario

_QUICK_SECONDS, _SECONDS = 0.5, 2.0

_RATE = Measure("acknowledged", "events/s", "more", limit_goal=0.8)
_WORK = Measure("processor an event", "ms", "less")


def _run(broker: Broker, plan: Plan, stem: str) -> Sample:
    seconds = _QUICK_SECONDS if plan.quick else _SECONDS
    found = plan.call(one_author.send, broker.author_port, broker.pid, stem, seconds)
    return {
        _RATE.name: found.rate,
        _WORK.name: 1000 * found.broker,
        LOST.name: found.unanswered,
        REFUSED.name: found.refused,
        GENERATOR.name: 100 * found.generator,
    }


SCENARIO = Scenario(
    name="one-connection",
    title="many events on one author connection, pipelined",
    measures=(_RATE, _WORK, LOST, REFUSED, GENERATOR),
    brokers=("limit", "voeflow"),
    run=_run,
)
