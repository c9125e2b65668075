"""From the receipt until a program that is started for the event runs: a shell, the same for all."""

from __future__ import annotations

from benchmarks.handled import handled

SCENARIO = handled(
    "program", "a program started for each event", handler="program", brokers=("comet", "limit", "voeflow")
)
