"""What the scenarios with a handler have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from benchmarks.brokers import Setting
from benchmarks.load import handled as load
from benchmarks.running import Broker
from benchmarks.scenario import GENERATOR, MISSING, PACED_NOISE, Measure, Plan, Sample, Scenario, at

QUICK_EVENTS, EVENTS = 15, 80
EVENTS_A_SECOND = 20


def handled(
    name: str, title: str, *, handler: Literal["program", "python"], brokers: Sequence[str]
) -> Scenario:
    """Make the scenario of a broker with a handler that says when it has started.

    Args:
        name: the scenario's.
        title: what the handler is.
        handler: which.
        brokers: those that have such handlers.
    """
    after = Measure("receipt to the handler's start, p50", "ms")
    median = Measure("author to the handler's start, p50", "ms", "less", noise=PACED_NOISE)
    slowest = Measure("author to the handler's start, p99", "ms", "less", noise=PACED_NOISE)
    work = Measure("processor an event", "ms", "less")

    def run(broker: Broker, plan: Plan, stem: str) -> Sample:
        found = plan.call(
            load.send,
            broker.author_port,
            broker.started,
            broker.pid,
            stem,
            QUICK_EVENTS if plan.quick else EVENTS,
            1 / EVENTS_A_SECOND,
        )
        return {
            after.name: 1000 * at(0.5, found.after_receipt),
            median.name: 1000 * at(0.5, found.in_all),
            slowest.name: 1000 * at(0.99, found.in_all),
            work.name: 1000 * found.broker,
            MISSING.name: found.missing,
            GENERATOR.name: 100 * found.generator,
        }

    return Scenario(
        name=name,
        title=f"{title}, {EVENTS_A_SECOND} events a second",
        measures=(after, median, slowest, work, MISSING, GENERATOR),
        brokers=brokers,
        run=run,
        settings=(Setting(handler=handler),),
        quick=False,
        rounds=3,
    )
