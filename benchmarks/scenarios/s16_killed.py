"""`kill -9` in the midst of it: what of all that was acknowledged is never sent on."""

from __future__ import annotations

from benchmarks.load import killed
from benchmarks.running import Broker
from benchmarks.scenario import NEVER, Measure, Plan, Sample, Scenario

_AT_ONCE = 64
_QUICK_SECONDS, _SECONDS = 0.5, 1.0

_ACKNOWLEDGED = Measure("acknowledged before the kill", "events")
_BEFORE = Measure("of these sent on before", "events")
_AGAIN = Measure("until it accepts again", "ms", "less")


def _run(broker: Broker, plan: Plan, stem: str) -> Sample:
    seconds = _QUICK_SECONDS if plan.quick else _SECONDS
    ports = broker.author_port, broker.subscriber_port
    before = plan.call(killed.until_killed, *ports, broker.pid, stem, _AT_ONCE, seconds)
    broker.reap()
    broker.start()
    wanted = before.acknowledged - before.received
    after = plan.call(killed.afterwards, broker.subscriber_port, stem, wanted)
    return {
        _ACKNOWLEDGED.name: len(before.acknowledged),
        _BEFORE.name: len(before.acknowledged & before.received),
        NEVER.name: len(wanted - after),
        _AGAIN.name: 1000 * broker.started_in,
    }


SCENARIO = Scenario(
    name="killed",
    title=f"kill -9 with {_AT_ONCE} authors at a time, started again, a subscriber before and after",
    measures=(_ACKNOWLEDGED, _BEFORE, NEVER, _AGAIN),
    brokers=("comet", "limit", "voeflow"),
    run=_run,
    fresh=True,
    quick=False,
    rounds=3,
)
