"""The steps that no durable broker can leave out, each by itself: what the yardstick is made of."""

from __future__ import annotations

from benchmarks.brokers import grammar
from benchmarks.load import parts
from benchmarks.running import Broker
from benchmarks.scenario import Measure, Plan, Sample, Scenario

_MEASURES = tuple(
    Measure(name, "us")
    for name in (
        "parse",
        "check against the grammar",
        "hash",
        "read the facts",
        "ask an XPath",
        "append, 64 to a commit",
        "append, a commit of its own",
    )
)


def _run(_: Broker, plan: Plan, __: str) -> Sample:
    return dict(plan.call(parts.measure, str(grammar()), str(plan.directory)))


SCENARIO = Scenario(
    name="parts",
    title="the steps for a packet of 5 kB, each by itself",
    measures=_MEASURES,
    brokers=("limit",),
    run=_run,
    quick=False,
    rounds=2,
)
