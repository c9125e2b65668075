"""From the receipt until a handler in Python is called with the event."""

from __future__ import annotations

from benchmarks.handled import handled

SCENARIO = handled(
    "handler", "a handler in Python called with each event", handler="python", brokers=("voeflow",)
)
