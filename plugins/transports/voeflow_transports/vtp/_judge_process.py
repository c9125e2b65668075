"""The process that asks subscribers' XPath filters.

An expression from a stranger can keep libxml2 busy for years on a packet of a few kilobytes, and a thread
inside libxml2 cannot be stopped. A process can: the kernel ends this one when an expression has used its
processor time, and the broadcaster starts another. Even whether an expression is XPath is asked here, since
that is found out by trying it.

It says `ready` first. A request comes on standard input, in frames: first JSON, then each event's packet:

    {"expressions": ["//Who", "//What"], "accounts": [0, 0], "budgets": [0.7], "events": 2, "seconds": 1.0}

The answer is a line for each expression, in order: how much processor time it took, in microseconds, a space,
and a `1` or `0` for each event; or `!` and why it is no XPath that can be used; or `-` where its account had
nothing left and it was not asked. An expression may take `seconds`, and what is left of its account's budget.
One that fails on an event does not hold for it. The end of standard input ends the process.
"""

from __future__ import annotations

import json
import resource
import signal
import struct
import sys
import time
from typing import BinaryIO

import voeflow

#: The first line of what it writes.
READY = b"ready"

#: What an answer begins with that tells why an expression cannot be used.
UNUSABLE = b"!"

#: What an answer consists of that tells of an expression that was not asked.
UNPAID = b"-"

#: The longest such reason, in characters.
_LONGEST_REASON = 300

#: What this process may allocate, in bytes: an expression may also build long strings.
_MOST_MEMORY = 2**31


def main() -> None:
    """Answer requests until there are no more."""
    for stop in (signal.SIGINT, signal.SIGTERM):  # these are the node's business; it ends this process
        signal.signal(stop, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # which ends a process, also inside libxml2
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    answers.write(READY + b"\n")
    answers.flush()
    while (head := _read_frame(requests)) is not None:
        request = json.loads(head)
        packets = [_read_frame(requests) or b"" for _ in range(request["events"])]
        events = [voeflow.Event.parse(packet, max_bytes=len(packet)) for packet in packets]
        budgets = request["budgets"]
        for expression, account in zip(request["expressions"], request["accounts"], strict=True):
            limit = min(request["seconds"], budgets[account])
            answer, began = UNPAID, time.process_time()
            if limit > 0:
                signal.setitimer(signal.ITIMER_PROF, limit)
                answer = _ask(expression, events)
                signal.setitimer(signal.ITIMER_PROF, 0)
            taken = time.process_time() - began
            budgets[account] -= taken
            answers.write(b"%d %s\n" % (taken * 1e6, answer))
            answers.flush()


def _ask(expression: str, events: list[voeflow.Event]) -> bytes:
    try:
        question = voeflow.XPath(expression)
    except ValueError as error:
        return UNUSABLE + voeflow.printable(str(error), _LONGEST_REASON).encode()
    return bytes(b"01"[_holds(question, event)] for event in events)


def _holds(question: voeflow.XPath, event: voeflow.Event) -> bool:
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
