"""Runs one scenario: each broker in turn, round by round."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.brokers import BenchmarkError, Kind, Setting
from benchmarks.load.subscribers import FiltersNotSetError
from benchmarks.machine import busy_time, own_time
from benchmarks.results import Outcome
from benchmarks.running import Broker, running
from benchmarks.scenario import FAULTS, Plan, Sample, Scenario

#: Rest between two measurements, so that one broker's last writes are not the next one's delay; in seconds.
_REST = 0.1


@contextmanager
def load_generator() -> Iterator[ProcessPoolExecutor]:
    """Start the load generator's process, and end it with the block, whatever it does."""
    load = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    try:
        load.submit(time.sleep, 0).result()  # started, with its imports made, before anything is measured
        yield load
    finally:
        for process in multiprocessing.active_children():
            process.terminate()
        load.shutdown(wait=True, cancel_futures=True)


def measure(scenario: Scenario, found: Mapping[str, Kind], plan: Plan) -> Outcome:
    """Measure what a scenario measures of the brokers that it has among those `found`."""
    kinds = [found[name] for name in scenario.brokers if name in found]
    samples: dict[str, list[Sample]] = {kind.name: [] for kind in kinds}
    rounds = min(plan.rounds, scenario.rounds)
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    (generator,) = multiprocessing.active_children()
    begun, busy, own = time.monotonic(), busy_time(), own_time(generator.pid or 0)
    with ExitStack() as stack:
        shown = Progress(*columns, console=Console(stderr=True), transient=True)
        progress = stack.enter_context(shown)
        task = progress.add_task(scenario.name, total=rounds * len(kinds) * len(scenario.settings))
        kept: dict[tuple[str, str], Broker] = {}
        if not scenario.fresh:
            kept = {
                (kind.name, setting.name): stack.enter_context(running(kind, setting, plan.directory))
                for kind in kinds
                for setting in scenario.settings
            }
        for number in range(rounds):
            for kind in kinds:
                found_now: Sample = {}
                for setting in scenario.settings:
                    stem = f"{scenario.name}-{number}"
                    _add(found_now, _one(scenario, kind, setting, kept, plan, stem))
                    progress.advance(task)
                    time.sleep(_REST)
                if scenario.derive is not None:
                    found_now |= scenario.derive(found_now)
                samples[kind.name].append(found_now)
    lasted = time.monotonic() - begun
    others = (busy_time() - busy - own_time(generator.pid or 0) + own) / lasted
    return Outcome(scenario, samples, max(0.0, others), lasted)


def _one(
    scenario: Scenario,
    kind: Kind,
    setting: Setting,
    kept: Mapping[tuple[str, str], Broker],
    plan: Plan,
    stem: str,
) -> Sample:
    with ExitStack() as stack:
        if scenario.fresh:
            broker = stack.enter_context(running(kind, setting, plan.directory))
        else:
            broker = kept[kind.name, setting.name]
        try:
            return scenario.run(broker, plan, stem)
        except (OSError, FiltersNotSetError) as error:
            broker.see_that_it_runs()
            raise BenchmarkError(f"{scenario.name}, {kind.name}: {error}") from error


def _add(found: Sample, more: Sample) -> None:
    """Put what one setting gave to what the others gave; what must be nought is summed up."""
    for name, value in more.items():
        found[name] = found.get(name, 0.0) + value if name in FAULTS else value
