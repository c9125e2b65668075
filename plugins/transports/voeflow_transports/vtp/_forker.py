"""Starts the processes that ask filters, within milliseconds of each other."""

from __future__ import annotations

import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
from array import array
from typing import IO

import attrs
import trio

from . import _judge_process

#: How long the process that forks may take to start, and to answer on a busy machine, in seconds.
_WALL = 30.0

_DID_NOT_START = "the process that asks subscribers' filters did not start"


@attrs.frozen(eq=False)
class Child:
    """A process that asks, as `_judge_process` describes it.

    Attributes:
        pid: its number.
        stream: what requests go to.
        region: where its answers are.
        parent: the process that forked it.
    """

    pid: int
    stream: trio.SocketStream
    region: mmap.mmap
    parent: trio.Process

    def lines(self, seen: int) -> list[bytes]:
        """Give the lines in the region, but for those that were `seen`, in bytes."""
        (length,) = _judge_process.LENGTH.unpack_from(self.region, 0)
        begin = _judge_process.LENGTH.size
        return self.region[begin + seen : begin + length].split(b"\n")[:-1]


@attrs.define(eq=False)
class Forker:
    """Has a process that has imported all that is needed, and lets it fork; it is started when first needed.

    To start one anew takes a third of a second, to fork it two milliseconds.

    Attributes:
        room: how many bytes of answers a forked process can write before it has to be asked again.
    """

    room: int = 2**20

    _process: trio.Process | None = attrs.field(default=None, init=False, repr=False)
    _control: trio.socket.SocketType | None = attrs.field(default=None, init=False, repr=False)
    _lock: trio.Lock = attrs.field(factory=trio.Lock, init=False, repr=False)

    async def fork(self, nice: int) -> Child:
        """Fork a process.

        Args:
            nice: how much nicer to others on this machine it is to be.

        Raises:
            OSError: it cannot be started.
        """
        async with self._lock:
            for last in (False, True):
                if self._process is None:
                    await self._start()
                ours, theirs = socket.socketpair()
                with theirs, _file() as file:
                    os.ftruncate(file.fileno(), self.room)
                    pid = await self._tell(_judge_process.FORK, nice, [theirs.fileno(), file.fileno()])
                    if pid is not None and self._process is not None:
                        region = mmap.mmap(file.fileno(), self.room)
                        stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
                        return Child(pid, stream, region, self._process)
                ours.close()
                if last:
                    break
            raise OSError(_DID_NOT_START)

    async def end(self, child: Child) -> int | None:
        """End a process, if it has not ended.

        Returns:
            How it ended, as `subprocess` has it, or None if that is not known.
        """
        status = None
        with trio.move_on_after(2 * _WALL, shield=True):
            async with self._lock:
                if child.parent is self._process:  # which keeps the number from being given to another
                    os.kill(child.pid, signal.SIGKILL)
                    status = await self._tell(_judge_process.WAIT, child.pid)
            await trio.aclose_forcefully(child.stream)  # which ends it too, once it asks no more
            child.region.close()
        return status

    async def aclose(self) -> None:
        """End the process that forks."""
        with trio.move_on_after(2 * _WALL, shield=True):
            async with self._lock:
                await self._close()

    async def _close(self) -> None:
        process, self._process = self._process, None
        control, self._control = self._control, None
        if control is not None:
            control.close()
        if process is not None:
            process.kill()
            with trio.move_on_after(_WALL, shield=True):
                await process.wait()

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        self._control = control = trio.socket.from_stdlib_socket(ours)
        ready = False
        try:
            with theirs:
                self._process = await trio.lowlevel.open_process(
                    # The node's own path, and not the working directory: anybody may have put files there.
                    [sys.executable, "-P", "-c", f"from {_judge_process.__name__} import main; main()"],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    process_group=0,  # else Ctrl-C would end it with a traceback while it begins
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                )
            with trio.move_on_after(_WALL):
                ready = await control.recv(64) == _judge_process.READY
        finally:
            if not ready:
                await self._close()
        if not ready:
            raise OSError(_DID_NOT_START)

    async def _tell(self, word: bytes, number: int, files: list[int] | None = None) -> int | None:
        """Tell the process that forks something; give its answer, or None if it gives none and is ended.

        The system may have ended it; and an answer that came too late would be taken for the next one.
        """
        assert self._control is not None
        beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", files))] if files else []
        try:
            with trio.move_on_after(_WALL, shield=True):
                await self._control.sendmsg([b"%s %d" % (word, number)], beside)
                if answer := await self._control.recv(64):
                    return int(answer)
        except OSError:
            pass
        await self._close()
        return None


def _file() -> IO[bytes]:
    """Give a file for a region of memory; it is gone when it is closed everywhere."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("voeflow"), "r+b")
    return tempfile.TemporaryFile()
