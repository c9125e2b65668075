"""The command `voeflow`, which is also `python -m voeflow`."""

from __future__ import annotations

import gc


def main() -> None:
    """Run the command."""
    # Until it is at work nearly all that is made is modules and classes, which stay: to look through them
    # again and again for garbage takes a tenth of the time in which a node starts.
    gc.disable()
    from voeflow._command import main as command

    command(prog_name="voeflow")


if __name__ == "__main__":
    main()
