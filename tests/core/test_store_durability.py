"""The store in processes that are killed, and what it asks of the disk."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from voeflow._store import Store

#: Stores random batches, and says what it has stored once `append` has returned.
APPENDS = """
import os, sys, random
from pathlib import Path
from support.stored import new_event, news
from voeflow._store import Progress, Store
store = Store.open(Path(sys.argv[1]))
store.open_sinks(["mail"])
pick = random.Random(int(sys.argv[2]))
while True:
    numbers = [pick.getrandbits(60) for _ in range(pick.randint(1, 20))]
    seqs = news(store.append([new_event(number, raw=bytes(number % 9000)) for number in numbers]))
    for number, seq in zip(numbers, seqs):
        print("event", number, seq)
    store.save_progress([Progress("mail", seqs[0])])
    print("cursor", seqs[0], seqs[0], flush=True)
"""

#: Says on standard error what comes next, so that a trace of the system calls can be read.
SYNCS = """
import os, sys
from pathlib import Path
from support.stored import new_event
from voeflow._store import Progress, Store
store = Store.open(Path(sys.argv[1]))
store.open_sinks(["mail"])
store.append([new_event(0)])
for number in range(1, 4):
    os.write(2, b"[append]")
    store.append([new_event(number)])
    os.write(2, b"[progress]")
    store.save_progress([Progress("mail", number)])
    store.save_progress([Progress("mail", number + 1)])
    os.write(2, b"[duplicate]")
    store.append([new_event(number)])
os.write(2, b"[end]")
"""


def child(program: str, *arguments: object, under: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*under, sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.mark.slow
def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    pick = random.Random(20261124)
    acknowledged: dict[int, int] = {}
    cursor = 0
    for life in range(5):
        with child(APPENDS, tmp_path / "voeflow.db", life) as process:
            assert process.stdout is not None
            said = [process.stdout.readline() for _ in range(pick.randint(1, 300))]
            process.kill()
            said += process.stdout.readlines()
            assert process.stderr is not None
            assert process.stderr.read() == ""
        for line in said:
            if whole := re.fullmatch(r"(event|cursor) (\d+) (\d+)\n", line):
                if whole[1] == "event":
                    acknowledged[int(whole[3])] = int(whole[2])
                else:
                    cursor = int(whole[2])
        store = Store.open(tmp_path / "voeflow.db")
        stored = {event.seq: event for event in store.read(0, 1_000_000, 2**40)}
        saved = store.open_sinks(["mail"])["mail"].cursor
        store.close()
        assert acknowledged, "the child stored something before it was killed"
        assert {
            seq: number for seq, number in acknowledged.items() if stored[seq].ivorn.endswith(f"#{number}")
        } == acknowledged
        assert all(len(event.raw) == int(event.ivorn.partition("#")[2]) % 9000 for event in stored.values())
        assert saved >= cursor


def strace_works() -> bool:
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not strace_works(), reason="needs strace, and the right to trace")
def test_an_append_syncs_and_progress_and_duplicates_do_not(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    under = ("strace", "-f", "-e", "trace=fsync,fdatasync,write", "-o", str(trace))
    with child(SYNCS, tmp_path / "voeflow.db", under=under) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    found = re.findall(r'write\(2, "\[(\w+)\]"|\b(fsync|fdatasync)\(', trace.read_text())
    words = [said or "sync" for said, _ in found]
    assert (
        words[words.index("append") : words.index("end")] == ["append", "sync", "progress", "duplicate"] * 3
    )
