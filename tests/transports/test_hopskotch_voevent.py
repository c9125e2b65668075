"""VOEvents that old versions of hop-client sent as JSON become packets again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

import voeflow
from support.grammar_packets import FULL_20, FULL_21
from support.samples import voevent
from voeflow_transports.kafka._hop_voevent import packet_of


def as_hop_had_it(packet: bytes) -> dict[str, Any]:
    """Give the object that hop-client made of a packet: attributes, elements and text alike are members."""
    root = etree.fromstring(packet)
    found = _members(root)
    assert isinstance(found, dict)
    return found


def _members(element: etree._Element) -> Any:
    members: dict[str, Any] = {
        str(name): str(value) for name, value in element.attrib.items() if "{" not in str(name)
    }
    for child in element.iterchildren(etree.Element):
        name, value = str(etree.QName(child).localname), _members(child)
        if name not in members:
            members[name] = value
        elif isinstance(members[name], list):
            members[name].append(value)
        else:
            members[name] = [members[name], value]
    text = (element.text or "").strip()
    if not members:
        return text or None
    return members | ({"#text": text} if text else {})


@pytest.mark.parametrize("version", ["2.0", "2.1"])
def test_a_packet_comes_back_valid_and_says_what_it_said(version: str) -> None:
    before = voeflow.Event.parse(voevent(version=version))
    after = voeflow.Event.parse(packet_of(as_hop_had_it(before.raw)))
    assert after.defects == ()
    for fact in ("ivorn", "role", "version", "author", "date", "position", "time", "citations", "groups"):
        assert getattr(after, fact) == getattr(before, fact), fact
    assert list(after.params) == list(before.params)


@pytest.mark.parametrize(("version", "body"), [("2.0", FULL_20), ("2.1", FULL_21)])
def test_every_element_and_attribute_of_the_grammar_comes_back(version: str, body: str) -> None:
    packet = voevent(version=version, body=body)
    made = packet_of(as_hop_had_it(packet))
    assert voeflow.Event.parse(made).defects == ()
    assert as_hop_had_it(made) == as_hop_had_it(packet)


def test_the_same_object_gives_the_same_bytes_whatever_hop_client_left_empty() -> None:
    there = as_hop_had_it(voevent())
    assert packet_of({**there, "How": {}, "Citations": {}, "_raw": ""}) == packet_of(dict(there))


def test_what_hop_client_took_for_granted_is_said() -> None:
    event = voeflow.Event.parse(packet_of({"ivorn": "ivo://org.example/a#1"}))
    assert (event.role, event.version, event.valid) == ("observation", "2.0", True)


def test_namespaces_and_prefixes_of_the_old_packet_are_left_behind() -> None:
    made = packet_of(
        {
            "ivorn": "ivo://org.example/a#1",
            "xmlns:voe": "http://x.example",
            "What": {"xmlns": "", "xsi:type": "x", "stc:Param": {"name": "a", "value": "1"}},
        }
    )
    event = voeflow.Event.parse(made)
    assert event.valid
    assert event.params["a"].value == "1"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "without an ivorn"),
        ({"ivorn": 3}, "without an ivorn"),
        ({"ivorn": "ivo://a/b#c", "version": "3.0"}, "expected one of"),
        ({"ivorn": "ivo://a/b#c", "What": {"<script": "x"}}, "no element"),
        ({"ivorn": "ivo://a/b#c", "What": [["x"]]}, "list of lists"),
        ({"ivorn": "ivo://a/b#c", "What": {"#text": {"a": 1}}}, "an object where"),
        ({"ivorn": "ivo://a/b#c", "role": ["x"]}, "an object where"),
        ({"ivorn": "ivo://a/b#c", "What": "\0"}, "XML has not"),
    ],
)
def test_what_cannot_be_written_is_told(content: dict[str, Any], message: str) -> None:
    with pytest.raises(voeflow.EventError, match=message):
        packet_of(content)


def test_nesting_is_bounded() -> None:
    deep: Any = "x"
    for _ in range(60):
        deep = {"Group": deep}
    with pytest.raises(voeflow.EventError, match="deeper"):
        packet_of({"ivorn": "ivo://a/b#c", "What": deep})


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["Param", "name", "value", "#text", "a:b", "uri", "x:uri"]), inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["Who", "What", "role", "Why", "xmlns", "odd"]), _VALUES))
def test_whatever_comes_a_packet_that_is_made_can_be_parsed(content: dict[str, Any]) -> None:
    try:
        made = packet_of({**content, "ivorn": "ivo://org.example/a#1"})
    except voeflow.EventError:
        return
    assert voeflow.Event.parse(made).ivorn == "ivo://org.example/a#1"
