"""From an author's first byte to a subscriber's last, at a pace that no broker minds."""

from __future__ import annotations

from benchmarks.load import subscribers
from benchmarks.running import Broker
from benchmarks.scenario import GENERATOR, MISSING, PACED_NOISE, Measure, Plan, Sample, Scenario, at

_EVENTS_A_SECOND = 20
_QUICK_EVENTS, _EVENTS = 10, 100

_MEDIAN = Measure("author to subscriber, p50", "ms", "less", goal=0.75, noise=PACED_NOISE)
_SLOWEST = Measure("author to subscriber, p99", "ms", "less", goal=0.75, noise=PACED_NOISE)


def _run(broker: Broker, plan: Plan, stem: str) -> Sample:
    found = plan.call(
        subscribers.send,
        broker.author_port,
        broker.subscriber_port,
        broker.pid,
        stem,
        subscribers=1,
        events=_QUICK_EVENTS if plan.quick else _EVENTS,
        pause=1 / _EVENTS_A_SECOND,
    )
    return {
        _MEDIAN.name: 1000 * at(0.5, found.lasts),
        _SLOWEST.name: 1000 * at(0.99, found.lasts),
        MISSING.name: found.missing,
        GENERATOR.name: 100 * found.generator,
    }


SCENARIO = Scenario(
    name="latency",
    title=f"one author, one subscriber, {_EVENTS_A_SECOND} events a second",
    measures=(_MEDIAN, _SLOWEST, MISSING, GENERATOR),
    brokers=("comet", "limit", "voeflow"),
    run=_run,
    rounds=3,
)
