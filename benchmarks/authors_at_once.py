"""What the scenarios with authors on a connection an event have in common."""

from __future__ import annotations

from benchmarks.load import authors
from benchmarks.running import Broker
from benchmarks.scenario import GENERATOR, LOST, REFUSED, Measure, Plan, Sample, Scenario, at

_QUICK_SECONDS, _SECONDS = 0.5, 2.0


def authors_at_once(
    number: int,
    name: str,
    *,
    goal: float,
    limit_goal: float | None = None,
    slowest: float | None = None,
    quick: bool = True,
) -> Scenario:
    """Make the scenario of some number of authors at once.

    Args:
        number: how many.
        name: the scenario's.
        goal: the least ratio to Comet's rate that is aimed at.
        limit_goal: the least ratio to the yardstick's.
        slowest: the longest p99 of the receipt that is aimed at, in milliseconds.
        quick: whether it belongs to the first look.
    """
    rate = Measure("acknowledged", "events/s", "more", goal=goal, limit_goal=limit_goal)
    wait = Measure("receipt, p99", "ms", "less", bound=slowest)
    work = Measure("processor an event", "ms", "less")

    def run(broker: Broker, plan: Plan, stem: str) -> Sample:
        seconds = _QUICK_SECONDS if plan.quick else _SECONDS
        found = plan.call(authors.send, broker.author_port, broker.pid, stem, number, seconds)
        return {
            rate.name: found.rate,
            wait.name: 1000 * at(0.99, found.waits),
            work.name: 1000 * found.broker,
            LOST.name: found.unanswered,
            REFUSED.name: found.refused,
            GENERATOR.name: 100 * found.generator,
        }

    what = "one author connection after another" if number == 1 else f"{number} author connections at a time"
    return Scenario(
        name=name,
        title=f"{what}, an event each",
        measures=(rate, wait, work, LOST, REFUSED, GENERATOR),
        brokers=("comet", "comet-memory", "limit", "voeflow"),
        run=run,
        quick=quick,
        rounds=5 if quick else 3,
    )
