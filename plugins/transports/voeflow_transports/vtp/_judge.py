"""The judge: a process that asks XPath expressions of events, and can be stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence

import attrs
import trio

from . import _judge_process
from ._frames import frame

#: How much longer than its processor time an expression may take by the clock, on a busy machine; and how
#: long the process may take to start; in seconds.
_WALL = 30.0

_READ_SIZE = 2**16


@attrs.frozen
class Judgement:
    """What came of asking.

    Attributes:
        held: for each expression, whether it holds for each packet, in order.
        costly: the expressions that have no answers, each with what they did.
    """

    held: dict[str, Sequence[bool]]
    costly: dict[str, str]


@attrs.define(eq=False)
class Judge:
    """Asks expressions of packets in a process of its own, which is started when it is first needed.

    Attributes:
        time_limit: how much processor time one expression may take for all packets of a call, in seconds.
    """

    time_limit: float
    _process: trio.Process | None = attrs.field(default=None, init=False, repr=False)
    _read: bytes = attrs.field(default=b"", init=False, repr=False)

    async def ask(self, expressions: Iterable[str], packets: Sequence[bytes]) -> Judgement:
        """Ask every expression of every packet. One task at a time may do so.

        Args:
            expressions: XPath 1.0 that `voeflow.XPath` takes.
            packets: VOEvents that `voeflow.Event.parse` takes.

        Raises:
            OSError: the process cannot be started.
        """
        judgement = Judgement({}, {})
        left = list(expressions)
        events = b"".join(map(frame, packets))
        while left:
            answers, why = await self._round(left, len(packets), events)
            judgement.held.update(zip(left, answers, strict=False))
            if why:
                judgement.costly[left[len(answers)]] = why
            del left[: len(answers) + 1]
        return judgement

    async def aclose(self) -> None:
        """End the process, if there is one."""
        process, self._process, self._read = self._process, None, b""
        if process is not None:
            process.kill()
            with trio.move_on_after(_WALL, shield=True):
                await process.wait()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                await trio.aclose_forcefully(pipe)

    async def _round(self, expressions: list[str], count: int, events: bytes) -> tuple[list[list[bool]], str]:
        """Ask until one expression ends the process; give the answers of those before it, and what it did."""
        answers: list[list[bool]] = []
        request = {"expressions": expressions, "events": count, "seconds": self.time_limit}
        whole = False
        process = self._process or await self._start()
        assert process.stdin is not None
        try:
            await process.stdin.send_all(frame(json.dumps(request).encode()) + events)
            for _ in expressions:
                with trio.fail_after(self.time_limit + _WALL):
                    answers.append([digit == ord("1") for digit in await self._line(process)])
            whole = True
        except trio.TooSlowError:
            return answers, "takes too long"
        except (EOFError, trio.BrokenResourceError):
            return answers, _what_happened(await process.wait())
        finally:
            if not whole:  # what it writes next belongs to a request that nobody waits for
                await self.aclose()
        return answers, ""

    async def _start(self) -> trio.Process:
        process = self._process = await trio.lowlevel.open_process(
            [sys.executable, "-m", _judge_process.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        ready = False
        try:
            with trio.fail_after(_WALL):
                ready = await self._line(process) == _judge_process.READY
        except (EOFError, trio.TooSlowError) as error:
            raise OSError("the process that asks subscribers' filters did not start") from error
        finally:
            if not ready:
                await self.aclose()
        return process

    async def _line(self, process: trio.Process) -> bytes:
        assert process.stdout is not None
        while b"\n" not in self._read:
            data = await process.stdout.receive_some(_READ_SIZE)
            if not data:
                raise EOFError
            self._read += data
        line, _, self._read = self._read.partition(b"\n")
        return line


def _what_happened(status: int) -> str:
    if status == -signal.SIGPROF:
        return "takes too long"
    return f"ended the process that asked it (status {status})"
