"""What Hopskotch's messages hold, and what hop-client has to be told to read ours."""

from __future__ import annotations

import json
import uuid
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import voeflow
from support.samples import voevent
from voeflow_transports.kafka._hop_envelope import headers_for, understand
from voeflow_transports.kafka._message import (
    Message,
    Packet,
    Passed,
    Refused,
    SignOfLife,
    Told,
    Understood,
)

PACKET = voevent()
AS_JSON = {"ivorn": "ivo://org.example/a#1", "role": "test", "Who": {"AuthorIVORN": "ivo://org.example/a"}}


def message(value: bytes | None, form: str = "", topic: str = "a.topic", **headers: bytes) -> Message:
    given = {"_format": form.encode()} if form else {}
    return Message(topic=topic, partition=0, offset=7, key=b"k", value=value, headers={**given, **headers})


def read(each: Message) -> Understood:
    return understand(each, tests="drop", mapping="a-mapping")


def test_a_packet_is_handed_on_byte_for_byte() -> None:
    assert read(message(PACKET, "voevent", _id=b"0" * 16)) == Packet(PACKET)


@pytest.mark.parametrize("form", ["", "blob", "unheard-of"])
def test_a_packet_is_known_whatever_its_header_says(form: str) -> None:
    assert isinstance(read(message(b"\xef\xbb\xbf \n" + PACKET, form)), Packet)
    assert isinstance(read(message(PACKET.decode().encode("utf-16"), form)), Packet)


@pytest.mark.parametrize(
    ("content", "form"), [(AS_JSON, "voevent"), ({"format": "voevent", "content": AS_JSON}, "")]
)
def test_a_voevent_as_json_is_a_packet_again(content: dict[str, Any], form: str) -> None:
    found = read(message(json.dumps(content).encode(), form))
    assert isinstance(found, Packet)
    assert voeflow.Event.parse(found.raw).author == "ivo://org.example/a"


@pytest.mark.parametrize(
    ("value", "form", "media_type"),
    [
        (b'{"a": 1}', "json", "application/json"),
        (b' {"a": 1}', "blob", "application/json"),
        (b"\x00\x01", "blob", "application/octet-stream"),
        (b'{"header": {}, "body": "x"}', "circular", "application/json"),
        (b"Obj\x01", "avro", "application/avro"),
        (b"TITLE: x", "gcntextnotice", "text/plain"),
        (b"TITLE: x", "GCNTextNotice", "text/plain"),
        (b"?", "unheard-of", "application/octet-stream"),
        (b"\xff", "", "application/octet-stream"),
        (b'{"a": 1}', "", "application/json"),
        (b"[1, 2]", "", "application/json"),
    ],
)
def test_what_is_no_packet_is_a_notice_of_its_kind(value: bytes, form: str, media_type: str) -> None:
    given = message(value, form)
    assert read(given) == Told(voeflow.Notice(value, "a.topic", b"k", given.headers, media_type), "a-mapping")


def test_an_old_envelope_is_opened_and_its_content_always_has_the_same_bytes() -> None:
    first = read(message(b'{"format": "blob", "content": {"a": [1, "\xc3\xa9"]}}'))
    again = read(message(b'{ "format":"blob",\n "content":{ "a":[1,"\\u00e9"] } }'))
    assert isinstance(first, Told)
    assert first == again
    assert first.notice.content == b'{"a":[1,"\xc3\xa9"]}'


@pytest.mark.parametrize(
    ("value", "form", "reason"),
    [
        (b'{"url": "https://x.example"}', "external", "does not fetch"),
        (b"{", "", "no JSON"),
        (b"[" * 1000, "", "nested"),
        (b"no json", "voevent", "no JSON"),
        (b"[1]", "voevent", "no object"),
        (b'{"format": "voevent", "content": 3}', "", "no object"),
        (b'{"format": "voevent", "content": {}}', "", "without an ivorn"),
        (None, "", "tombstone"),
    ],
)
def test_what_is_of_no_use_is_refused_with_the_reason(value: bytes | None, form: str, reason: str) -> None:
    found = read(message(value, form))
    assert isinstance(found, Refused)
    assert reason in found.reason


@given(
    st.none() | st.binary(max_size=60) | st.builds(lambda text: json.dumps(text).encode(), st.text()),
    st.dictionaries(st.sampled_from(["_format", "_test", "x"]), st.binary(max_size=9)),
    st.sampled_from(["drop", "keep"]),
)
def test_whatever_comes_there_is_an_answer(
    value: bytes | None, headers: dict[str, bytes], tests: Any
) -> None:
    found = understand(attrs.evolve(message(value), headers=headers), tests=tests)
    assert isinstance(found, Passed) == ("_test" in headers and tests == "drop" and value is not None)


def test_the_heartbeat_is_a_sign_of_life_whatever_it_holds() -> None:
    assert read(message(b'{"timestamp": 1}', topic="sys.heartbeat")) == SignOfLife()
    assert read(message(PACKET, topic="sys.heartbeat", _test=b"true")) == SignOfLife()


@pytest.mark.parametrize("value", [b"true", b"", b"false"])
def test_a_message_marked_as_a_test_is_passed_whatever_the_mark_says_as_hop_client_does(
    value: bytes,
) -> None:
    assert read(message(PACKET, "voevent", _test=value)) == Passed()


def test_where_tests_are_kept_a_packet_has_to_say_itself_that_it_is_one() -> None:
    real, test = (message(voevent(role=role), _test=b"true") for role in ("observation", "test"))
    assert understand(test, tests="keep") == Packet(voevent(role="test"))
    found = understand(real, tests="keep")
    assert isinstance(found, Refused)
    assert "its role is observation" in found.reason
    assert understand(message(b"<broken", _test=b"true"), tests="keep") == Packet(b"<broken")


def test_where_tests_are_kept_a_notice_has_to_become_one() -> None:
    found = understand(message(b'{"a": 1}', "json", _test=b"true"), tests="keep")
    assert isinstance(found, Told)
    assert found.check is not None
    assert found.check(voeflow.Event.parse(voevent(role="test"))) == ""
    assert "its role is observation" in found.check(voeflow.Event.parse(voevent(role="observation")))
    unmarked = understand(message(b'{"a": 1}', "json"), tests="keep")
    assert isinstance(unmarked, Told)
    assert unmarked.check is None


def test_a_packet_is_sent_so_that_hop_client_takes_it_for_one() -> None:
    event = voeflow.Event.parse(PACKET)
    headers = headers_for(event, "a-user")
    assert dict(headers).keys() == {"_id", "_sender", "_format"}
    assert (dict(headers)["_format"], dict(headers)["_sender"]) == (b"voevent", b"a-user")
    assert uuid.UUID(bytes=dict(headers)["_id"]).version == 5
    assert headers == headers_for(voeflow.Event.parse(PACKET), "a-user")


def test_a_test_event_is_marked_as_hop_client_marks_it() -> None:
    headers = headers_for(voeflow.Event.parse(voevent(role="test")), "")
    assert dict(headers)["_test"] == b"true"
    assert "_sender" not in dict(headers)


@pytest.mark.parametrize(
    "packet",
    [
        PACKET.replace(b"voe:", b"v:").replace(b":voe=", b":v="),
        PACKET.replace(b"<voe:VOEvent ", b'<voe:VOEvent xmlns="http://x.example" '),
    ],
)
def test_a_packet_that_hop_client_would_fail_to_read_goes_as_a_blob(packet: bytes) -> None:
    event = voeflow.Event.parse(packet)
    assert dict(headers_for(event, ""))["_format"] == b"blob"
