"""To 4,000 subscribers: the same."""

from __future__ import annotations

from benchmarks.to_the_last import to_the_last

SCENARIO = to_the_last(
    4000, "fan-out-4000", goal=0.65, work_goal=None, pause=0.3, events=(4, 10), rounds=3, quick=False
)
