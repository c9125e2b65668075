"""Names that nobody has used before take bounded memory, and keep no thread from reading what comes later."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from support.samples import voevent
from voeflow import EventError, XPath, parse_xml
from voeflow import _xml_parser as xml_parser
from voeflow._event import Event

#: A name may have 50,000 characters.
LONG = "n" * 40_000


def names(first: int, number: int) -> bytes:
    return f"<a>{''.join([f'<{LONG}{each}/>' for each in range(first, first + number)])}</a>".encode()


def memory() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def in_a_thread(work: Callable[[], Any]) -> Any:
    """Do it in a thread that has read nothing yet."""
    done: list[Any] = []
    thread = threading.Thread(target=lambda: done.append(work()))
    thread.start()
    thread.join()
    (result,) = done
    return result


def test_names_that_come_without_end_take_bounded_memory() -> None:
    def flood() -> int:
        parse_xml(names(0, 20))
        before = memory()
        for first in range(0, 500, 20):  # 20 MB
            parse_xml(names(first, 20))
        return memory() - before

    assert in_a_thread(flood) < 8e6
    assert flood() < 8e6  # nor in the thread that imported lxml, which has all its names in another way


def test_an_event_that_is_kept_holds_on_to_few_of_the_names_of_others() -> None:
    def short_names(first: int) -> bytes:
        return f"<a>{''.join([f'<n{each}/>' for each in range(first, first + 20_000)])}</a>".encode()

    def keep() -> int:
        kept = [Event.parse(voevent())]
        before = memory()
        for first in range(0, 400_000, 20_000):  # 20 times 1 MB, where they are held on to
            parse_xml(short_names(first))
            kept.append(Event.parse(voevent()))
        return memory() - before

    assert in_a_thread(keep) < 12e6


def test_a_tree_can_be_used_after_its_thread_has_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    event = Event.parse(voevent(body="<Who><Author><title>Ü</title></Author></Who>"))
    question = XPath("//title = 'Ü'")
    monkeypatch.setattr(xml_parser, "RENEWED_AFTER", 0)
    monkeypatch.delattr(xml_parser._per_thread, "parser")
    for number in range(20):
        parse_xml(b"<a%d b%d='' xmlns:c%d='d'/>" % (number, number, number))

    assert event.defects == ()
    assert event.xpath(question) is True
    assert event.xpath("count(//*)") == 4.0
    later = Event.parse(event.raw)
    assert later.xpath(question) is True
    assert later.defects == ()


def refusing_parser(code: int, times: int) -> Callable[..., etree._Element]:
    """Give a `fromstring` that fails so often."""
    parse = etree.fromstring

    def fromstring(raw: bytes, parser: etree.XMLParser) -> etree._Element:
        nonlocal times
        if b"VOEvent" in raw and times:
            times -= 1
            raise etree.XMLSyntaxError("unknown error", code, 0, 0)
        return parse(raw, parser)

    return fromstring


def test_where_somebody_else_has_filled_the_thread_with_names_it_begins_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusing = refusing_parser(etree.ErrorTypes.ERR_NO_MEMORY, 1)
    monkeypatch.setattr(etree, "fromstring", refusing)
    assert parse_xml(voevent()).get("role") == "observation"


def test_want_of_memory_is_not_laid_to_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(etree, "fromstring", refusing_parser(etree.ErrorTypes.ERR_NO_MEMORY, 2))
    with pytest.raises(MemoryError):
        parse_xml(voevent())


def test_another_error_is_and_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(etree, "fromstring", refusing_parser(etree.ErrorTypes.ERR_DOCUMENT_EMPTY, 1))
    with pytest.raises(EventError, match="unknown error"):
        parse_xml(voevent())
