"""What the scenarios with one event and many subscribers have in common."""

from __future__ import annotations

from benchmarks.load import subscribers
from benchmarks.running import Broker
from benchmarks.scenario import GENERATOR, MISSING, Measure, Plan, Sample, Scenario, at


def last(number: int, goal: float | None = None) -> Measure:
    """Give the measure of the time to the last of so many subscribers."""
    return Measure(f"to the last of {number:,}", "ms", "less", goal=goal)


def work(number: int, goal: float | None = None) -> Measure:
    """Give the measure of the processor time for an event to so many subscribers, receipts included."""
    return Measure(f"processor an event, {number:,}", "ms", "less", goal=goal)


def measure(
    broker: Broker, plan: Plan, stem: str, number: int, events: tuple[int, int], pause: float
) -> tuple[Sample, float]:
    """Send events to so many subscribers.

    Returns:
        The sample, and the generator's own processor time for an event, in milliseconds.
    """
    found = plan.call(
        subscribers.send,
        broker.author_port,
        broker.subscriber_port,
        broker.pid,
        stem,
        subscribers=number,
        events=events[0] if plan.quick else events[1],
        pause=pause,
    )
    sample = {
        last(number).name: 1000 * at(0.5, found.lasts),
        work(number).name: 1000 * found.broker,
        MISSING.name: found.missing,
        GENERATOR.name: 100 * found.generator,
    }
    return sample, 1000 * found.reading


def to_the_last(
    number: int,
    name: str,
    *,
    goal: float,
    work_goal: float | None,
    pause: float,
    events: tuple[int, int],
    rounds: int,
    quick: bool = True,
) -> Scenario:
    """Make the scenario of one event to some number of subscribers.

    Args:
        number: how many.
        name: the scenario's.
        goal: the greatest ratio to Comet's time to the last that is aimed at.
        work_goal: the same of the processor time an event.
        pause: between two events, in seconds.
        events: how many are sent in a first look, and how many otherwise.
        rounds: how many are enough.
        quick: whether it belongs to the first look.
    """
    reading = Measure("the generator's part of it, at most", "ms")

    def run(broker: Broker, plan: Plan, stem: str) -> Sample:
        sample, own = measure(broker, plan, stem, number, events, pause)
        return {**sample, reading.name: own}

    return Scenario(
        name=name,
        title=f"one event to {number:,} subscribers, receipts included",
        measures=(last(number, goal), reading, work(number, work_goal), MISSING, GENERATOR),
        brokers=("comet", "limit", "voeflow"),
        run=run,
        rounds=rounds,
        quick=quick,
    )
