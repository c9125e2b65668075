"""Plots of a run's results, as SVG: what the documentation shows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

#: How a broker is drawn wherever it is: its name, its colour and its marker.
_LOOKS = {
    "comet": ("Comet", "#8a6d3b", "s"),
    "comet-memory": ("Comet, database in memory", "#c9b38c", "D"),
    "limit": ("yardstick", "#7f7f7f", "^"),
    "voeflow": ("voeflow", "#1f5fa8", "o"),
}

#: Makes the same results give the same bytes.
_STYLE: Any = {
    "svg.hashsalt": "voeflow",
    "svg.fonttype": "path",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}

Results = Mapping[str, Any]


def draw(results: Results, directory: Path) -> list[Path]:
    """Draw whatever the results have something for.

    Args:
        results: what `--json` writes.
        directory: where the plots go; it is made if it is not there.

    Returns:
        The files that were written.
    """
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    directory.mkdir(parents=True, exist_ok=True)
    drawn = []
    plots = {
        "goals": _goals,
        "intake": _intake,
        "fan-out": _fan_out,
        "filters": _filters,
        "store": _store,
        "kafka": _kafka,
    }
    with mpl.rc_context(_STYLE):
        for name, plot in plots.items():
            figure = plt.figure()
            if plot(figure, results):
                path = directory / f"bench-{name}.svg"
                figure.savefig(path, metadata={"Date": None, "Creator": None})
                # matplotlib ends some lines in blanks
                path.write_text(re.sub(r"[ \t]+$", "", path.read_text(), flags=re.MULTILINE))
                drawn.append(path)
            plt.close(figure)
    return drawn


def measures(results: Results, scenario: str) -> Mapping[str, Any]:
    """Give the measures of a scenario by name; none if it was not run."""
    found: Mapping[str, Any] = results["scenarios"].get(scenario, {}).get("measures", {})
    return found


def series(results: Results, scenarios: Sequence[str], pattern: str) -> dict[str, list[tuple[float, float]]]:
    """Give, by broker, the medians of measures whose name has a number in it, by that number, sorted.

    Args:
        results: what `--json` writes.
        scenarios: where to look.
        pattern: a regular expression with one group: the number, with commas between thousands.
    """
    found: dict[str, dict[float, float]] = {}
    for scenario in scenarios:
        for name, measure in measures(results, scenario).items():
            if match := re.fullmatch(pattern, name):
                for broker, value in measure["medians"].items():
                    if value is not None:
                        found.setdefault(broker, {})[float(match[1].replace(",", ""))] = value
    return {broker: sorted(points.items()) for broker, points in found.items()}


def _curves(axes: Axes, found: Mapping[str, Sequence[tuple[float, float]]], across: str, up: str) -> None:
    for broker, points in found.items():
        label, colour, marker = _LOOKS[broker]
        axes.plot(*zip(*points, strict=True), marker=marker, markersize=4, color=colour, label=label)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.legend()


def _plain(axis: Axis) -> None:
    """Write the numbers of a logarithmic axis out, rather than as powers of ten."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())


def _goals(figure: Figure, results: Results) -> bool:
    """Every goal that is a ratio: how far beyond it, or short of it, voeflow is."""
    rows = []
    for scenario, each in results["scenarios"].items():
        for name, measure in each["measures"].items():
            for goal in measure["goals"]:
                if goal["value"] > 0:
                    more = measure["better"] == "more"
                    beyond = goal["value"] / goal["at"] if more else goal["at"] / goal["value"]
                    over = f"over {goal['over']}" if goal["over"] else "bound"
                    rows.append((f"{scenario}: {name}, {over}", beyond, goal["verdict"]))
    if not rows:
        return False
    figure.set_size_inches(7.5, 0.6 + 0.24 * len(rows))
    axes = figure.subplots()
    colours = {"reached": "#2e7d32", "within noise": "#c58b00", "not reached": "#b3261e"}
    rows.reverse()
    axes.barh(
        [row[0] for row in rows],
        [row[1] - 1 for row in rows],
        left=1,
        color=[colours[row[2]] for row in rows],
    )
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set_xscale("log")
    _plain(axes.xaxis)
    axes.set_xlabel("times the goal: right of the line it is reached")
    axes.grid(axis="y", visible=False)
    return True


def _intake(figure: Figure, results: Results) -> bool:
    """The rate at which events are acknowledged, by the number of authors."""
    known = [number for number in (1, 64, 256) if measures(results, f"authors-{number}")]
    found = {number: measures(results, f"authors-{number}")["acknowledged"]["medians"] for number in known}
    if not found:
        return False
    figure.set_size_inches(6.5, 3.2)
    axes = figure.subplots()
    brokers = [broker for broker in _LOOKS if any(broker in each for each in found.values())]
    width = 0.8 / len(brokers)
    for place, broker in enumerate(brokers):
        label, colour, _ = _LOOKS[broker]
        across = [at + (place - (len(brokers) - 1) / 2) * width for at in range(len(known))]
        axes.bar(
            across, [found[number].get(broker) or 0 for number in known], width, color=colour, label=label
        )
    axes.set_xticks(range(len(known)), [str(number) for number in known])
    axes.set_xlabel("author connections at a time")
    axes.set_ylabel("acknowledged events a second")
    axes.grid(axis="x", visible=False)
    axes.legend()
    return True


def _fan_out(figure: Figure, results: Results) -> bool:
    """How the time to the last subscriber and the processor time grow with subscribers."""
    scenarios = ("crowds", "fan-out-1000", "fan-out-4000")
    last = series(results, scenarios, r"to the last of ([\d,]+)")
    work = series(results, scenarios, r"processor an event, ([\d,]+)")
    if not last:
        return False
    figure.set_size_inches(8.5, 3.4)
    left, right = figure.subplots(1, 2)
    _curves(left, last, "subscribers", "to the last subscriber (ms)")
    _curves(right, work, "subscribers", "processor time an event (ms)")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_yscale("log")
        _plain(axes.xaxis)
        _plain(axes.yaxis)
    return True


def _filters(figure: Figure, results: Results) -> bool:
    """What filters cost: none, all the same, all different."""
    found = {
        name: measures(results, scenario).get("processor an event", {}).get("medians", {})
        for name, scenario in (("all the same", "filters-same"), ("all different", "filters-different"))
    }
    if not all(found.values()):
        return False
    figure.set_size_inches(5.5, 3.0)
    axes = figure.subplots()
    brokers = [broker for broker in _LOOKS if broker in found["all the same"]]
    width = 0.8 / len(brokers)
    for place, broker in enumerate(brokers):
        label, colour, _ = _LOOKS[broker]
        across = [at + (place - (len(brokers) - 1) / 2) * width for at in range(len(found))]
        axes.bar(across, [each.get(broker) or 0 for each in found.values()], width, color=colour, label=label)
    axes.set_xticks(range(len(found)), list(found))
    axes.set_xlabel("200 subscribers with a filter each")
    axes.set_ylabel("processor time an event (ms)")
    axes.grid(axis="x", visible=False)
    axes.legend()
    return True


def _store(figure: Figure, results: Results) -> bool:
    """What is left of the rate with many events in the store."""
    rates = series(results, ["store"], r"acknowledged, ([\d,]+) stored")
    starts = series(results, ["store"], r"until both ports accept, ([\d,]+) stored")
    if not rates:
        return False
    figure.set_size_inches(8.5, 3.0)
    left, right = figure.subplots(1, 2)
    _curves(left, rates, "events in the store", "acknowledged events a second")
    _curves(right, starts, "events in the store", "until both ports accept (ms)")
    for axes in (left, right):
        axes.set_xscale("symlog", linthresh=10_000)
        axes.set_ylim(bottom=0)
        axes.get_legend().remove()  # there is voeflow alone
        _plain(axes.xaxis)
    return True


def _kafka(figure: Figure, results: Results) -> bool:
    """What workers around a topic take together, of light handlers and of heavy ones."""
    kinds = {"handled": "handlers that do nothing", "classified": "handlers that take 4 ms"}
    found = {kind: series(results, ["kafka"], rf"{kind}, (\d+) workers?") for kind in kinds}
    if not all(found.values()):
        return False
    figure.set_size_inches(8.5, 3.0)
    for axes, (kind, title) in zip(figure.subplots(1, 2), kinds.items(), strict=True):
        points = found[kind]["voeflow"]
        alone = measures(results, "kafka")[f"{kind}, one node alone"]["medians"]["voeflow"]
        axes.bar(
            [0, *(point[0] for point in points)], [alone, *(point[1] for point in points)], color="#1f5fa8"
        )
        axes.set_xticks([0, 1, 2, 3], ["one node\nalone", "1 worker", "2 workers", "3 workers"])
        axes.set_ylabel("events a second")
        axes.set_title(title, fontsize=9)
        axes.grid(axis="x", visible=False)
    return True
