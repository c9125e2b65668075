"""Log lines for people and for machines; nothing from outside can break one."""

from __future__ import annotations

import io
import json
import logging
import re
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from voeflow._log import configure_log


def test_a_line_of_json_is_one_object_with_time_and_level() -> None:
    out = io.StringIO()
    configure_log("info", "json", out)
    structlog.get_logger().info("event accepted", ivorn="ivo://a.bc/d#1")

    line = json.loads(out.getvalue())
    assert (line["event"], line["level"], line["ivorn"]) == ("event accepted", "info", "ivo://a.bc/d#1")
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_what_came_from_outside_cannot_break_a_line_or_drive_a_terminal(log_format: str) -> None:
    out = io.StringIO()
    configure_log("info", log_format, out)  # type: ignore[arg-type]  # pytest gives plain text
    structlog.get_logger().warning("event refused", reason="a\nb\x1b[2J" + "x" * 10_000)

    assert out.getvalue().count("\n") == 1
    assert "\x1b[2J" not in out.getvalue()
    assert len(out.getvalue()) < 1000


VALUES = st.one_of(
    st.text(alphabet="ab=' \"\\\t\n\x1b\u202eé", max_size=8),
    st.integers(),
    st.floats(),
    st.none(),
    st.booleans(),
    st.lists(st.text(max_size=3), max_size=2),
    st.dictionaries(st.sampled_from("ab"), st.integers(), max_size=2),
)


@given(
    st.sampled_from(["debug", "info", "warning", "error", "critical"]),
    st.one_of(st.text(max_size=40), st.integers()),
    st.dictionaries(
        st.sampled_from(["ivorn", "role", "sink", "stack", "logger", "logger_name", "exception", "exc_info"]),
        VALUES,
    ),
)
def test_a_plain_line_is_written_as_structlog_writes_it(
    level: str, event: object, facts: dict[str, object]
) -> None:
    facts = {"event": event, "level": level, "timestamp": "2026-11-24T01:02:03.004Z", **facts}
    for name in ("stack", "exception"):
        if name in facts:
            facts[name] = str(facts[name])
    if "exc_info" in facts:
        facts["exc_info"] = ValueError("no")
    out = io.StringIO()
    configure_log("debug", "console", out)
    ours = structlog.get_config()["processors"][-1]
    theirs = structlog.dev.ConsoleRenderer(
        colors=False, pad_event_to=28, sort_keys=False, exception_formatter=structlog.dev.plain_traceback
    )
    assert ours(None, level, dict(facts)) == theirs(None, level, dict(facts))


def test_the_time_is_in_utc_to_the_millisecond() -> None:
    out = io.StringIO()
    configure_log("info", "json", out)
    before = datetime.now(UTC)
    structlog.get_logger().info("event accepted")

    stamp = json.loads(out.getvalue())["timestamp"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamp)
    assert before - timedelta(milliseconds=1) < datetime.fromisoformat(stamp) <= datetime.now(UTC)


def test_lines_below_the_level_are_left_out() -> None:
    out = io.StringIO()
    configure_log("warning", "console", out)
    structlog.get_logger().info("quiet")

    assert out.getvalue() == ""


def test_a_plugin_that_uses_the_standard_library_s_logging_is_heard() -> None:
    out = io.StringIO()
    configure_log("info", "json", out)
    logging.getLogger("voeflow_cta").warning("the dome is %s", "closed")

    line = json.loads(out.getvalue())
    assert (line["event"], line["logger"]) == ("the dome is closed", "voeflow_cta")


def test_a_traceback_is_kept_for_debugging() -> None:
    out = io.StringIO()
    configure_log("debug", "json", out)
    try:
        raise ValueError("no")
    except ValueError as error:
        structlog.get_logger().debug("handler raised", exc_info=error)

    assert "ValueError: no" in json.loads(out.getvalue())["exception"]


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("stdlib", [False, True])
def test_a_traceback_shows_no_secret_and_what_it_says_of_the_packet_is_harmless(
    log_format: str, stdlib: bool
) -> None:
    def log_in(password: str) -> None:
        raise ValueError(
            f"no {len(password)}\x1b[2J\n2026-11-24T00:00:00.000Z [info     ] node ready" + "x" * 10_000
        )

    out = io.StringIO()
    configure_log("debug", log_format, out)  # type: ignore[arg-type]  # pytest gives plain text
    try:
        log_in("".join(["hun", "ter2"]))
    except ValueError as error:
        if stdlib:
            logging.getLogger("smtp").warning("handler raised", exc_info=error)
        else:
            structlog.get_logger().debug("handler raised", exc_info=error)

    text = json.loads(out.getvalue())["exception"] if log_format == "json" else out.getvalue()
    assert "ValueError: no 7" in text
    assert "hunter2" not in text
    assert "\x1b[2J" not in text
    assert "\n2026" not in text
    assert max(map(len, text.splitlines())) < 600
