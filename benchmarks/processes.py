"""What the system tells of a broker's processes: their processor time and their memory."""

from __future__ import annotations

import os
import time
from pathlib import Path

#: From Linux's `include/linux/posix-timers.h`: the clock of all processor time of another process.
_CPUCLOCK_SCHED = 2


def session(leader: int) -> list[int]:
    """Give the ids of the processes in a session: the broker and whatever it has started."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if os.getsid(int(entry)) == leader:
                    found.append(int(entry))
            except ProcessLookupError:
                continue
    return found


def processor_time(leader: int) -> float:
    """Give the processor time that the processes of a session have had, in seconds; to the nanosecond."""
    return sum(processor_time_of(pid) for pid in session(leader))


def processor_time_of(pid: int) -> float:
    """Give the processor time that one process has had, in seconds; nought if there is none."""
    try:
        return time.clock_gettime(~pid << 3 | _CPUCLOCK_SCHED)
    except OSError:  # it has just ended
        return 0.0


def memory(leader: int) -> float:
    """Give the memory of a session's processes, shared pages counted in part (PSS), in megabytes."""
    total = 0
    for pid in session(leader):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total * 1024 / 1e6
