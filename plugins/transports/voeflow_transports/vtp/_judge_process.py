"""The processes that ask subscribers' XPath filters.

An expression from a stranger can keep libxml2 busy for years on a packet of a few kilobytes, and a thread
inside libxml2 cannot be stopped. A process can: the kernel ends it when an expression has used its processor
time, and the broadcaster has another within milliseconds. For that, one process imports all that is needed
and only forks; those it forks ask.

The first has a socket for its standard input, and says `ready` on it. `fork N`, with a socket and the file of
a region of memory beside it, forks a process that is so much nicer; `wait PID` waits for one that has ended.
It answers with a number: the process's, or how it ended, as `subprocess` has it. The end of its input ends
it.

To a process that asks, a request comes in frames: first JSON, then each event's packet:

    {"expressions": ["//Who", "//What"], "accounts": [0, 0], "budgets": [0.7], "events": 2, "seconds": 1.0}

It writes a line into the region for each expression, in order: how much processor time it took, in
microseconds, a space, and a `1` or `0` for each event; or `!` and why it is no XPath that can be used; or `-`
where its account had nothing left and it was not asked. An expression may take `seconds`, and what is left of
its account's budget. One that fails on an event does not hold for it. The region begins with the length of
all lines, so that who is left behind knows how far it came. A `.` on the socket says now and then that there
are more lines, and `;` that there will be no more: all are there, or all that the region can hold.
"""

from __future__ import annotations

import gc
import json
import mmap
import os
import resource
import signal
import socket
import struct
import time
from typing import BinaryIO

from voeflow import Event, XPath, printable  # here, not when they are first used: it forks

#: The first thing that the process that forks says.
READY = b"ready"

#: What it is told.
FORK, WAIT = b"fork", b"wait"

#: What a process that asks says on its socket.
MORE, END = b".", b";"

#: What the region begins with.
LENGTH = struct.Struct("<Q")

#: What an answer begins with that tells why an expression cannot be used.
UNUSABLE = b"!"

#: What an answer consists of that tells of an expression that was not asked.
UNPAID = b"-"

#: After how much processor time it is said that there are more lines, in seconds.
_TOLD_EVERY = 0.005

#: The longest reason why an expression cannot be used, in characters.
_LONGEST_REASON = 300

#: How many compiled expressions are kept, at some kilobytes each.
_MOST_COMPILED = 20_000

#: What each process may allocate, in bytes: an expression may also build long strings.
_MOST_MEMORY = 2**31


def main() -> None:
    """Fork whenever told to, until the end of the input."""
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, signal.SIG_IGN)  # these are the node's business; it ends this process
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # which ends a process, also inside libxml2
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gc.freeze()  # what is shared with those that are forked stays shared
    with socket.socket(fileno=0) as control:
        control.sendall(READY)
        while True:
            told, files, _, _ = socket.recv_fds(control, 64, 2)
            if not told:
                return
            word, number = told.split()
            if word == WAIT:
                _, status = os.waitpid(int(number), 0)
                answer = os.waitstatus_to_exitcode(status)
            else:
                answer = os.fork()
                if answer == 0:
                    _run(control, int(number), files)
                for file in files:
                    os.close(file)
            control.sendall(b"%d" % answer)


def _run(control: socket.socket, nice: int, files: list[int]) -> None:
    """Be a process that asks; never returns."""
    try:
        control.close()
        os.nice(nice)
        with socket.socket(fileno=files[0]) as told, mmap.mmap(files[1], 0) as region:
            os.close(files[1])
            _serve(told, region)
    finally:
        os._exit(0)


def _serve(told: socket.socket, region: mmap.mmap) -> None:
    """Answer requests until there are no more."""
    requests = told.makefile("rb")
    compiled: dict[str, XPath] = {}
    while (head := _read_frame(requests)) is not None:
        request = json.loads(head)
        packets = [_read_frame(requests) or b"" for _ in range(request["events"])]
        # The node has read them before, and an old one perhaps without today's limit on attributes.
        events = [Event.parse(each, max_bytes=len(each), max_attributes=len(each)) for each in packets]
        budgets = request["budgets"]
        length = LENGTH.size
        LENGTH.pack_into(region, 0, 0)
        before = told_at = time.thread_time()
        for expression, account in zip(request["expressions"], request["accounts"], strict=True):
            limit = min(request["seconds"], budgets[account])
            answer = UNPAID
            if limit > 0:
                signal.setitimer(signal.ITIMER_PROF, limit)
                answer = _ask(expression, events, compiled)
            now = time.thread_time()
            budgets[account] -= now - before
            line = b"%d %s\n" % (1e6 * (now - before), answer)
            before = now
            if length + len(line) > len(region):
                break
            region[length : length + len(line)] = line
            length += len(line)
            LENGTH.pack_into(region, 0, length - LENGTH.size)
            if now - told_at >= _TOLD_EVERY:
                signal.setitimer(signal.ITIMER_PROF, 0)
                told.sendall(MORE)
                told_at = now
        signal.setitimer(signal.ITIMER_PROF, 0)
        told.sendall(END)


def _ask(expression: str, events: list[Event], compiled: dict[str, XPath]) -> bytes:
    question = compiled.get(expression)
    if question is None:
        try:
            question = XPath(expression)
        except ValueError as error:
            return UNUSABLE + printable(str(error), _LONGEST_REASON).encode()
        if len(compiled) >= _MOST_COMPILED:
            compiled.clear()
        compiled[expression] = question
    return bytes([b"01"[_holds(question, event)] for event in events])


def _holds(question: XPath, event: Event) -> bool:
    try:
        return question.holds(event)
    except Exception:  # noqa: BLE001 - whatever libxml2 finds wrong with a stranger's expression on this event
        return False


def _read_frame(stream: BinaryIO) -> bytes | None:
    count = stream.read(4)
    if len(count) < 4:
        return None
    (size,) = struct.unpack("!I", count)
    return stream.read(size)
