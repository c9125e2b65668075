"""To many subscribers: when the last has the event, and what an event costs the broker in all."""

from __future__ import annotations

from benchmarks.brokers import Broker
from benchmarks.load import subscribers
from benchmarks.scenario import GENERATOR, MISSING, Measure, Plan, Sample, Scenario, at

_QUICK_SUBSCRIBERS, _SUBSCRIBERS = 256, 1000
_QUICK_EVENTS, _EVENTS = 12, 40
_PAUSE = 0.1

_LAST = Measure("to the last subscriber", "ms", "less", goal=0.6)
_WORK = Measure("processor an event", "ms", "less", goal=0.35)
_READING = Measure("the generator's part of it, at most", "ms")


def _run(broker: Broker, plan: Plan, stem: str) -> Sample:
    found = plan.call(
        subscribers.send,
        broker.author_port,
        broker.subscriber_port,
        broker.pid,
        stem,
        subscribers=_QUICK_SUBSCRIBERS if plan.quick else _SUBSCRIBERS,
        events=_QUICK_EVENTS if plan.quick else _EVENTS,
        pause=_PAUSE,
    )
    return {
        _LAST.name: 1000 * at(0.5, found.lasts),
        _READING.name: 1000 * found.reading,
        _WORK.name: 1000 * found.broker,
        MISSING.name: found.missing,
        GENERATOR.name: 100 * found.generator,
    }


SCENARIO = Scenario(
    name="fan-out",
    title=f"one event to {_SUBSCRIBERS} subscribers, {_QUICK_SUBSCRIBERS} when quick, receipts included",
    measures=(_LAST, _READING, _WORK, MISSING, GENERATOR),
    brokers=("comet", "voeflow"),
    run=_run,
)
