"""To 1,000 subscribers: when the last has the event, and what an event costs the broker in all."""

from __future__ import annotations

from benchmarks.to_the_last import to_the_last

SCENARIO = to_the_last(1000, "fan-out-1000", goal=0.6, work_goal=0.35, pause=0.1, events=(4, 30), rounds=3)
