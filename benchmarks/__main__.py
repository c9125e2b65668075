"""`python -m benchmarks`: measure voeflow beside Comet, in one run."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.brokers import BenchmarkError, Kind, kinds, running
from benchmarks.results import NOISE, Outcome, about_machine, as_json
from benchmarks.scenario import Plan, Sample, Scenario
from benchmarks.scenarios import scenarios

_QUICK_ROUNDS, _ROUNDS = 3, 5

#: Rest between two measurements, so that one broker's last writes are not the next one's delay; in seconds.
_REST = 0.1

#: A load average of the last minute above which a run is not worth keeping.
_BUSY = 0.5

#: How wide the tables are in a file or a pipe, in characters.
_WIDTH = 120

_KINDS = ("comet", "comet-memory", "voeflow")
_QUICK_KINDS = ("comet", "voeflow")


@click.command()
@click.option("--quick", is_flag=True, help="A first look, in under a minute; leaves comet-memory out.")
@click.option("--only", "names", multiple=True, metavar="NAME", help="Only this scenario; may be repeated.")
@click.option(
    "--broker",
    "wanted",
    multiple=True,
    type=click.Choice(_KINDS),
    help="Only this broker; may be repeated.",
)
@click.option("--rounds", type=click.IntRange(1, 50), help="How often each broker is measured, in turn.")
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write all samples."
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(tempfile.gettempdir()),
    show_default=True,
    help="Where stores are kept while they are measured; a real disk, or nothing is durable.",
)
def main(
    quick: bool,
    names: tuple[str, ...],
    wanted: tuple[str, ...],
    rounds: int | None,
    json_path: Path | None,
    directory: Path,
) -> None:
    """Measure voeflow and Comet 3.1.0 in the same run, in turn: medians over the rounds, and ratios.

    Everything runs on this machine, over its loopback, and ends with the run. Exit status 1 if voeflow lost
    or refused an event that it should not have.
    """
    chosen = _choose(scenarios(), names)
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    try:
        wanted = wanted or (_QUICK_KINDS if quick else _KINDS)
        found = {name: kind for name, kind in kinds().items() if name in wanted}
        about = about_machine(directory)
        _introduce(console, found, about)
        outcomes = []
        with _load_generator() as load:
            plan = Plan(quick=quick, rounds=rounds or (_QUICK_ROUNDS if quick else _ROUNDS), load=load)
            for scenario in chosen:
                outcomes.append(_measure(scenario, found, plan, directory))
                console.print(outcomes[-1].table())
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from error
    if json_path is not None:
        about["quick"], about["rounds"] = quick, plan.rounds
        text = json.dumps(as_json(outcomes, list(found.values()), about), indent=1)
        json_path.write_text(text + "\n", encoding="utf-8")
    faults = [fault for outcome in outcomes for fault in outcome.faults()]
    for fault in faults:
        console.print(f"[bold red]voeflow, {fault}[/]")
    sys.exit(1 if faults else 0)


def _choose(known: Sequence[Scenario], names: Sequence[str]) -> list[Scenario]:
    if unknown := set(names) - {scenario.name for scenario in known}:
        expected = ", ".join(scenario.name for scenario in known)
        raise click.BadParameter(f"no scenario {', '.join(sorted(unknown))}; expected {expected}")
    return [scenario for scenario in known if not names or scenario.name in names]


def _introduce(console: Console, found: dict[str, Kind], about: dict[str, object]) -> None:
    for kind in found.values():
        console.print(f"[bold]{kind.name}[/]: {kind.about}")
    console.print(
        f"Python {about['python']}, {about['processors']} processors; a synchronous write of 5 kB to "
        f"{about['directory']} ({about['file_system']}) takes {about['fsync_ms']} ms. "
        f"Ratios within {NOISE:.0%} are noise.\n"
    )
    if os.getloadavg()[0] > _BUSY:
        console.print("[bold red]Other programs keep this machine busy: the figures will be theirs too.[/]\n")
    if about["file_system"] in ("tmpfs", "ramfs"):
        console.print(
            "[bold red]That is memory: nothing is durable there. Choose a --directory on a disk.[/]\n"
        )


@contextmanager
def _load_generator() -> Iterator[ProcessPoolExecutor]:
    """Start the load generator's process, and end it with the block, whatever it does."""
    load = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    try:
        load.submit(time.sleep, 0).result()  # started, with its imports made, before anything is measured
        yield load
    finally:
        for process in multiprocessing.active_children():
            process.terminate()
        load.shutdown(wait=True, cancel_futures=True)


def _measure(scenario: Scenario, found: dict[str, Kind], plan: Plan, directory: Path) -> Outcome:
    brokers = [found[name] for name in scenario.brokers if name in found]
    samples: dict[str, list[Sample]] = {kind.name: [] for kind in brokers}
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with ExitStack() as stack:
        shown = Progress(*columns, console=Console(stderr=True), transient=True)
        progress = stack.enter_context(shown)
        task = progress.add_task(scenario.name, total=plan.rounds * len(brokers))
        kept = {}
        if not scenario.fresh:
            kept = {kind.name: stack.enter_context(running(kind, directory)) for kind in brokers}
        for number in range(plan.rounds):
            for kind in brokers:
                stem = f"{scenario.name}-{number}"
                if scenario.fresh:
                    with running(kind, directory) as broker:
                        sample = scenario.run(broker, plan, stem)
                else:
                    sample = scenario.run(kept[kind.name], plan, stem)
                samples[kind.name].append(sample)
                progress.advance(task)
                time.sleep(_REST)
    return Outcome(scenario, samples)


if __name__ == "__main__":
    main()
