"""The command `voeflow`, which is also `python -m voeflow`."""

from __future__ import annotations

import errno
import gc
import os
import sys
from contextlib import suppress
from typing import NoReturn

#: What a file says, and standard output may be one, that takes no more.
_CANNOT_WRITE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE})


def main() -> None:
    """Run the command."""
    # Until it is at work nearly all that is made is modules and classes, which stay: to look through them
    # again and again for garbage takes a tenth of the time in which a node starts.
    gc.disable()
    _open_standard_files()
    from voeflow._command import main as command

    try:
        try:
            command(prog_name="voeflow")  # which ends by SystemExit, also where all is well
        except SystemExit:
            sys.stdout.flush()  # as Python would later, where it could no more be caught
            raise
    except OSError as error:
        if error.filename is not None or error.errno not in _CANNOT_WRITE:
            raise
        _give_up_output(error)


def _open_standard_files() -> None:
    """Open what of standard input, output and error was closed before we began, on nothing.

    Else the first file that is opened has its number, and what a library or a program that a handler starts
    says on standard error is written into it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free is this one
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            # Nothing closes it: it is the process's own until that ends.
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _give_up_output(error: OSError) -> NoReturn:
    """Exit, as results cannot be written; say so, if nobody has merely closed the pipe that they go to."""
    with suppress(OSError):  # so that Python does not try to write what is left, and print a traceback
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if error.errno != errno.EPIPE:
        from voeflow._command._pipelines import fail

        with suppress(OSError):
            fail(f"cannot write the output: {error.strerror}", 1)
    sys.exit(1)


if __name__ == "__main__":
    main()
