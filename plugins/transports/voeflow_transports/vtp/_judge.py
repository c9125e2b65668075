"""The judge: a process that asks XPath expressions of events, and can be stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

import attrs
import trio

from . import _judge_process
from ._frames import frame

#: How much longer than its processor time an expression may take by the clock, on a busy machine; and how
#: long the process may take to start; in seconds.
_WALL = 30.0

_READ_SIZE = 2**16

_TOO_LONG = "takes too long"


@attrs.frozen
class Judgement:
    """What came of asking.

    Attributes:
        held: for each expression that was asked, whether it holds for each packet, in order.
        unusable: the expressions that are no XPath that can be used, each with the reason.
        costly: the expression that ended the asking, with what it did, or None. Those after it were not
            asked.
    """

    held: dict[str, list[bool]] = attrs.field(factory=dict)
    unusable: dict[str, str] = attrs.field(factory=dict)
    costly: tuple[str, str] | None = None


@attrs.define(eq=False)
class Judge:
    """Asks expressions of packets in a process of its own, which is started when it is first needed.

    Attributes:
        time_limit: how much processor time one expression may take for all packets of a call, in seconds.
    """

    time_limit: float
    _process: trio.Process | None = attrs.field(default=None, init=False, repr=False)
    _read: bytes = attrs.field(default=b"", init=False, repr=False)
    _lock: trio.Lock = attrs.field(factory=trio.Lock, init=False, repr=False)

    async def ask(self, expressions: Sequence[str], packets: Sequence[bytes]) -> Judgement:
        """Ask expressions of packets, up to one that takes too long; without packets, whether they are XPath.

        Args:
            expressions: of any length and content.
            packets: VOEvents that `voeflow.Event.parse` takes.

        Raises:
            OSError: the process cannot be started.
        """
        async with self._lock:
            return await self._ask(list(dict.fromkeys(expressions)), packets, Judgement())

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

    async def _ask(
        self, expressions: Sequence[str], packets: Sequence[bytes], judgement: Judgement
    ) -> Judgement:
        """Ask, and ask once more where the process ended and nobody is known to be at fault.

        The system may have ended it, for want of memory say, whatever was being asked.
        """
        costly = await self._try(expressions, packets, judgement)
        if costly is not None and costly[1] != _TOO_LONG:
            costly = await self._try(expressions, packets, judgement)
        return attrs.evolve(judgement, costly=costly)

    async def _try(
        self, expressions: Sequence[str], packets: Sequence[bytes], judgement: Judgement
    ) -> tuple[str, str] | None:
        """Add the answers to `judgement`; give the expression that ended the asking, and what happened."""
        left = [each for each in expressions if each not in judgement.held.keys() | judgement.unusable]
        request = {"expressions": left, "events": len(packets), "seconds": self.time_limit}
        whole = False
        asked = ""
        process = self._process or await self._start()
        assert process.stdin is not None
        try:
            await process.stdin.send_all(
                b"".join([frame(json.dumps(request).encode()), *map(frame, packets)])
            )
            for asked in left:
                with trio.fail_after(self.time_limit + _WALL):
                    line = await self._line(process)
                if line.startswith(_judge_process.UNUSABLE):
                    judgement.unusable[asked] = line[1:].decode()
                else:
                    judgement.held[asked] = [digit == ord("1") for digit in line]
            whole = True
        except trio.TooSlowError:
            return asked, _TOO_LONG
        except (EOFError, trio.BrokenResourceError):
            return asked or left[0], _what_happened(await process.wait())
        finally:
            if not whole:  # what it writes next belongs to a request that nobody waits for
                await self.aclose()
        return None

    async def _start(self) -> trio.Process:
        process = self._process = await trio.lowlevel.open_process(
            [sys.executable, "-c", f"from {_judge_process.__name__} import main; main()"],
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
        return _TOO_LONG
    return f"ended the process that asked it (status {status})"
