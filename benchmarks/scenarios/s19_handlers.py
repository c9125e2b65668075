"""1 to 16 handlers in Python that want every event: what each adds."""

from __future__ import annotations

from benchmarks.brokers import Setting
from benchmarks.handled import EVENTS, EVENTS_A_SECOND, QUICK_EVENTS
from benchmarks.load import handled
from benchmarks.running import Broker
from benchmarks.scenario import GENERATOR, MISSING, Measure, Plan, Sample, Scenario

NUMBERS = (1, 4, 16)


def _work(handlers: int) -> Measure:
    return Measure(f"processor an event, {handlers} handler{'s' if handlers > 1 else ''}", "ms", "less")


def _run(broker: Broker, plan: Plan, stem: str) -> Sample:
    events = QUICK_EVENTS if plan.quick else EVENTS
    ports = broker.author_port, broker.started
    found = plan.call(handled.send, *ports, broker.pid, stem, events, 1 / EVENTS_A_SECOND)
    return {
        _work(1 + broker.setting.more).name: 1000 * found.broker,
        MISSING.name: found.missing,
        GENERATOR.name: 100 * found.generator,
    }


SCENARIO = Scenario(
    name="handlers",
    title=f"{', '.join(map(str, NUMBERS))} handlers in Python, {EVENTS_A_SECOND} events a second",
    measures=(*(_work(number) for number in NUMBERS), MISSING, GENERATOR),
    brokers=("voeflow",),
    run=_run,
    settings=tuple(Setting(f"{number}", handler="python", more=number - 1) for number in NUMBERS),
    quick=False,
    rounds=3,
)
