"""Through Kafka with one, two and three workers, against one node alone."""

from __future__ import annotations

from benchmarks.brokers import Setting
from benchmarks.cluster import cluster
from benchmarks.load import through
from benchmarks.running import Broker
from benchmarks.scenario import GENERATOR, MISSING, REFUSED, Measure, Plan, Sample, Scenario

WORKERS = (1, 2, 3)

#: What the handler does to an event: nothing; or what takes a processor's time, as a classifier does.
_LIGHT, _HEAVY = Setting("handled", handler="python"), Setting("classified", handler="python", work=0.004)

#: How many events are sent, when quick and otherwise.
_EVENTS = {_LIGHT.name: (500, 4000), _HEAVY.name: (150, 600)}


def _measure(setting: Setting, workers: int) -> Measure:
    who = f"{workers} worker{'s' if workers > 1 else ''}" if workers else "one node alone"
    return Measure(f"{setting.name}, {who}", "events/s", "more")


def _run(broker: Broker, plan: Plan, stem: str) -> Sample:
    setting = broker.setting
    events = _EVENTS[setting.name][0 if plan.quick else 1]
    alone = plan.call(through.send, broker.author_port, [broker.started], f"{stem}-{setting.name}", events)
    found = [alone]
    sample = {_measure(setting, 0).name: alone.rate}
    for workers in WORKERS:
        with cluster(plan.directory, workers, setting.work) as nodes:
            try:
                each = plan.call(through.send, nodes.front.author_port, nodes.pipes, stem, events)
            except OSError:
                nodes.see_that_it_runs()
                raise
            sample[_measure(setting, workers).name] = each.rate
            found.append(each)
    return {
        **sample,
        MISSING.name: sum(each.missing for each in found),
        REFUSED.name: sum(each.refused for each in found),
        GENERATOR.name: 100 * max(each.generator for each in found),
    }


SCENARIO = Scenario(
    name="kafka",
    title=f"through Kafka to workers' handlers; classified: one of {1000 * _HEAVY.work:g} ms processor time",
    measures=(
        *(_measure(setting, workers) for setting in (_LIGHT, _HEAVY) for workers in (0, *WORKERS)),
        MISSING,
        REFUSED,
        GENERATOR,
    ),
    brokers=("voeflow",),
    run=_run,
    settings=(_LIGHT, _HEAVY),
    quick=False,
    rounds=2,
)
