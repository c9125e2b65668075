"""The node's log: lines for people on a terminal, JSON for machines, both on standard error.

Every text that reaches the log passes `printable` here, so that nothing that an event, a peer or a child
process says can break a line, drive a terminal or flood a disk.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import structlog

from voeflow._raised import describe
from voeflow._text import printable

#: The greatest length of one fact in a log line, and of one line of a traceback, in characters.
MAX_FACT = 500

#: How many lines of a traceback are shown, the last ones.
MAX_TRACEBACK = 100

#: To how many characters what happened is filled up, so that the facts of most lines begin in one column.
_EVENT_WIDTH = 28

#: What every line has, and what few have; and what makes a value ambiguous, so that it is shown in quotes.
_USUAL = frozenset({"timestamp", "level", "event"})
_UNUSUAL = frozenset({"logger", "logger_name", "stack", "exception", "exc_info"})
_TO_QUOTE = re.compile(r"""[ \t=\r\n"']""")

LogFormat = Literal["auto", "console", "json"]


def configure_log(level: str = "info", log_format: LogFormat = "auto", stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's log lines to `stream`, in one shape.

    Args:
        level: the least level that is shown: `debug`, `info`, `warning` or `error`.
        log_format: `console` for people, `json` for one JSON object a line, `auto` for `console`.
        stream: where to; standard error if None.
    """
    out = stream if stream is not None else sys.stderr
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _stamp,
        structlog.processors.format_exc_info,
        clean,
    ]
    ending: list[structlog.typing.Processor]
    if log_format == "json":
        ending = [structlog.processors.JSONRenderer(default=str)]
    else:
        for_people = structlog.dev.ConsoleRenderer(
            colors=out.isatty(),
            pad_event_to=_EVENT_WIDTH,
            sort_keys=False,
            # structlog's own choice shows local variables, passwords and packets among them
            exception_formatter=structlog.dev.plain_traceback,
        )
        ending = [for_people if out.isatty() else _plain(for_people)]
    structlog.configure(
        processors=[*shared, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(threshold, logging.INFO))


def _plain(for_people: structlog.typing.Processor) -> structlog.typing.Processor:
    """Write a line without colours as structlog does, in a fifth of its time; leave it what is unusual."""
    level_width = max(map(len, structlog.dev.ConsoleRenderer.get_default_level_styles(colors=False)))

    def render(logger: Any, name: str, facts: MutableMapping[str, Any]) -> Any:
        if not facts.keys() >= _USUAL or not facts.keys().isdisjoint(_UNUSUAL):
            return for_people(logger, name, facts)
        words = [
            facts.pop("timestamp"),
            f"[{facts.pop('level').ljust(level_width)}]",
            str(facts.pop("event")).ljust(_EVENT_WIDTH),
            *[f"{fact}={_shown(value)}" for fact, value in facts.items()],
        ]
        return " ".join(words).rstrip(" ")

    return render


def _shown(value: object) -> str:
    return value if isinstance(value, str) and _TO_QUOTE.search(value) is None else repr(value)


def _stamp(_: Any, __: str, facts: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the time, in UTC, to the millisecond (a structlog processor)."""
    facts["timestamp"] = f"{datetime.now(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
    return facts


def clean(_: Any, __: str, facts: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Make every text among a line's facts printable and bounded (a structlog processor)."""
    for name, value in facts.items():
        if isinstance(value, str):
            facts[name] = _traceback(value) if name == "exception" else printable(value, MAX_FACT)
        elif isinstance(value, BaseException):
            facts[name] = describe(value)
    return facts


def _traceback(text: str) -> str:
    """Make a traceback fit for a log: each line printable, and indented lest it pass for a log line."""
    lines = text.splitlines()
    return "\n".join(f"  {printable(line, MAX_FACT)}" for line in lines[-MAX_TRACEBACK:])
