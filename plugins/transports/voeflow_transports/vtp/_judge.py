"""The judge: a process that asks XPath expressions of events, and can be stopped."""

from __future__ import annotations

import json
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence

import attrs
import trio

from . import _judge_process
from ._forker import Child, Forker
from ._frames import frame

#: How much longer than its processor time an expression may take by the clock, on a busy machine, in seconds.
_WALL = 30.0

TOO_LONG = "takes too long"

#: The budget of who has none, in seconds.
_UNBOUNDED = 1e9


@attrs.frozen
class Question:
    """What a judge is to be asked.

    Attributes:
        expressions: of any length and content, each once.
        packets: VOEvents that `voeflow.Event.parse` takes; without any it is asked what is XPath.
        limit: how much processor time one expression may take for all packets, in seconds.
        accounts: for each expression, on whose account it is asked; the account `""` if left out.
        budgets: how much processor time all expressions of an account may take, in seconds; as much as they
            like if left out.
    """

    expressions: Sequence[str]
    packets: Sequence[bytes]
    limit: float
    accounts: Mapping[str, str] = attrs.field(factory=dict)
    budgets: Mapping[str, float] = attrs.field(factory=dict)

    def account(self, expression: str) -> str:
        """Give on whose account an expression is asked."""
        return self.accounts.get(expression, "")

    def left(self, account: str, judgement: Judgement) -> float:
        """Give how much processor time the expressions of an account may still take, in seconds."""
        return self.budgets.get(account, _UNBOUNDED) - judgement.taken.get(account, 0.0)

    def write(self, expressions: Sequence[str], judgement: Judgement) -> bytes:
        """Write what is still to be asked, for the process that asks."""
        accounts = [self.account(each) for each in expressions]
        places = {account: place for place, account in enumerate(dict.fromkeys(accounts))}
        request = {
            "expressions": expressions,
            "accounts": [places[each] for each in accounts],
            "budgets": [self.left(each, judgement) for each in places],
            "events": len(self.packets),
            "seconds": self.limit,
        }
        return b"".join([frame(json.dumps(request).encode()), *map(frame, self.packets)])


@attrs.define
class Judgement:
    """What has come of asking so far.

    Attributes:
        held: for each expression that was asked, a `1` for each packet for which it holds, in order, and a
            `0` for each other.
        unusable: the expressions that are no XPath that can be used, each with the reason.
        unpaid: the expressions that were not asked to the end, since their account was used up. Those after
            them may not have been asked.
        took: how much processor time each expression took, in seconds.
        taken: how much the expressions of each account took, in seconds.
        costly: the expression that ended the asking, with what it did, or None. Those after it were not
            asked.
    """

    held: dict[str, bytes] = attrs.field(factory=dict)
    unusable: dict[str, str] = attrs.field(factory=dict)
    unpaid: list[str] = attrs.field(factory=list)
    took: dict[str, float] = attrs.field(factory=dict)
    taken: dict[str, float] = attrs.field(factory=dict)
    costly: tuple[str, str] | None = None

    def take(self, expression: str, account: str, seconds: float) -> None:
        """Note what an expression took, on an account."""
        self.took[expression] = seconds
        self.taken[account] = self.taken.get(account, 0.0) + seconds


@attrs.define(eq=False)
class Judge:
    """Asks expressions of packets in a process of its own, which is started when it is first needed.

    Attributes:
        forker: starts it.
        nice: how much nicer than the node it is to others on this machine.
    """

    forker: Forker
    nice: int = 0
    _child: Child | None = attrs.field(default=None, init=False, repr=False)
    _lock: trio.Lock = attrs.field(factory=trio.Lock, init=False, repr=False)

    async def ask(
        self,
        question: Question,
        judgement: Judgement | None = None,
        progress: Callable[[], Awaitable[None]] | None = None,
    ) -> Judgement:
        """Ask expressions of packets, up to one that takes too long.

        Args:
            question: what is asked.
            judgement: what comes of it is added to this; something new if left out.
            progress: is called whenever something was added, with some milliseconds' worth of work between.

        Raises:
            OSError: the process cannot be started.
        """
        async with self._lock:
            judgement = Judgement() if judgement is None else judgement
            left = list(question.expressions)
            again = True
            while left:
                answered, happened = await self._try(question, left, judgement, progress)
                if happened and (happened == TOO_LONG or not again):
                    judgement.costly = left[answered], happened
                    break
                if happened:
                    # Nobody is known to be at fault: the system may have ended the process, for want of
                    # memory say, whatever was being asked.
                    again = False
                left = left[answered:]
            return judgement

    async def aclose(self) -> None:
        """End the process, if there is one."""
        await self._end()

    async def _end(self) -> int | None:
        child, self._child = self._child, None
        return None if child is None else await self.forker.end(child)

    async def _try(
        self,
        question: Question,
        left: Sequence[str],
        judgement: Judgement,
        progress: Callable[[], Awaitable[None]] | None,
    ) -> tuple[int, str]:
        """Ask what is left; give how many were answered, and what happened at the next if that ended it."""
        child = self._child = self._child or await self.forker.fork(self.nice)
        answered, seen = 0, 0

        def read() -> None:
            nonlocal answered, seen
            for line in child.lines(seen):
                _note(line, left[answered], question, judgement)
                answered, seen = answered + 1, seen + len(line) + 1

        said = b""
        try:
            await child.stream.send_all(question.write(left, judgement))
            while not said.endswith(_judge_process.END):
                with trio.fail_after(question.limit + _WALL):
                    if not (said := await child.stream.receive_some(4096)):
                        raise EOFError
                read()
                if progress is not None:
                    await progress()
            return answered, ""
        except (EOFError, trio.BrokenResourceError, trio.TooSlowError) as error:
            read()
            if answered == len(left):  # it ended after all that
                return answered, ""
            status = await self._end()
            happened = f"ended the process that asked it (status {status})"
            if isinstance(error, trio.TooSlowError) or status == -signal.SIGPROF:
                happened = TOO_LONG
                limit = min(question.limit, question.left(question.account(left[answered]), judgement))
                judgement.take(left[answered], question.account(left[answered]), limit)
                if limit < question.limit:  # it is its account that had too little left
                    judgement.unpaid.append(left[answered])
                    return answered + 1, ""
            return answered, happened
        finally:
            if not said.endswith(_judge_process.END):
                # What it writes next belongs to a request that nobody waits for.
                await self._end()


def _note(line: bytes, expression: str, question: Question, judgement: Judgement) -> None:
    taken, _, answer = line.partition(b" ")
    judgement.take(expression, question.account(expression), int(taken) / 1e6)
    if answer.startswith(_judge_process.UNUSABLE):
        judgement.unusable[expression] = answer[1:].decode()
    elif answer == _judge_process.UNPAID:
        judgement.unpaid.append(expression)
    else:
        judgement.held[expression] = answer
