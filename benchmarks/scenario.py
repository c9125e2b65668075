"""What a scenario is: one file of `benchmarks/scenarios`, with a `SCENARIO` in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Literal, ParamSpec, TypeVar

import attrs

from benchmarks.brokers import BenchmarkError, Broker

Params = ParamSpec("Params")
Result = TypeVar("Result")

#: What is measured of one broker in one round, by the measure's name.
Sample = dict[str, float]

#: How long one call of the load generator may take, in seconds; each ends by itself well before.
_LONGEST = 180.0


@attrs.frozen
class Measure:
    """One column of numbers.

    Attributes:
        name: what it is.
        unit: of the number; `""` for a bare one.
        better: whether more or less of it is good; `None` for what is only told, of the generator or a check.
        goal: voeflow's number over Comet's, at least (where more is better) or at most.
        bound: voeflow's own number, at most.
    """

    name: str
    unit: str
    better: Literal["more", "less"] | None = None
    goal: float | None = None
    bound: float | None = None


#: How much of a processor the load generator had: near 100 % it is the generator that was measured.
GENERATOR = Measure("load generator", "% of a processor")

#: What must be nought for the other numbers of a scenario to mean anything.
LOST = Measure("without a receipt", "")
REFUSED = Measure("refused", "")
MISSING = Measure("copies missing", "")

#: What voeflow may not leave above nought in any scenario.
FAULTS = (LOST.name, REFUSED.name, MISSING.name)


@attrs.frozen
class Plan:
    """How much is done.

    Attributes:
        quick: whether a first look is enough.
        rounds: how often each broker is measured, in turn.
        load: the load generator's process.
    """

    quick: bool
    rounds: int
    load: Executor

    def call(self, function: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs) -> Result:
        """Call a function in the load generator's process.

        Raises:
            BenchmarkError: it took far longer than it may.
        """
        try:
            return self.load.submit(function, *args, **kwargs).result(_LONGEST)
        except TimeoutError:
            raise BenchmarkError(f"the load generator did not end within {_LONGEST:g} s") from None


@attrs.frozen
class Scenario:
    """One thing that is measured.

    Attributes:
        name: for `--only`.
        title: what is done, in words.
        measures: what is read off, in the order of the table.
        brokers: the names of those that can do it.
        run: measures one broker once; the last argument begins the IVORNs of this round.
        fresh: whether every round has a broker newly started.
    """

    name: str
    title: str
    measures: Sequence[Measure]
    brokers: Sequence[str]
    run: Callable[[Broker, Plan, str], Sample]
    fresh: bool = False


def at(quantile: float, ordered: Sequence[float]) -> float:
    """Give the value below which `quantile` of some sorted values lie; not a number where there are none."""
    return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))] if ordered else float("nan")
