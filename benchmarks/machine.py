"""What a reader has to know of the machine, and how busy others keep it."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.processes import processor_time_of


def about_machine(directory: Path) -> dict[str, object]:
    """Give what a reader has to know: what a synchronous write costs, how busy it is."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "directory": str(directory),
        "file_system": _file_system(directory),
        "fsync_ms": round(1000 * _fsync(directory), 3),
    }


def allow_files() -> None:
    """Let this process and those that it starts have as many connections as the system lets them."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def busy_time() -> float:
    """Give the processor time that all programs have had since the machine started, in seconds.

    Without that of interrupts, which is nobody's.
    """
    user, nice, system, *_ = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return (int(user) + int(nice) + int(system)) / os.sysconf("SC_CLK_TCK")


def own_time(running: int) -> float:
    """Give the processor time of this process, of all it has waited for, and of one that runs, in seconds."""
    own, ended = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime + processor_time_of(running)


def _file_system(directory: Path) -> str:
    """Give the type of the file system that a directory is on; `tmpfs` would make durability free."""
    real = directory.resolve()
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, point, found, *_ = line.split()
        if real.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, found
    return kind


def _fsync(directory: Path) -> float:
    """Give the median time of a write of 5 kB that is on disk when it returns, in seconds."""
    path = directory / f"fsync-{os.getpid()}"
    took = []
    with path.open("wb") as file:
        for _ in range(50):
            begun = time.perf_counter()
            file.write(bytes(5000))
            file.flush()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - begun)
    path.unlink()
    return statistics.median(took)
