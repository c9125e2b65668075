"""Has packets read in a process beside the node, in a burst.

To read a packet takes more of Python than anything else that a node does with it, and Python runs in one
thread at a time. With a process for that, connections and packets are seen to at once. An event that comes
alone is read in the node itself: it would only have further to go. So the process is started by the first
burst.

Nothing depends on it: what it does not read, because it is not there, or has died of a packet, the node
reads.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

import attrs
import structlog

from voeflow import _reader_process
from voeflow._errors import EventError
from voeflow._event import Facts

log = structlog.get_logger()

#: So many packets at once are a burst, and worth starting the process.
BURST = 16

#: Fewer than this are read in the node: to ask costs some 100 us.
FEWEST = 4

#: The longest packet that is read there, in bytes. Whoever looks into such an event has the node read it
#: again, maybe in its event loop: half a millisecond.
LONGEST = 2**15

#: How long an answer may take, and how much longer for each packet, in seconds: all others wait meanwhile.
#: It takes some milliseconds; a packet can be made to take some 35 of them, and the machine may be slow.
_PATIENCE, _PER_PACKET = 1.0, 0.1

#: How long after the process has died it is started again at the earliest, in seconds.
_PAUSE = 60.0

#: How long it is given to end, in seconds.
_FAREWELL = 2.0


@attrs.frozen(eq=False, repr=False)
class Limits:
    """What a packet may be.

    Attributes:
        max_bytes: its greatest length.
        max_depth: the greatest depth of its elements.
        max_attributes: the greatest number of attributes of one element.
    """

    max_bytes: int
    max_depth: int
    max_attributes: int


class Reader:
    """Reads packets in a process of its own. May be used from several threads; each waits for its answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._ready = False
        self._not_before = 0.0

    def read(self, packets: Sequence[bytes], limits: Limits) -> list[Facts | EventError] | None:
        """Read packets, if that is worth it and the process is there.

        Returns:
            For each what it is, or why it cannot be read; None if the node has to read them.
        """
        if len(packets) < FEWEST or max(map(len, packets)) > LONGEST:
            return None
        with self._lock:
            try:
                if not self._is_ready(len(packets)):
                    return None
                assert self._socket is not None
                self._socket.settimeout(_PATIENCE + _PER_PACKET * len(packets))
                _reader_process.send(self._socket, (list(map(bytes, packets)), *attrs.astuple(limits)))
                answers = _reader_process.receive(self._socket)
            except (OSError, EOFError, ValueError, TypeError) as error:
                self._give_up(error)
                return None
        return [EventError(*each) if len(each) == 3 else Facts(*each) for each in answers]

    def close(self) -> None:
        """End the process; in a thread, for it may take two seconds."""
        with self._lock:
            self._not_before = float("inf")
            self._end()

    def _is_ready(self, number: int) -> bool:
        """Whether the process can be asked; where there is none, `number` packets may be worth one."""
        if self._socket is None:
            if number >= BURST and time.monotonic() >= self._not_before:
                self._start()
            return False
        if not self._ready and _has_said_something(self._socket):
            if self._socket.recv(1) != _reader_process.READY:
                raise EOFError
            self._ready = True
        return self._ready

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._socket = ours
            self._process = subprocess.Popen(  # noqa: S603 - no shell, and no word from outside
                # The node's own path, and not the working directory: anybody may have put files there.
                [sys.executable, "-P", "-c", f"from {_reader_process.__name__} import main; main()"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                process_group=0,  # else Ctrl-C would end it with a traceback while it begins
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )

    def _give_up(self, error: Exception) -> None:
        if isinstance(error, TimeoutError) and self._process is not None:
            self._process.kill()  # it would not see that its input ends
        status = self._end()
        self._not_before = time.monotonic() + _PAUSE
        log.warning(
            "the process that reads packets has ended; the node reads them itself",
            status=status,
            reason=str(error) or "it closed its end",
        )

    def _end(self) -> int | None:
        """End the process, if there is one.

        Returns:
            How it ended, as `subprocess` has it.
        """
        sock, self._socket = self._socket, None
        process, self._process = self._process, None
        self._ready = False
        if sock is not None:
            sock.close()  # which ends it
        if process is None:
            return None
        try:
            return process.wait(_FAREWELL)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def _has_said_something(sock: socket.socket) -> bool:
    poll = select.poll()  # `select.select` takes no file with a number above 1023
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
