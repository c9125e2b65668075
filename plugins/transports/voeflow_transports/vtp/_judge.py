"""The judge: a process that asks XPath expressions of events, and can be stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

import attrs
import trio

from . import _judge_process
from ._frames import frame

#: How much longer than its processor time an expression may take by the clock, on a busy machine; and how
#: long the process may take to start; in seconds.
_WALL = 30.0

_READ_SIZE = 2**16

_TOO_LONG = "takes too long"

#: The budget of who has none, in seconds.
_UNBOUNDED = 1e9


@attrs.frozen
class Judgement:
    """What came of asking.

    Attributes:
        held: for each expression that was asked, whether it holds for each packet, in order.
        unusable: the expressions that are no XPath that can be used, each with the reason.
        unpaid: the expressions that were not asked to the end, since their account was used up. Those after
            them may not have been asked.
        taken: how much processor time the expressions of each account took, in seconds.
        costly: the expression that ended the asking, with what it did, or None. Those after it were not
            asked.
    """

    held: dict[str, list[bool]] = attrs.field(factory=dict)
    unusable: dict[str, str] = attrs.field(factory=dict)
    unpaid: list[str] = attrs.field(factory=list)
    taken: dict[str, float] = attrs.field(factory=dict)
    costly: tuple[str, str] | None = None

    def take(self, account: str, seconds: float) -> None:
        """Add to what an account's expressions took."""
        self.taken[account] = self.taken.get(account, 0.0) + seconds


@attrs.frozen
class _Request:
    expressions: Sequence[str]
    packets: Sequence[bytes]
    accounts: Mapping[str, str]
    budgets: Mapping[str, float]

    def account(self, expression: str) -> str:
        return self.accounts.get(expression, "")

    def limit(self, expression: str, time_limit: float, taken: Mapping[str, float]) -> float:
        account = self.account(expression)
        return min(time_limit, self.budgets.get(account, _UNBOUNDED) - taken.get(account, 0.0))

    def write(self, expressions: Sequence[str], time_limit: float, taken: Mapping[str, float]) -> bytes:
        """Write a request for some of the expressions, when some time was taken already."""
        places = {
            account: place for place, account in enumerate(dict.fromkeys(map(self.account, expressions)))
        }
        request = {
            "expressions": expressions,
            "accounts": [places[self.account(each)] for each in expressions],
            "budgets": [self.budgets.get(each, _UNBOUNDED) - taken.get(each, 0.0) for each in places],
            "events": len(self.packets),
            "seconds": time_limit,
        }
        return b"".join([frame(json.dumps(request).encode()), *map(frame, self.packets)])


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

    async def ask(
        self,
        expressions: Sequence[str],
        packets: Sequence[bytes],
        accounts: Mapping[str, str] | None = None,
        budgets: Mapping[str, float] | None = None,
    ) -> Judgement:
        """Ask expressions of packets, up to one that takes too long; without packets, whether they are XPath.

        Args:
            expressions: of any length and content.
            packets: VOEvents that `voeflow.Event.parse` takes.
            accounts: for each expression, on whose account it is asked; the account `""` if left out.
            budgets: how much processor time all expressions of an account may take, in seconds; as much as
                they like if left out.

        Raises:
            OSError: the process cannot be started.
        """
        async with self._lock:
            request = _Request(list(dict.fromkeys(expressions)), packets, accounts or {}, budgets or {})
            judgement = Judgement()
            costly = await self._try(request, judgement)
            if costly is not None and costly[1] != _TOO_LONG:
                # Nobody is known to be at fault: the system may have ended the process, for want of memory
                # say, whatever was being asked.
                costly = await self._try(request, judgement)
            return attrs.evolve(judgement, costly=costly)

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

    async def _try(self, request: _Request, judgement: Judgement) -> tuple[str, str] | None:
        """Add the answers to `judgement`; give the expression that ended the asking, and what happened."""
        known = judgement.held.keys() | judgement.unusable.keys() | set(judgement.unpaid)
        left = [each for each in request.expressions if each not in known]
        whole = False
        asked = ""
        process = self._process or await self._start()
        assert process.stdin is not None
        try:
            await process.stdin.send_all(request.write(left, self.time_limit, judgement.taken))
            for asked in left:
                with trio.fail_after(self.time_limit + _WALL):
                    taken, _, answer = (await self._line(process)).partition(b" ")
                judgement.take(request.account(asked), int(taken) / 1e6)
                if answer.startswith(_judge_process.UNUSABLE):
                    judgement.unusable[asked] = answer[1:].decode()
                elif answer == _judge_process.UNPAID:
                    judgement.unpaid.append(asked)
                else:
                    judgement.held[asked] = [digit == ord("1") for digit in answer]
            whole = True
        except trio.TooSlowError:
            judgement.take(request.account(asked), self.time_limit)
            return asked, _TOO_LONG
        except (EOFError, trio.BrokenResourceError):
            asked = asked or left[0]
            happened = _what_happened(await process.wait())
            if happened == _TOO_LONG:
                limit = request.limit(asked, self.time_limit, judgement.taken)
                judgement.take(request.account(asked), limit)
                if limit < self.time_limit:  # it is its account that had too little left
                    judgement.unpaid.append(asked)
                    return None
            return asked, happened
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
