"""From measured rates to machines: what a night's alerts need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Rubin's: alerts a night, the length of a night in seconds, the alerts of one visit and the time until the
#: next in seconds (DMTN-102, LSST Alerts: Key Numbers).
_NIGHT, _NIGHT_LASTS, _VISIT, _VISIT_LASTS = 10_000_000, 10 * 3600, 10_000, 39

#: The length of a packet that was measured with, and what the store takes for it besides, in bytes.
_PACKET, _OVERHEAD = 5000, 500

#: What part of a measured rate one should count on: the rest is for bursts, and for what else a machine does.
_COUNTED_ON = 0.5


def sizing(results: Mapping[str, Any]) -> list[str]:
    """Give the lines of a table that says what a night of ten million alerts needs.

    Args:
        results: what `--json` writes.

    Returns:
        The lines, in Markdown; none where what they rest on was not measured.
    """
    intake = _median(results, "authors-64", "acknowledged")
    pipelined = _median(results, "one-connection", "acknowledged")
    copies = _median(results, "flat-out", "deliveries")
    if not (intake and pipelined and copies):
        return []
    mean = _NIGHT / _NIGHT_LASTS
    rows = [
        ("ten million alerts in ten hours, mean", f"{mean:,.0f} events/s", ""),
        (f"one visit's alerts over its {_VISIT_LASTS} s", f"{_VISIT / _VISIT_LASTS:,.0f} events/s", ""),
        ("one node, a connection an event, uses", f"{mean / intake:.0%} of its rate", "`authors-64`"),
        ("one node, one stream of events, uses", f"{mean / pipelined:.0%} of its rate", "`one-connection`"),
        (f"{_VISIT:,} at once are all on disk after", f"{_VISIT / pipelined:.1f} s", "`one-connection`"),
        (
            "subscribers of everything that one node serves at half of its rate",
            f"{_COUNTED_ON * copies / mean:,.0f}",
            "`flat-out`",
        ),
        ("network for each such subscriber", f"{mean * _PACKET * 8 / 1e6:.0f} Mbit/s", ""),
        ("the store grows by", f"{_NIGHT * (_PACKET + _OVERHEAD) / 1e9:.0f} GB a night", ""),
    ]
    for workers in (1, 2, 3):
        name = f"handled, {workers} worker{'s' if workers > 1 else ''}"
        if rate := _median(results, "kafka", name):
            around = f"{name.removeprefix('handled, ')} around a Kafka topic"
            rows.append((around, f"{rate:,.0f} events/s", "`kafka`"))
    return [f"| {' | '.join(row)} |" for row in (("what", "figure", "measured by"), ("---",) * 3, *rows)]


def _median(results: Mapping[str, Any], scenario: str, measure: str) -> float | None:
    """Give voeflow's median of a measure, or None where it was not measured."""
    measures = results["scenarios"].get(scenario, {}).get("measures", {})
    value: float | None = measures.get(measure, {}).get("medians", {}).get("voeflow")
    return value
