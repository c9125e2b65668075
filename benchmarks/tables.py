"""The tables that people read on a terminal."""

from __future__ import annotations

import math

from rich.table import Table

from benchmarks.results import BUSY, LIMIT, PEER, Goal, Outcome, same
from benchmarks.scenario import Measure


def table(outcome: Outcome) -> Table:
    """Give the table of one scenario."""
    brokers = list(outcome.samples)
    ratios = [over for over in (PEER, LIMIT) if over in brokers and len(brokers) > 1]
    shown = Table(
        title=f"{outcome.scenario.name}: {outcome.scenario.title}",
        title_justify="left",
        min_width=90,
        caption=_caption(outcome),
        caption_justify="left",
    )
    shown.add_column("measure")
    for broker in brokers:
        shown.add_column(broker, justify="right")
    for over in ratios:
        shown.add_column(f"voeflow / {over}", justify="right")
    shown.add_column("goal")
    for measure in outcome.scenario.measures:
        unit = f" ({measure.unit})" if measure.unit else ""
        numbers = [show(outcome.median(broker, measure)) for broker in brokers]
        compared = [_show_ratio(measure, outcome.ratio(measure, over)) for over in ratios]
        goals = "\n".join(show_goal(measure, goal) for goal in outcome.goals(measure))
        shown.add_row(measure.name + unit, *numbers, *compared, goals)
    return shown


def show(value: float | None) -> str:
    """Show a number as exactly as it deserves."""
    if value is None or math.isnan(value):
        return "-"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def show_goal(measure: Measure, goal: Goal) -> str:
    """Say what a goal is and whether it was reached."""
    least = "at least" if measure.better == "more" else "at most"
    unit = f"x {goal.over}" if goal.over else measure.unit
    verdict = goal.verdict if goal.verdict == "reached" else f"[bold]{goal.verdict}[/]"
    return f"{least} {goal.at:.3g} {unit}".rstrip() + f": {verdict}"


def _show_ratio(measure: Measure, ratio: float) -> str:
    if math.isnan(ratio):
        return ""
    return f"{ratio:.2f} x" + (" (the same)" if same(measure, ratio) else "")


def _caption(outcome: Outcome) -> str | None:
    if outcome.others < BUSY:
        return None
    return f"[bold red]Other programs had {outcome.others:.0%} of a processor meanwhile: measure again.[/]"
