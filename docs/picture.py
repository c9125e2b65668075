"""Draw the picture of the README: what a terminal shows of the quickstart. Run it to draw it anew.

    python docs/picture.py

It runs `voeflow run` on a copy of `examples/quickstart` for some seconds, in a terminal of its own, and
writes `docs/_static/quickstart.svg`. The ports 8098 and 8099 have to be free. Left out is what would make
lines long and tells a reader nothing: dates, deliveries' ids, and the time by which each replayed IVORN is a
new one.
"""

from __future__ import annotations

import io
import os
import pty
import re
import select
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

DOCS = Path(__file__).parent
PICTURE = DOCS / "_static/quickstart.svg"
COMMAND = "voeflow run examples/quickstart/pipeline.toml"

#: How many columns are shown; what is longer is cut. How long the node runs, in seconds.
WIDTH, SECONDS = 150, 11.0

_COLOUR = r"(?:\x1b\[[0-9;]*m)*"
_LEFT_OUT = re.compile(
    rf"\d{{4}}-\d\d-\d\dT(?=\d\d:)|-\d{{8}}T\d{{6}}\.\d{{6}}Z"
    rf"|{_COLOUR}(?:delivery|stream|sink|source){_COLOUR}={_COLOUR}[^\s\x1b]+{_COLOUR} ?"
)


def main() -> None:
    """Run the quickstart and draw what it shows."""
    with tempfile.TemporaryDirectory() as directory:
        copied = shutil.ignore_patterns("events", "*.db*")
        shutil.copytree(
            DOCS.parent / "examples/quickstart", f"{directory}/examples/quickstart", ignore=copied
        )
        shown = watched(directory)
    if "event accepted" not in shown:
        sys.exit(f"the quickstart took no event:\n{shown}")
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "green"), COMMAND))
    for line in shown.splitlines():
        text = Text.from_ansi(_LEFT_OUT.sub("", line))
        text.truncate(WIDTH, overflow="ellipsis")
        console.print(text)
    # The format's own fonts come from a web site; a page asks no other site for anything.
    bare = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    PICTURE.write_text(
        console.export_svg(title="voeflow", code_format=bare, unique_id="quickstart"), encoding="utf-8"
    )


def watched(directory: str) -> str:
    """Run the quickstart in a terminal, stop it after a while, and give what it wrote."""
    process, terminal = pty.fork()
    if not process:
        os.chdir(directory)
        os.execv(sys.executable, [sys.executable, "-m", *COMMAND.split()])
    written = b""
    end = time.monotonic() + SECONDS
    stopped = False
    while True:
        if time.monotonic() > end and not stopped:
            os.kill(process, signal.SIGINT)
            stopped = True
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                written += os.read(terminal, 65536)
            except OSError:  # how Linux says that the other end has closed
                break
    os.waitpid(process, 0)
    return written.decode(errors="replace").replace("\r\n", "\n")


if __name__ == "__main__":
    main()
