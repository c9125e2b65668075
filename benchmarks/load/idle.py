"""Subscribers that are there and get nothing: what each costs in memory."""

from __future__ import annotations

import time

from benchmarks.load.crowd import Crowd
from benchmarks.processes import memory

#: How long a broker is left alone before its memory is read, in seconds.
SETTLED = 0.5


def hold(subscriber_port: int, broker: int, number: int) -> tuple[float, float]:
    """Give a broker's memory before some subscribers have come, and with them, in megabytes."""
    crowd = Crowd()
    try:
        time.sleep(SETTLED)
        before = memory(broker)
        crowd.join(subscriber_port, number)
        time.sleep(SETTLED)
        return before, memory(broker)
    finally:
        crowd.close()
