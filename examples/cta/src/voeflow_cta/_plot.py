"""The night as a picture: altitudes, what is dark and dim enough, and when to observe. Loads matplotlib."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import DateFormatter, HourLocator, date2num
from matplotlib.figure import Figure

from ._sky import Sky
from ._windows import Limits, Mask, Outcome, dim_enough

_POSITION, _SUN, _MOON, _WINDOW = "#1b4f72", "#d68910", "#7f8c8d", "#27ae60"

#: Airmasses that the right-hand scale shows; plane-parallel, 1 / sin(altitude).
_AIRMASSES = (1.0, 1.2, 1.5, 2.0, 3.0)


def draw_night(path: Path, title: str, sky: Sky, begin: datetime, limits: Limits, outcome: Outcome) -> None:
    """Draw what stands where from `begin` on, and write it as a PNG.

    Args:
        path: the file.
        title: above the picture; shown as it is, with no mark-up.
        sky: what stands where; drawn to the end of the coming night.
        begin: the moment of the first values.
        limits: what makes an observation possible.
        outcome: what was judged of it.

    Raises:
        OSError: the file cannot be written.
    """
    shown = slice(0, _end_of_night(sky.sun < limits.sun_below) + 1)
    moments = date2num([begin + timedelta(minutes=minute) for minute in range(len(sky.target))])[shown]
    figure = Figure(figsize=(9, 5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    dark = (sky.sun < limits.sun_below)[shown]
    dim = dim_enough(sky, limits.moon)[shown]
    axes.fill_between(moments, 0, 90, where=dark, color="#d6dbe6", step="mid", linewidth=0, label="dark")
    axes.fill_between(
        moments, 0, 90, where=dark & ~dim, color="#f2e3b3", step="mid", linewidth=0, label="too much Moon"
    )
    if outcome.window is not None:
        first, last = outcome.window
        inside = (np.arange(len(moments)) >= first) & (np.arange(len(moments)) <= last)
        axes.fill_between(
            moments, 0, 90, where=inside, color=_WINDOW, alpha=0.25, linewidth=0, label="observe"
        )
    axes.plot(moments, sky.target[shown], color=_POSITION, linewidth=2.2, label="position")
    axes.plot(moments, sky.moon[shown], color=_MOON, linestyle="--", label=_moon_label(sky))
    axes.plot(moments, sky.sun[shown], color=_SUN, linestyle=":", label="Sun")
    axes.axhline(90 - limits.max_zenith, color=_POSITION, linewidth=0.8, linestyle="-.")
    axes.annotate(
        f"{limits.max_zenith:g} deg from the zenith",
        (moments[-1], 90 - limits.max_zenith),
        xytext=(-4, 3),
        textcoords="offset points",
        horizontalalignment="right",
        fontsize=8,
        color=_POSITION,
    )
    axes.set_xlim(moments[0], moments[-1])
    axes.set_ylim(0, 90)
    axes.xaxis.set_major_locator(HourLocator(interval=2))
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M"))
    axes.set_xlabel(f"UTC, from {begin:%Y-%m-%d}")
    axes.set_ylabel("altitude (deg)")
    airmass = axes.secondary_yaxis("right")
    airmass.set_yticks([float(np.degrees(np.arcsin(1 / each))) for each in _AIRMASSES])
    airmass.set_yticklabels([f"{each:g}" for each in _AIRMASSES])
    airmass.set_ylabel("airmass")
    axes.set_title(f"{title}\n{outcome.reason}", fontsize=10, parse_math=False, wrap=True)
    axes.legend(loc="upper right", fontsize=8, framealpha=0.9)
    figure.savefig(path, format="png", metadata={"Software": "voeflow-cta"})


def _end_of_night(dark: Mask) -> int:
    """The minute to draw to: a little after the night, and 16 hours at most."""
    night = int(np.argmax(dark))
    dawn = night + int(np.argmin(dark[night:]))
    return min(max(dawn + 60, 4 * 60), 16 * 60)


def _moon_label(sky: Sky) -> str:
    return f"Moon, {100 * sky.illumination[0]:.0f}% lit, {sky.separation[0]:.0f} deg away"
