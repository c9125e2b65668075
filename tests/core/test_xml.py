from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from support.samples import voevent
from voeflow import EventError, parse_xml
from voeflow._xml import MAX_DEPTH, child, text_of

SECRET = "the words of a file"


def test_a_document_is_parsed_with_the_comments_around_its_root() -> None:
    root = parse_xml(b"<!-- before --><a/><!-- after --><?and more?>")
    before, after = root.getprevious(), root.getnext()
    assert before is not None
    assert before.text == " before "
    assert after is not None
    assert after.text == " after "


@pytest.mark.parametrize(
    ("raw", "reason", "line"),
    [
        (b"", "no bytes", None),
        (b" \n ", "expected the <", 2),
        (b"hello", "expected the <", 1),
        (b"{}", "expected the <", 1),
        (b"<a>\n<b></a>", "mismatch", 2),
        (b"<a/>\0", "Extra content", 1),
        (b"<a/><b/>", "Extra content", 1),
        (b"<a>&nbsp;</a>", "Entity 'nbsp' not defined", 1),
        (b"<a>&#1;</a>", "invalid", 1),
        (b"<a b='\xff'/>", "UTF-8", 1),
        (b"\n<?xml version='1.0'?><a/>", "XML declaration", 2),
        ("<a/>".encode("utf-16") + b"\n", "UTF-16", None),
        (b"<a>" * 300, "depth", 1),
    ],
)
def test_what_is_no_xml_is_refused_with_reason_and_place(raw: bytes, reason: str, line: int | None) -> None:
    with pytest.raises(EventError) as caught:
        parse_xml(raw)
    assert reason.lower() in caught.value.reason.lower()
    assert caught.value.line == line
    assert str(caught.value).isprintable()


def test_the_reason_holds_its_place_once() -> None:
    with pytest.raises(EventError) as caught:
        parse_xml(b"<a>\n</b>")
    assert str(caught.value).count("line 2, column") == 1


def test_no_entity_reads_a_file(tmp_path: object) -> None:
    path = f"{tmp_path}/secret"
    with open(path, "w") as file:
        file.write(SECRET)
    for subset in (f'<!ENTITY x SYSTEM "file://{path}">', f'<!ENTITY % x SYSTEM "file://{path}"> %x;'):
        with pytest.raises(EventError) as caught:
            parse_xml(f"<!DOCTYPE a [{subset}]><a>&x;</a>".encode())
        assert SECRET not in str(caught.value)


def test_an_inclusion_is_an_element_like_any_other() -> None:
    root = parse_xml(
        b'<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="/etc/hostname" parse="text"/></a>'
    )
    assert text_of(root) == ""


def test_the_five_entities_of_xml_and_character_references_are_read() -> None:
    assert parse_xml(b"<a>&lt;&gt;&amp;&quot;&apos;&#233;</a>").text == "<>&\"'é"


def test_a_document_at_its_limits_is_taken_and_one_beyond_is_not() -> None:
    raw = b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH
    parse_xml(raw, max_bytes=len(raw))
    with pytest.raises(EventError, match=f"at most {len(raw) - 1}"):
        parse_xml(raw, max_bytes=len(raw) - 1)
    with pytest.raises(EventError, match=f"deeper than {MAX_DEPTH - 1}"):
        parse_xml(raw, max_depth=MAX_DEPTH - 1)


def test_threads_parse_at_the_same_time() -> None:
    raw = voevent()
    roots: list[etree._Element] = []
    threads = [
        threading.Thread(target=lambda: roots.extend(parse_xml(raw) for _ in range(50))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [text_of(child(root, "Who", "AuthorIVORN")) for root in roots] == ["ivo://obspm.gepi/svom"] * 200


def test_text_is_that_of_all_inside_but_comments() -> None:
    root = parse_xml(b"<a> 1<!-- no -->2<b>3</b><![CDATA[4]]><?no no?>\n</a>")
    assert text_of(root) == "1234"
    assert text_of(None) == ""


@given(st.binary(max_size=300))
def test_any_bytes_are_parsed_or_refused(raw: bytes) -> None:
    refusal = ""
    try:
        parse_xml(raw)
    except EventError as error:
        refusal = str(error)
    assert refusal.isprintable()


@given(st.data())
def test_a_packet_with_bytes_changed_is_parsed_or_refused(data: st.DataObject) -> None:
    raw = bytearray(voevent())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    refusal = ""
    try:
        parse_xml(bytes(raw))
    except EventError as error:
        refusal = str(error)
    assert refusal.isprintable()


def test_the_attributes_of_one_element_are_bounded() -> None:
    most = " ".join(f'a{number}="="' for number in range(256))
    parse_xml(f"<a><b {most}/><c {most}/></a>".encode())
    with pytest.raises(EventError) as caught:
        parse_xml(f'<a>\n<b {most} one="more"/></a>'.encode())
    assert str(caught.value) == "line 2: an element has more than 256 attributes"
    with pytest.raises(EventError, match="more than 3 attributes"):
        parse_xml('<a b="" c="" d="" e=""/>'.encode("utf-16"), max_attributes=3)
