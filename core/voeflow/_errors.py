"""The errors that voeflow raises on purpose, by whose fault they are.

```
VoeflowError
├── PipelineError        the pipeline file: every mistake in it
├── PluginError          a plugin that cannot be loaded or used, with its distribution
├── EventError           bytes that are no VOEvent: why, and where
├── StoreError           the event store cannot be opened, read or written
├── FilterError          a filter that raised or ran out of time
├── StartError           a node that cannot start: which table, and why
├── Later                raised by a handler: not now, ask me again
└── GiveUp               raised by a handler: not now, and not later either
```

They hold data and format late, so that a caller can show them its own way. Anything else that escapes
a public function is a bug.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import attrs

from voeflow._text import printable


class VoeflowError(Exception):
    """The base of every error that voeflow raises on purpose."""


@attrs.frozen
class Mistake:
    """One thing wrong in a pipeline file.

    Attributes:
        where: the table and key, as `handlers.slew.timeout`; empty for the file as a whole.
        problem: what was expected and what was there, in words.
        remedy: what to do about it, or empty when `problem` already says it.
    """

    where: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.problem}" if self.where else self.problem
        return f"{text} ({self.remedy})" if self.remedy else text


class PipelineError(VoeflowError):
    """A pipeline file that cannot be used; carries every mistake found in it, not the first one.

    Attributes:
        path: the file.
        mistakes: at least one.
    """

    def __init__(self, path: Path, mistakes: Sequence[Mistake]) -> None:
        super().__init__(path, tuple(mistakes))
        self.path = path
        self.mistakes = tuple(mistakes)

    def __str__(self) -> str:
        return "\n".join(f"{self.path}: {mistake}" for mistake in self.mistakes)


class PluginError(VoeflowError):
    """A plugin that cannot be loaded or used.

    Attributes:
        plugin: its name: a registered name, or the entry point's where there is none yet.
        distribution: the installed distribution that brought it, or `an unknown distribution`.
        reason: what went wrong.
    """

    def __init__(self, plugin: str, distribution: str, reason: str) -> None:
        super().__init__(plugin, distribution, reason)
        self.plugin = plugin
        self.distribution = distribution
        self.reason = reason

    def __str__(self) -> str:
        return f"plugin {self.plugin!r} of {self.distribution}: {self.reason}"


class EventError(VoeflowError):
    """Bytes that are no VOEvent that can be taken.

    Attributes:
        reason: what is wrong and what was expected, for the packet's author. It never repeats more than
            a few words of the packet, and nothing of this machine.
        line: the line in the packet, counted from 1, or None where there is no place to point at.
        column: the column in that line, counted from 1, or None.
    """

    def __init__(self, reason: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(reason, line, column)
        self.reason = reason
        self.line = line
        self.column = column

    def __str__(self) -> str:
        if self.line is None:
            return self.reason
        place = f"line {self.line}" if self.column is None else f"line {self.line}, column {self.column}"
        return f"{place}: {self.reason}"


class StoreError(VoeflowError):
    """The event store cannot be opened, read or written; the message says which and what to do."""


class FilterError(VoeflowError):
    """A filter that gave no answer: it raised, answered no bool, or ran out of time.

    Attributes:
        filter: the name of its table.
        reason: what happened.
    """

    def __init__(self, filter: str, reason: str) -> None:  # noqa: A002 - public, and what the attribute is called
        super().__init__(filter, reason)
        self.filter = filter
        self.reason = reason

    def __str__(self) -> str:
        return f"filter {self.filter!r}: {self.reason}"


class StartError(VoeflowError):
    """A node that cannot start, before it has accepted anything.

    Attributes:
        where: the table that asked for what cannot be had, as `transports.authors`; or the key `store`.
        reason: what cannot be had, and what to do.
        others: what else cannot, where several tables were tried.
    """

    def __init__(self, where: str, reason: str, others: Sequence[StartError] = ()) -> None:
        super().__init__(where, reason, tuple(others))
        self.where = where
        self.reason = reason
        self.others = tuple(others)

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


class Later(VoeflowError):  # noqa: N818 - public; a handler raises it as its answer, no fault
    """Raised by a handler: hand me this event again in `seconds`; it does not count as a failure.

    Attributes:
        seconds: how long to wait, above zero.
        reason: why, for the log; made one line of printable text.

    Raises:
        ValueError: `seconds` is no finite number above zero, and nobody could tell when to ask again.
    """

    def __init__(self, seconds: float, reason: str) -> None:
        given: object = seconds  # a plugin may pass anything
        if not isinstance(given, int | float) or not 0 < given < math.inf:
            raise ValueError(f"Later: expected a finite number of seconds above zero, got {seconds!r}")
        super().__init__(seconds, reason)
        self.seconds = float(seconds)
        self.reason = printable(str(reason), 500)

    def __str__(self) -> str:
        return f"in {self.seconds:g} s: {self.reason}"


class GiveUp(VoeflowError):  # noqa: N818 - public; a handler raises it as its answer, no fault
    """Raised by a handler: this event will not be taken, however often it is handed over.

    It becomes a dead letter at once, whatever `retries` says: kept, shown by `voeflow events list --dead`,
    and handed over again by `voeflow events replay`. For what another try cannot mend: the far end has looked
    at the event and refused it. A far end that is away is a failure like any other.

    Attributes:
        reason: why; made one line of printable text.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = printable(str(reason), 1000)

    def __str__(self) -> str:
        return self.reason
