from __future__ import annotations

import json
import sys
from io import BytesIO, TextIOWrapper
from typing import Any

import pytest

import voeflow
from support.samples import voevent
from voeflow._utc import parse_utc
from voeflow_handlers.print_ import Print

EVENT = voeflow.Event.parse(voevent(), received=parse_utc("2026-11-24T01:02:05.7Z"))
DELIVERY = voeflow.Delivery(EVENT, "abc.screen")
HOSTILE = voeflow.Event.parse(
    voevent("ivo://a.bc/&#x202e;d#\u2764", role="ob\u009bx", body="<Description>a\nb &#x9b;31m</Description>")
)


def printed(handler: Print, *events: voeflow.Event, capsys: pytest.CaptureFixture[str]) -> list[str]:
    for event in events:
        handler.handle(event, voeflow.Delivery(event, "abc.screen"))
    return capsys.readouterr().out.splitlines()


def test_rows_of_a_table_have_one_heading(capsys: pytest.CaptureFixture[str]) -> None:
    heading, row, again = printed(Print(), EVENT, EVENT, capsys=capsys)
    assert heading.split() == ["received", "role", "ra", "dec", "error", "ivorn"]
    assert row == again
    assert row.split() == [
        "2026-11-24T01:02:05Z", "observation", "83.6330", "+22.0145", "0.05", "ivo://obspm.gepi/svom#trigger-1",
    ]  # fmt: skip
    assert row.index("ivo:") == heading.index("ivorn")


def test_an_event_that_says_little_has_a_row_too(capsys: pytest.CaptureFixture[str]) -> None:
    bare = voeflow.Event.parse(voevent(body=""))
    assert printed(Print(), bare, capsys=capsys)[1].split()[2:5] == ["-", "-", "-"]


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(Print(format="json"), EVENT, HOSTILE, capsys=capsys)
    assert [json.loads(line)["ivorn"] for line in lines] == [EVENT.ivorn, HOSTILE.ivorn]
    assert all(line.isascii() and line.isprintable() for line in lines)


def test_a_template_makes_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    handler = Print(template="{role}\n{param:SNR} {summary}")
    (line,) = printed(handler, EVENT, capsys=capsys)
    assert line.startswith("observation 12.5 What Role observation")


@pytest.mark.parametrize("options", [{}, {"format": "json"}, {"template": "{ivorn} {role} {description}"}])
def test_nothing_of_a_packet_drives_a_terminal(
    options: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(Print(**options), HOSTILE, capsys=capsys)
    assert len(lines) == 1 + (not options)
    assert all(line.isprintable() for line in lines)


def test_a_terminal_without_the_letters_gets_them_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    out = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(out, encoding="ascii"))
    Print(template="{ivorn}").handle(HOSTILE, DELIVERY)
    assert out.getvalue().endswith(b"\\u2764\n")


def test_standard_output_that_is_gone_fails_the_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(BytesIO):
        def write(self, _: Any) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    stream = TextIOWrapper(Gone(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(BrokenPipeError):
        Print().handle(EVENT, DELIVERY)
    stream.detach()


def test_a_template_goes_with_rows_alone() -> None:
    with pytest.raises(ValueError, match="not both"):
        Print(format="json", template="{role}")
