"""What the scenarios with subscribers' filters have in common."""

from __future__ import annotations

from benchmarks.load import subscribers
from benchmarks.packets import INTENSITY
from benchmarks.running import Broker
from benchmarks.scenario import GENERATOR, MISSING, Measure, Plan, Sample, Scenario, at

_SUBSCRIBERS = 200
_QUICK_EVENTS, _EVENTS = 5, 25
_PAUSE = 0.1


def filtered(name: str, *, different: bool, goal: float) -> Scenario:
    """Make the scenario of 200 subscribers with an XPath filter each, all of which hold.

    Args:
        name: the scenario's.
        different: whether the filters are, or all the same.
        goal: the greatest ratio to Comet's processor time an event that is aimed at.
    """
    work = Measure("processor an event", "ms", "less", goal=goal)
    last = Measure(f"to the last of {_SUBSCRIBERS}", "ms", "less")
    least = [INTENSITY // 2 + (place if different else 0) for place in range(_SUBSCRIBERS)]
    filters = [f'//Param[@name="Burst_Inten" and @value>{each}]' for each in least]

    def run(broker: Broker, plan: Plan, stem: str) -> Sample:
        found = plan.call(
            subscribers.send,
            broker.author_port,
            broker.subscriber_port,
            broker.pid,
            stem,
            subscribers=_SUBSCRIBERS,
            events=_QUICK_EVENTS if plan.quick else _EVENTS,
            pause=_PAUSE,
            filters=filters,
        )
        return {
            work.name: 1000 * found.broker,
            last.name: 1000 * at(0.5, found.lasts),
            MISSING.name: found.missing,
            GENERATOR.name: 100 * found.generator,
        }

    return Scenario(
        name=name,
        title=f"one event to {_SUBSCRIBERS} subscribers with an XPath filter each, "
        + ("all different" if different else "all the same"),
        measures=(work, last, MISSING, GENERATOR),
        brokers=("comet", "limit", "voeflow"),
        run=run,
        rounds=3,
        quick=different,
    )
