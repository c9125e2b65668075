"""`python -m benchmarks`: measure voeflow beside Comet and a yardstick, in one run."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console

from benchmarks.brokers import BenchmarkError, Kind, kinds
from benchmarks.machine import about_machine, allow_files
from benchmarks.measuring import load_generator, measure
from benchmarks.pages import PAGE, PLOTS, fill_page
from benchmarks.plots import draw
from benchmarks.results import Outcome, as_json
from benchmarks.scenario import NOISE, PACED_NOISE, Plan, Scenario
from benchmarks.scenarios import scenarios
from benchmarks.tables import table

_QUICK_ROUNDS, _ROUNDS = 2, 5

#: A load average of the last minute above which a run is not worth keeping.
_BUSY = 0.5

#: How wide the tables are in a file or a pipe, in characters.
_WIDTH = 140

_KINDS = ("comet", "comet-memory", "limit", "voeflow")
_QUICK_KINDS = ("comet", "limit", "voeflow")


@click.command()
@click.option("--quick", is_flag=True, help="A first look, in under a minute: fewer, shorter, rougher.")
@click.option("--only", "names", multiple=True, metavar="NAME", help="Only this scenario; may be repeated.")
@click.option("--list", "listed", is_flag=True, help="Say which scenarios there are, and measure nothing.")
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
    "--plots", type=click.Path(path_type=Path, file_okay=False), help="Draw the plots into this directory."
)
@click.option("--docs", is_flag=True, help="Write the figures and plots into the documentation.")
@click.option(
    "--from",
    "earlier",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Measure nothing: take what an earlier run wrote with --json; for --plots and --docs.",
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
    listed: bool,
    wanted: tuple[str, ...],
    rounds: int | None,
    json_path: Path | None,
    plots: Path | None,
    docs: bool,
    earlier: Path | None,
    directory: Path,
) -> None:
    """Measure voeflow, Comet 3.1.0 and a yardstick in the same run, in turn: medians and ratios.

    Everything runs on this machine, over its loopback, and ends with the run. Exit status 1 if voeflow lost
    or refused an event that it should not have.
    """
    chosen = _choose(scenarios(), names, quick)
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    if listed:
        for scenario in chosen:
            console.print(f"{scenario.name}: {scenario.title}", highlight=False)
        return
    faults: list[str] = []
    if earlier is not None:
        results = json.loads(earlier.read_text(encoding="utf-8"))
    else:
        try:
            results, faults = _run(console, chosen, wanted, quick, rounds, directory)
        except BenchmarkError as error:
            raise click.ClickException(str(error)) from error
    if json_path is not None:
        json_path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if plots is not None or docs:
        draw(results, plots or PLOTS)
    if docs:
        fill_page(results, PAGE)
    for fault in faults:
        console.print(f"[bold red]voeflow, {fault}[/]")
    sys.exit(1 if faults else 0)


def _run(
    console: Console,
    chosen: Sequence[Scenario],
    wanted: Sequence[str],
    quick: bool,
    rounds: int | None,
    directory: Path,
) -> tuple[dict[str, object], list[str]]:
    """Measure; give the results for programs, and what voeflow did wrong."""
    allow_files()
    wanted = wanted or (_QUICK_KINDS if quick else _KINDS)
    found = {name: kind for name, kind in kinds().items() if name in wanted}
    about = about_machine(directory)
    _introduce(console, found, about)
    outcomes: list[Outcome] = []
    with load_generator() as load:
        plan = Plan(quick, rounds or (_QUICK_ROUNDS if quick else _ROUNDS), directory, load)
        for scenario in chosen:
            if not found.keys().isdisjoint(scenario.brokers):
                outcomes.append(measure(scenario, found, plan))
                console.print(table(outcomes[-1]))
    about["quick"], about["rounds"] = quick, plan.rounds
    faults = [fault for outcome in outcomes for fault in outcome.faults()]
    return as_json(outcomes, list(found.values()), about), faults


def _choose(known: Sequence[Scenario], names: Sequence[str], quick: bool) -> list[Scenario]:
    if unknown := set(names) - {scenario.name for scenario in known}:
        expected = ", ".join(scenario.name for scenario in known)
        raise click.BadParameter(f"no scenario {', '.join(sorted(unknown))}; expected {expected}")
    if names:
        return [scenario for scenario in known if scenario.name in names]
    return [scenario for scenario in known if scenario.quick or not quick]


def _introduce(console: Console, found: Mapping[str, Kind], about: Mapping[str, object]) -> None:
    for kind in found.values():
        console.print(f"[bold]{kind.name}[/]: {kind.about}")
    console.print(
        f"Python {about['python']}, {about['processors']} processors; a synchronous write of 5 kB to "
        f"{about['directory']} ({about['file_system']}) takes {about['fsync_ms']} ms. "
        f"Ratios within {NOISE:.0%} are noise, within {PACED_NOISE:.0%} those of paced latency.\n"
    )
    if os.getloadavg()[0] > _BUSY:
        console.print("[bold red]Other programs keep this machine busy: the figures will be theirs too.[/]\n")
    if about["file_system"] in ("tmpfs", "ramfs"):
        console.print(
            "[bold red]That is memory: nothing is durable there. Choose a --directory on a disk.[/]\n"
        )


if __name__ == "__main__":
    main()
