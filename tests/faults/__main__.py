"""`python -m faults`: kill, starve and flood a real node, and print what became of what it acknowledged.

Exit status: 0 if every promise was kept; 1 if one was not, or a case could not be played to its end.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from faults.cases import CASES, full, soak
from faults.ground import Ground
from faults.outcome import Effort, Row
from interop.processes import NeverHappenedError


def main() -> int:
    """Play the cases that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--soak", action="store_true", help="try for ten minutes rather than four")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of all that is random")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"{', '.join(CASES)}; all if left out")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.cases if name not in CASES]:
        parser.error(f"no such case: {', '.join(unknown)}; there are {', '.join(CASES)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # through every `finally`, unmounting
    effort = (soak if arguments.soak else full)(arguments.seed)
    print(f"seed {arguments.seed}", flush=True)
    rows: list[Row] = []
    failed = False
    for name in arguments.cases or CASES:
        began = time.monotonic()
        try:
            rows += _play(name, effort)
            print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
        except Exception:
            traceback.print_exc()
            failed = True
    _print(rows)
    broken = [f"{row.case}: {each}" for row in rows for each in row.broken]
    for each in broken:
        print("BROKEN", each)
    return 1 if broken or failed else 0


def _play(name: str, effort: Effort) -> Sequence[Row]:
    with (
        tempfile.TemporaryDirectory(prefix="voeflow-faults-") as directory,
        Ground(Path(directory)) as ground,
    ):
        rows = CASES[name](ground, effort)
        if bugs := ground.bugs():
            raise NeverHappenedError("\n".join(bugs))
        return rows


def _print(rows: Sequence[Row]) -> None:
    table = Table(title="What became of acknowledged events")
    for heading in ("case", "sink"):
        table.add_column(heading)
    for heading in ("tries", "acknowledged", "delivered", "lost", "repeated"):
        table.add_column(heading, justify="right")
    table.add_column("note")
    for row in rows:
        numbers = (row.tries, row.acknowledged, row.delivered, row.lost)
        repeated = "-" if row.repeated is None else str(row.repeated)
        table.add_row(row.case, row.sink, *map(str, numbers), repeated, row.note)
    width = None if sys.stdout.isatty() else 150
    Console(width=width).print(table)


if __name__ == "__main__":
    sys.exit(main())
