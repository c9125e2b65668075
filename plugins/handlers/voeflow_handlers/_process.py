"""A child process: feeding it, listening to it, and ending it with everything it started."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import attrs
import structlog
import trio

import voeflow

#: How long SIGTERM is given to work before SIGKILL, and SIGKILL before the process is left to the kernel;
#: in seconds.
GRACE = 3.0

#: How long a process's output is listened to after its end, in seconds: a helper that it left running may
#: keep the pipes open for ever.
AFTERTHOUGHT = 1.0

#: How many lines go to the log, and how many characters of each.
LINES_MAX, LINE_MAX = 1000, 500

_CHUNK = 16 * 1024
_POLL = 0.05


class Output:
    """What a process writes, in lines to the log, as far as a budget goes that its two streams share.

    Args:
        log: where the lines go.
        budget: how many bytes go there.
    """

    def __init__(self, log: structlog.typing.FilteringBoundLogger, budget: int) -> None:
        self._log = log
        self._bytes_left = budget
        self._lines_left = LINES_MAX
        self._cut = False

    async def read(self, stream: trio.abc.ReceiveStream, name: str, tail: bytearray) -> None:
        """Read a stream to its end, so that the process never waits for its reader.

        Args:
            stream: the stream.
            name: what the log calls it.
            tail: is kept at the last bytes read, whatever the budget.
        """
        line = bytearray()
        try:
            while chunk := await stream.receive_some(_CHUNK):
                tail += chunk
                del tail[:-_CHUNK]
                taken = chunk[: self._bytes_left]
                self._bytes_left -= len(taken)
                *whole, rest = taken.split(b"\n")
                for part in whole:
                    self._tell(name, line + part)
                    line.clear()
                line += rest
                if len(taken) < len(chunk):
                    self._tell(name, line)
                    line.clear()
                    self._tell_cut()
        finally:
            self._tell(name, line)

    def _tell(self, name: str, line: bytes | bytearray) -> None:
        text = _text(line)
        if not text:
            return
        if not self._lines_left:
            self._tell_cut()
            return
        self._lines_left -= 1
        self._log.info("the command wrote", stream=name, line=text)

    def _tell_cut(self) -> None:
        if not self._cut:
            self._cut = True
            self._log.warning("the command writes more than is logged; the rest is dropped")


@attrs.frozen
class Ending:
    """How a process ended.

    Attributes:
        status: its exit status, or minus the number of the signal that ended it; None where it was stopped
            for having taken too long.
        last_words: the last line on its standard error, printable and bounded; empty if there was none.
    """

    status: int | None
    last_words: str


async def converse(
    process: trio.Process,
    request: bytes,
    *,
    timeout: float,
    log: structlog.typing.FilteringBoundLogger,
    budget: int,
) -> Ending:
    """Write to a process, log what it writes, and wait for its end.

    A process need not read what it is given. Its output is read to the end, but no longer than `AFTERTHOUGHT`
    after its own end. One that is still running after `timeout`, or when this is cancelled, is ended with all
    of its group.

    Args:
        process: the leader of a process group, with pipes for its standard streams, which are closed here.
        request: what is written to its standard input.
        timeout: how long it may take, in seconds.
        log: where its output goes.
        budget: how many bytes of it.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    output = Output(log, budget)
    errors = bytearray()
    status = None
    async with process.stdin, process.stdout, process.stderr, trio.open_nursery() as nursery:
        nursery.start_soon(_feed, process.stdin, request)
        nursery.start_soon(output.read, process.stdout, "stdout", bytearray())
        nursery.start_soon(output.read, process.stderr, "stderr", errors)
        try:
            with trio.move_on_after(timeout):
                status = await process.wait()
        finally:
            if status is None:
                await _end_group(process)  # it is still listened to: how it takes leave may be worth knowing
        nursery.cancel_scope.deadline = trio.current_time() + AFTERTHOUGHT
    return Ending(status, next(filter(None, map(_text, reversed(errors.split(b"\n")))), ""))


async def _feed(stream: trio.abc.SendStream, request: bytes) -> None:
    with suppress(trio.BrokenResourceError):  # it has closed its input: all it wanted to know
        await stream.send_all(request)
    await stream.aclose()


def _text(line: bytes | bytearray) -> str:
    return voeflow.printable(line[: 4 * LINE_MAX].decode(errors="replace").rstrip(), LINE_MAX)


async def _end_group(process: trio.Process) -> None:
    """End a process that leads a process group, and all of the group.

    SIGTERM first; SIGKILL to what is left once `GRACE` is over. Goes on when cancelled, but takes no longer
    than twice `GRACE`.
    """
    with trio.CancelScope(shield=True, deadline=trio.current_time() + 2 * GRACE):
        _signal(process.pid, signal.SIGTERM)
        with trio.move_on_after(GRACE):
            await process.wait()
            while _signal(process.pid, 0):  # noqa: ASYNC110 - nothing tells of the end of a child's children
                await trio.sleep(_POLL)
            return
        _signal(process.pid, signal.SIGKILL)
        await process.wait()


def _signal(group: int, number: int) -> bool:
    """Send a signal to a process group; whether there is any of it left to take it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        return False
    return True
