"""Writes a run's figures into the documentation, between markers that say which."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.brokers import ROOT
from benchmarks.sizing import sizing
from benchmarks.tables import show

#: The page, and where its plots are.
PAGE = ROOT / "docs" / "explanation" / "performance.md"
PLOTS = ROOT / "docs" / "_static"

_PLACE = re.compile(r"(<!-- bench: (.+?) -->\n).*?(<!-- bench end -->)", re.DOTALL)

_BROKERS = {"comet": "Comet", "comet-memory": "Comet, in memory", "limit": "yardstick", "voeflow": "voeflow"}

Results = Mapping[str, Any]


def fill_page(results: Results, page: Path) -> None:
    """Write figures between a page's markers.

    A marker is `<!-- bench: WORDS -->`, closed by `<!-- bench end -->`. The words are `machine`, `goals`,
    `sizing`, or names of scenarios, whose measures then have a table; what was not measured is left as it is.

    Args:
        results: what `--json` writes.
        page: in Markdown.
    """
    text = page.read_text(encoding="utf-8")
    page.write_text(_PLACE.sub(lambda found: _filled(found, results), text), encoding="utf-8")


def _filled(found: re.Match[str], results: Results) -> str:
    words = found[2].split()
    if words == ["machine"]:
        lines = list(_machine(results))
    elif words == ["goals"]:
        lines = list(_goals(results))
    elif words == ["sizing"]:
        lines = sizing(results)
    else:
        lines = list(_scenarios(results, words))
    return found[1] + "\n".join([*lines, ""]) + found[3] if lines else found[0]


def _machine(results: Results) -> Iterator[str]:
    day = datetime.fromisoformat(results["date"]).strftime("%-d %B %Y")
    busy = max((each["others"] for each in results["scenarios"].values()), default=0.0)
    yield (
        f"Measured on {day}: Python {results['python']}, {results['processors']} processors, "
        f"{results['file_system']}, 5 kB written and synced in {show(results['fsync_ms'])} ms; "
        f"up to {results['rounds']} rounds. "
        f"Other programs had at most {busy:.0%} of a processor while a scenario ran."
        + (" **These are from a first look (`--quick`): rough, and not to be relied on.**" * results["quick"])
    )


def _goals(results: Results) -> Iterator[str]:
    yield "| case | Comet | yardstick | voeflow | over Comet | over yardstick | goal | |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | --- | --- |"
    for scenario, each in results["scenarios"].items():
        for name, measure in each["measures"].items():
            if measure["goals"]:
                goals = [_goal(measure, goal) for goal in measure["goals"]]
                verdicts = [goal["verdict"] for goal in measure["goals"]]
                numbers = [show(measure["medians"].get(broker)) for broker in ("comet", "limit", "voeflow")]
                cells = [f"`{scenario}`: {_named(name, measure)}", *numbers, *_ratios(measure)]
                yield _row([*cells, "; ".join(goals), "; ".join(verdicts)])


def _scenarios(results: Results, names: Sequence[str]) -> Iterator[str]:
    run = {name: results["scenarios"][name] for name in names if name in results["scenarios"]}
    brokers = [
        broker
        for broker in _BROKERS
        if any(broker in measure["medians"] for each in run.values() for measure in each["measures"].values())
    ]
    if not brokers:
        return
    compared = len(brokers) > 1
    yield _row(
        ["case", *(_BROKERS[broker] for broker in brokers)] + ["over Comet", "over yardstick"] * compared
    )
    yield _row(["---", *["---:"] * (len(brokers) + 2 * compared)])
    for scenario, each in run.items():
        for name, measure in each["measures"].items():
            if name != "load generator":
                case = f"`{scenario}`: {_named(name, measure)}" if len(run) > 1 else _named(name, measure)
                numbers = [show(measure["medians"].get(broker)) for broker in brokers]
                yield _row([case, *numbers, *(_ratios(measure) if compared else [])])


def _named(name: str, measure: Mapping[str, Any]) -> str:
    return f"{name} ({measure['unit']})" if measure["unit"] else name


def _ratios(measure: Mapping[str, Any]) -> list[str]:
    cells = []
    for over in ("comet", "limit"):
        ratio = measure["ratios"].get(over)
        same = " (the same)" if ratio and ratio["same"] else ""
        cells.append(f"{ratio['value']:.2f}{same}" if ratio and ratio["value"] is not None else "")
    return cells


def _goal(measure: Mapping[str, Any], goal: Mapping[str, Any]) -> str:
    least = "at least" if measure["better"] == "more" else "at most"
    unit = f"x {_BROKERS[goal['over']]}" if goal["over"] else measure["unit"]
    return f"{least} {goal['at']:.3g} {unit}".rstrip()


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
