"""16 authors flat out to 256 subscribers: how many copies a broker hands out."""

from __future__ import annotations

from benchmarks.load import flood
from benchmarks.running import Broker
from benchmarks.scenario import GENERATOR, LOST, MISSING, REFUSED, Measure, Plan, Sample, Scenario

_AUTHORS, _SUBSCRIBERS = 16, 256
_QUICK_SECONDS, _SECONDS = 0.5, 2.0

_RATE = Measure("deliveries", "copies/s", "more", goal=2.5)
_INTAKE = Measure("acknowledged meanwhile", "events/s")
_WORK = Measure("processor a copy", "us", "less")


def _run(broker: Broker, plan: Plan, stem: str) -> Sample:
    found = plan.call(
        flood.send,
        broker.author_port,
        broker.subscriber_port,
        broker.pid,
        stem,
        authors=_AUTHORS,
        subscribers=_SUBSCRIBERS,
        seconds=_QUICK_SECONDS if plan.quick else _SECONDS,
    )
    return {
        _RATE.name: found.deliveries,
        _INTAKE.name: found.acknowledged,
        _WORK.name: 1e6 * found.broker,
        LOST.name: found.unanswered,
        REFUSED.name: found.refused,
        MISSING.name: found.missing,
        GENERATOR.name: 100 * found.generator,
    }


SCENARIO = Scenario(
    name="flat-out",
    title=f"{_AUTHORS} authors flat out to {_SUBSCRIBERS} subscribers that send no receipts",
    measures=(_RATE, _INTAKE, _WORK, LOST, REFUSED, MISSING, GENERATOR),
    brokers=("comet", "limit", "voeflow"),
    run=_run,
    rounds=5,
)
