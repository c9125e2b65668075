from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from support.samples import voevent
from transports.vtp_support import IVOID, NOW, clock
from voeflow import EventError
from voeflow_transports.vtp._frames import frame
from voeflow_transports.vtp._messages import (
    MAX_RESULT,
    Message,
    is_transport,
    read_acks,
    read_message,
    timestamp,
    write_ack,
    write_authenticate,
    write_iamalive,
    write_nak,
)

COMET_ACK = b"""<?xml version='1.0' encoding='UTF-8'?>
<trn:Transport xmlns:trn="http://www.telescope-networks.org/xml/Transport/v1.1" version="1.0" role="ack">
  <Origin>ivo://a.b/c#1</Origin>
  <Response>ivo://comet.example/broker</Response>
  <TimeStamp>2026-11-24T01:02:03Z</TimeStamp>
</trn:Transport>
"""
PYGCN_ACK = (
    b"<?xml version='1.0' encoding='UTF-8'?>"
    b'<trn:Transport role="ack" version="1.0" '
    b'xmlns:trn="http://telescope-networks.org/schema/Transport/v1.1" '
    b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://telescope-networks.org/schema/'
    b'Transport/v1.1 http://telescope-networks.org/schema/Transport-v1.1.xsd"><Origin>ivo://a.b/c#1</Origin>'
    b"<Response>ivo://python_voeventclient/anonymous</Response><TimeStamp>2026-11-24T02:02:03.000123</TimeStamp></trn:Transport>"
)


def transport(inside: str, *, role: str = "authenticate", namespace: str = "") -> bytes:
    declared = f' xmlns:t="{namespace}"' if namespace else ""
    name = "t:Transport" if namespace else "Transport"
    return f'<{name}{declared} role="{role}" version="1.0">{inside}</{name}>'.encode()


def test_children_stand_in_the_order_of_the_schema() -> None:
    root = etree.fromstring(write_nak("ivo://a/b#c", IVOID, "no", clock))
    assert root.tag == "{http://telescope-networks.org/schema/Transport/v1.1}Transport"
    assert [child.tag for child in root] == ["Origin", "Response", "TimeStamp", "Meta"]
    assert [child.tag for child in root[3]] == ["Result"]
    assert dict(root.attrib) == {"role": "nak", "version": "1.0"}


def test_a_time_stamp_is_utc_and_says_so() -> None:
    assert (
        timestamp(datetime(2026, 11, 24, 1, 30, tzinfo=timezone(timedelta(hours=2))))
        == "2026-11-23T23:30:00Z"
    )
    assert b"<TimeStamp>2026-11-24T01:02:03Z</TimeStamp>" in write_iamalive(IVOID, clock)


def test_an_asker_gives_no_response() -> None:
    assert read_message(write_iamalive(IVOID, clock)) == Message("iamalive", IVOID)
    assert read_message(write_authenticate(IVOID, clock)) == Message("authenticate", IVOID)


# What an XML document can carry, less the carriage return, which a parser normalises away.
xml_text = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")).map(
    str.strip
)


@given(origin=xml_text, response=xml_text, result=xml_text)
def test_any_text_survives_being_written_and_read(origin: str, response: str, result: str) -> None:
    read = read_message(write_nak(origin, response, result, clock))
    assert read == Message("nak", origin, response or None, result)
    assert read_message(write_ack(origin, response, clock)) == Message("ack", origin, response or None)


@given(
    filters=st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))
    )
)
def test_any_filters_survive_being_written_and_read(filters: list[str]) -> None:
    read = read_message(write_authenticate("ivo://x/y", clock, IVOID, filters))
    assert read == Message("authenticate", "ivo://x/y", IVOID, None, tuple(each.strip() for each in filters))


@given(text=st.text())
def test_text_that_xml_cannot_carry_never_breaks_a_message(text: str) -> None:
    assert read_message(write_nak(text, text, text, clock)).role == "nak"
    assert read_message(write_authenticate(text, clock, text, [text])).role == "authenticate"


def test_a_reason_is_cut_to_a_few_sentences() -> None:
    result = read_message(write_nak("ivo://a/b#c", IVOID, "x" * 5000, clock)).result
    assert result is not None
    assert len(result) == MAX_RESULT
    assert result.endswith("…")


@pytest.mark.parametrize(
    "namespace",
    [
        "",
        "http://telescope-networks.org/xml/Transport/v1.1",
        "http://telescope-networks.org/schema/Transport/v1.1",
        "http://www.telescope-networks.org/xml/Transport/v1.1",
        "http://ivoa.net/xml/Transport/v1.1",
    ],
)
def test_every_spelling_of_the_namespace_is_read(namespace: str) -> None:
    raw = transport(
        "<Origin> ivo://a/b </Origin><TimeStamp>now</TimeStamp>", role="iamalive", namespace=namespace
    )
    assert is_transport(raw)
    assert read_message(raw) == Message("iamalive", "ivo://a/b")


def test_both_forms_of_filters_are_read() -> None:
    raw = transport(
        "<Origin>o</Origin><TimeStamp>t</TimeStamp>"
        "<Meta><filter type='xpath'>//Who</filter><filter type='css'>no</filter>"
        "<Param name='xpath-filter' value='//What'/><Param name='colour' value='blue'/></Meta>"
    )
    assert read_message(raw).filters == ("//What", "//Who")


OUR_ACK = write_ack("ivo://a.b/c#1", IVOID, clock)


@pytest.mark.parametrize("raw", [COMET_ACK, PYGCN_ACK, OUR_ACK])
def test_the_peers_acks_are_read_without_a_parser(raw: bytes) -> None:
    assert read_acks(frame(raw)) == ["ivo://a.b/c#1"]
    assert read_message(raw).origin == "ivo://a.b/c#1"


def test_several_acks_are_read_at_once_and_part_of_one_is_left() -> None:
    several = b"".join(map(frame, (OUR_ACK, COMET_ACK, write_ack("ivo://a.b/c#2", "", clock))))
    assert read_acks(several) == ["ivo://a.b/c#1", "ivo://a.b/c#1", "ivo://a.b/c#2"]
    assert all(read_acks(several + frame(COMET_ACK)[:cut]) is None for cut in range(1, len(COMET_ACK)))


@pytest.mark.parametrize(
    "changed",
    [
        COMET_ACK.replace(b'"ack"', b'"nak"'),
        COMET_ACK.replace(b"c#1", b"c&amp;1"),
        COMET_ACK.replace(b"c#1", "cé".encode()),
        COMET_ACK + b"<!-- x -->",
        write_nak("ivo://a.b/c#1", IVOID, 'I mean role="ack"', clock),
        write_authenticate("ivo://a.b/c#1", clock),
    ],
)
def test_what_is_no_usual_ack_is_left_to_the_parser(changed: bytes) -> None:
    assert read_acks(frame(changed)) is None
    assert read_acks(frame(COMET_ACK) + frame(changed)) is None
    read_message(changed)


#: What an ack is made of, of which somebody may send any number in a row.
PIECES = [
    b' role="ack"',
    b" ",
    b"<",
    b">",
    b"?",
    b"w",
    b":",
    b"<Origin>",
    b"</Origin> ",
    b"<Response></Response>",
]


@given(piece=st.sampled_from(PIECES), at=st.integers(0, len(COMET_ACK)), cut=st.booleans())
@example(piece=b' role="ack"', at=COMET_ACK.index(b' role="ack"'), cut=True)
def test_what_is_no_ack_is_known_in_time_in_proportion_to_its_length(
    piece: bytes, at: int, cut: bool
) -> None:
    raw = COMET_ACK[:at] + piece * (2**16 // len(piece)) + (b"" if cut else COMET_ACK[at:])
    began = time.thread_time()
    read_acks(frame(raw))
    is_transport(raw)
    assert time.thread_time() - began < 0.2  # with the square of the length, it takes seconds


@given(noise=st.binary(max_size=60), at=st.integers(0, len(COMET_ACK)))
def test_the_shortcut_never_reads_what_the_parser_reads_otherwise(noise: bytes, at: int) -> None:
    raw = COMET_ACK[:at] + noise + COMET_ACK[at:]
    acks = read_acks(frame(raw))
    try:
        root = etree.fromstring(raw)
    except etree.XMLSyntaxError:
        return  # the shortcut may read what is not quite XML: peers build theirs by hand
    if acks is not None:
        assert root.get("role") == "ack"
        assert acks == [(root.findtext("Origin") or "").strip()]


@pytest.mark.parametrize(
    "raw", [b"<Transport", b"<Transport><Origin>a&b</Origin></Transport>", b"<Transport role='ack'/>x"]
)
def test_a_broken_message_is_an_error_that_says_where(raw: bytes) -> None:
    with pytest.raises(EventError) as caught:
        read_message(raw)
    assert caught.value.line == 1


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"<Transport/>", True),
        (b"<Transport>", True),
        (b"\n <?xml version='1.0'?><!-- <a> -->\n<x:Transport role='ack'>", True),
        ("\ufeff<Transport a=''>".encode(), True),
        ("<?xml version='1.0' encoding='utf-16'?><Transport />".encode("utf-16"), True),
        ("<Transport />".encode("utf-16-be"), True),
        (b"<Transported/>", False),
        (b"<!-- <Transport/> --><voe:VOEvent/>", False),
        (b"<?pi <Transport/> ?><VOEvent/>", False),
        (b"<!DOCTYPE Transport><Transport/>", False),
        (b"<!-- <Transport/>", False),
        (b"<!-->--><Transport/>", True),
        (b"", False),
        (b"no XML at all", False),
        (voevent(), False),
    ],
)
def test_a_payload_is_told_by_its_outermost_element(raw: bytes, expected: bool) -> None:
    assert is_transport(raw) is expected


prologs = st.lists(
    st.sampled_from(
        [b"<?xml version='1.0'?>", b"<?x <Transport/> ?>", b"<!-- <Transport/> ?> -->", b"\n ", b"<?xml?>"]
    )
).map(b"".join)


@given(
    prolog=prologs, name=st.sampled_from([b"Transport", b"t:Transport", b"VOEvent", b"Transport2", b"a:b"])
)
def test_whatever_stands_before_it_a_payload_is_told_as_a_parser_tells_it(prolog: bytes, name: bytes) -> None:
    raw = prolog + b"<" + name + b" xmlns:t='t' xmlns:a='a'/>"
    root = etree.fromstring(raw, etree.XMLParser(recover=True))
    assert is_transport(raw) is (etree.QName(root).localname == "Transport")


def test_a_time_stamp_goes_with_its_second() -> None:
    written = [timestamp(NOW + timedelta(seconds=seconds)) for seconds in (0, 0.012, 0.013, 1, 86400 * 36500)]
    assert written == [
        "2026-11-24T01:02:03Z",
        "2026-11-24T01:02:03Z",
        "2026-11-24T01:02:04Z",
        "2026-11-24T01:02:04Z",
        "2126-10-31T01:02:03Z",
    ]
