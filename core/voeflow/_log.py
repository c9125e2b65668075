"""The node's log: lines for people on a terminal, JSON for machines, both on standard error.

Every text that reaches the log passes `printable` here, so that nothing that an event, a peer or a child
process says can break a line, drive a terminal or flood a disk.
"""

from __future__ import annotations

import logging
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
        ending = [
            structlog.dev.ConsoleRenderer(
                colors=out.isatty(),
                pad_event_to=28,
                sort_keys=False,
                # structlog's own choice shows local variables, passwords and packets among them
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
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


def _stamp(_: Any, __: str, facts: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the time, in UTC, to the millisecond (a structlog processor)."""
    now = datetime.now(UTC)
    facts["timestamp"] = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"
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
