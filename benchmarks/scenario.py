"""What a scenario is: one file of `benchmarks/scenarios`, with a `SCENARIO` in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, wait
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

import attrs

from benchmarks.brokers import BenchmarkError, Setting
from benchmarks.running import Broker

Params = ParamSpec("Params")
Result = TypeVar("Result")

#: What is measured of one broker in one round, by the measure's name.
Sample = dict[str, float]

#: How long one call of the load generator may take, in seconds; each ends by itself well before.
_LONGEST = 180.0

#: Two numbers that differ by less than this share are not told apart on a machine that does other things too.
NOISE = 0.15

#: The same for the time that a single event takes now and then: it hangs on what wakes when.
PACED_NOISE = 0.40


@attrs.frozen
class Measure:
    """One column of numbers, and what is aimed at.

    Attributes:
        name: what it is.
        unit: of the number; `""` for a bare one.
        better: whether more or less of it is good; `None` for what is only told, of the generator or a check.
        goal: voeflow's number over Comet's, at least (where more is better) or at most.
        limit_goal: the same over the yardstick's.
        bound: voeflow's own number, at least or at most.
        noise: what share of it is noise.
    """

    name: str
    unit: str
    better: Literal["more", "less"] | None = None
    goal: float | None = None
    limit_goal: float | None = None
    bound: float | None = None
    noise: float = NOISE


#: How much of a processor the load generator had: near 100 % it is the generator that was measured.
GENERATOR = Measure("load generator", "% of a processor")

#: What must be nought for the other numbers of a scenario to mean anything.
LOST = Measure("without a receipt", "")
REFUSED = Measure("refused", "")
MISSING = Measure("copies missing", "")
NEVER = Measure("acknowledged, never sent on", "")

#: What voeflow may not leave above nought in any scenario.
FAULTS = (LOST.name, REFUSED.name, MISSING.name, NEVER.name)


@attrs.frozen
class Plan:
    """How much is done.

    Attributes:
        quick: whether a first look is enough.
        rounds: how often each broker is measured, in turn, unless a scenario says fewer.
        directory: where on the disk that is measured a scenario may make a directory of its own.
        load: the load generator's process.
    """

    quick: bool
    rounds: int
    directory: Path
    load: Executor

    def call(self, function: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs) -> Result:
        """Call a function in the load generator's process.

        Raises:
            BenchmarkError: it took far longer than it may.
        """
        future = self.load.submit(function, *args, **kwargs)
        if not wait([future], _LONGEST).done:
            raise BenchmarkError(f"the load generator did not end within {_LONGEST:g} s")
        return future.result()


@attrs.frozen
class Scenario:
    """One thing that is measured.

    Attributes:
        name: for `--only`.
        title: what is done, in words.
        measures: what is read off, in the order of the table.
        brokers: the names of those that can do it.
        run: measures one broker once; the last argument begins the IVORNs of this round. Where a scenario has
            several settings it is called for each in turn, and what it gives is put together.
        settings: what brokers are set up with; one of each broker runs for each of them.
        derive: adds to a round's sample what follows from several of its numbers.
        fresh: whether every round has a broker newly started.
        quick: whether it belongs to the first look.
        rounds: how many rounds are enough.
    """

    name: str
    title: str
    measures: Sequence[Measure]
    brokers: Sequence[str]
    run: Callable[[Broker, Plan, str], Sample]
    settings: Sequence[Setting] = (Setting(),)
    derive: Callable[[Sample], Sample] | None = None
    fresh: bool = False
    quick: bool = True
    rounds: int = 50


def at(quantile: float, ordered: Sequence[float]) -> float:
    """Give the value below which `quantile` of some sorted values lie; not a number where there are none."""
    return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))] if ordered else float("nan")
