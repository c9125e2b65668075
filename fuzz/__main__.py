"""`python -m fuzz`: fuzz each target for a while, within bounds of time and memory, and tell what was found.

Exit status: 0 if nothing was; 1 if an input crashed, hung, or took too much memory. It is kept in
`fuzz/found`: run `python -m fuzz --replay FILE TARGET` on it, mend the fault, and move the file to
`fuzz/corpus/TARGET/found-WHAT`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fuzz import CORPUS, TARGETS, target

FOUND = CORPUS.parent / "found"

#: Bounds on one input: seconds, and MiB of the whole process.
TIMEOUT, MEMORY = 5, 1024


def main() -> int:
    """Fuzz the targets that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=15, help="how long each target is fuzzed (15)")
    parser.add_argument(
        "--seed", type=int, default=0, help="draw the same inputs again (0: others each time)"
    )
    parser.add_argument("--keep", type=Path, help="a directory to keep what widened the coverage in")
    parser.add_argument("--replay", type=Path, help="run one input through one target, without atheris")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(TARGETS)}; all if left out")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.targets if name not in TARGETS]:
        parser.error(f"no such target: {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    names = arguments.targets or list(TARGETS)
    if arguments.replay:
        for name in names:
            target(name)(arguments.replay.read_bytes())
        return 0
    return max([fuzz(name, arguments.seconds, arguments.seed, arguments.keep) for name in names])


def fuzz(name: str, seconds: int, seed: int, keep: Path | None) -> int:
    """Fuzz one target; print one line, and what libFuzzer said where it found something."""
    FOUND.mkdir(exist_ok=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="voeflow-fuzz-") as directory:
        new = Path(directory)
        if keep is not None:
            new = keep / name
            new.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "fuzz.run", name),
                *(f"-max_total_time={seconds}", f"-timeout={TIMEOUT}", f"-rss_limit_mb={MEMORY}"),
                *(
                    f"-seed={seed}",
                    f"-max_len={TARGETS[name]}",
                    f"-artifact_prefix={FOUND}/{name}-",
                    "-print_final_stats=1",
                ),
                *(str(new), str(CORPUS / name)),
            ],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env={**os.environ, "RUST_BACKTRACE": "0"},  # where it is set, a refused signature costs 50 ms
            timeout=seconds + 120,
        )
    said = done.stdout + done.stderr
    runs = re.search(r"number_of_executed_units: (\d+)", said)
    peak = re.findall(r"rss: (\d+)Mb", said)
    covered = re.findall(r"cov: (\d+)", said)
    print(
        f"{name}: {'nothing found' if done.returncode == 0 else 'FOUND SOMETHING'}"
        f" in {runs[1] if runs else '?'} inputs, {time.monotonic() - began:.0f} s;"
        f" {covered[-1] if covered else '?'} edges, {peak[-1] if peak else '?'} MiB",
        flush=True,
    )
    if done.returncode:
        told = [line for line in said.splitlines() if not line.startswith(("#", "INFO:", "stat::"))]
        print("\n".join(told)[-6000:], flush=True)
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
