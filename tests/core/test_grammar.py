from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from support.grammar_packets import FULL_11, FULL_20, FULL_21
from support.samples import BURST, NAMESPACES, voevent
from voeflow import _grammar
from voeflow._grammar import MAX_DEFECTS, MAX_MESSAGE, Defect, defects, transport_defects

SAFE = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


def root_of(packet: bytes | str) -> etree._Element:
    return etree.fromstring(packet, SAFE)


def found(body: str, version: str = "2.0") -> list[str]:
    """The messages about a packet with this body."""
    return [defect.message for defect in defects(root_of(voevent(version=version, body=body)))]


def valid(body: str, version: str) -> bool:
    return not found(body, version)


def where_when(coords: str, *, system: str = "UTC-FK5-GEO", observatory: str = "", own: str = "") -> str:
    return (
        f"<WhereWhen{own}><ObsDataLocation><ObservatoryLocation>{observatory}</ObservatoryLocation>"
        f'<ObservationLocation><AstroCoordSystem id="{system}"/><AstroCoords coord_system_id="{system}">'
        f"{coords}</AstroCoords></ObservationLocation></ObsDataLocation></WhereWhen>"
    )


TIME = "<Time><TimeInstant><ISOTime>2026-11-24T01:02:03</ISOTime></TimeInstant></Time>"
VALUE2 = "<Value2><C1>1</C1><C2>2</C2></Value2>"
POSITION = f"<Position2D>{VALUE2}<Error2Radius>1</Error2Radius></Position2D>"


# ----- Whole packets


@pytest.mark.parametrize("version", ["1.1", "2.0", "2.1"])
def test_an_event_with_nothing_in_it_is_valid(version: str) -> None:
    assert found("", version) == []


@pytest.mark.parametrize(("version", "body"), [("1.1", FULL_11), ("2.0", FULL_20), ("2.1", FULL_21)])
def test_an_event_with_everything_in_it_is_valid(version: str, body: str) -> None:
    assert found(body, version) == []


@pytest.mark.parametrize(
    ("version", "body"),
    [("2.1", FULL_20.replace('"UTC-GEOD-TOPO"/', '"other"/')), ("2.0", FULL_21), ("2.0", FULL_11)],
)
def test_a_full_event_of_one_version_is_valid_in_another_only_where_the_standards_agree(
    version: str, body: str
) -> None:
    assert (found(body, version) == []) is (version == "2.1")


def test_checking_a_packet_leaves_it_as_it_was() -> None:
    root = root_of(voevent(version="2.1", body=FULL_21))
    before = etree.tostring(root)
    assert defects(root) == defects(root) == ()
    assert etree.tostring(root) == before


def test_comments_and_instructions_may_stand_anywhere() -> None:
    packet = voevent(
        body="<!-- a --><?b?><Reference uri='x'><!-- c --></Reference><?d?>", tail="\n<!-- signed -->\n<?e?>"
    )
    assert defects(root_of(packet)) == ()


# ----- What the author is told

MISTAKES = {
    "a misspelt element": (
        "<What><Param/>\n<Parm/></What>",
        (
            "Parm is not allowed in What (did you mean Param?); "
            "expected Param, Group, Table, Description or Reference"
        ),
    ),
    "a part given twice": ("<Who/><What/><Who/>", "Who stands in VOEvent more than once"),
    "a misspelt attribute": (
        '<What><Group><Param nmae="x"/></Group></What>',
        (
            "attribute nmae is not allowed in What/Group/Param (did you mean name?); "
            "expected value, name, ucd, unit, dataType or utype"
        ),
    ),
    "a word that is not in the list": (
        '<What><Param dataType="double"/></What>',
        'attribute dataType of What/Param is "double", expected string, float or int',
    ),
    "a date that is none": (
        "<Who><Date>24 Nov 2026</Date></Who>",
        'Who/Date is "24 Nov 2026", expected a date and time such as 2026-11-24T01:02:03',
    ),
    "a number that is none": (
        '<Why importance="high"><Name>x</Name></Why>',
        'attribute importance of Why is "high", expected a number such as 12.5 or 1e-3',
    ),
    "a probability out of bounds": (
        '<Why><Inference probability="95"><Name>x</Name></Inference></Why>',
        'attribute probability of Why/Inference is "95", expected a number from 0 to 1',
    ),
    "a probability that is no number": (
        '<Why><Inference probability="high"><Name>x</Name></Inference></Why>',
        'attribute probability of Why/Inference is "high", expected a number from 0 to 1',
    ),
    "a missing attribute": ("<Reference/>", "Reference lacks the attribute uri"),
    "a missing element": (
        "<WhereWhen><ObsDataLocation><ObservatoryLocation/></ObsDataLocation></WhereWhen>",
        "WhereWhen/ObsDataLocation lacks ObservationLocation",
    ),
    "an element that must not be empty": (
        "<Why/>",
        "Why lacks one of Name, Concept, Inference, Description or Reference",
    ),
    "an element that must be empty": (
        '<Reference uri="x"> </Reference>',
        "Reference must be empty: not even a blank between its tags",
    ),
    "stray text": (
        "<What><Param/>\n  some   text\n<Param/></What>",
        'text is not allowed in What outside of its elements: "some text"',
    ),
    "markup in text": (
        "<Description>see <a>there</a></Description>",
        "Description holds text only, no elements; write a < that is meant as text as &lt;",
    ),
    "markup in a citation": (
        "<Citations><EventIVORN><a/></EventIVORN></Citations>",
        "Citations/EventIVORN holds text only, no elements; write a < that is meant as text as &lt;",
    ),
    "an attribute on plain text": (
        '<Description format="text/plain">x</Description>',
        "attribute format is not allowed in Description, which has no attributes",
    ),
    "elements in the wrong order": (
        "<Citations><Description/><EventIVORN/></Citations>",
        (
            "Description may not stand here in Citations: expected EventIVORN; "
            "the order is EventIVORN, Description"
        ),
    ),
    "an element of another namespace": (
        '<x:Image xmlns:x="urn:x"/>',
        'Image of the namespace "urn:x" is not allowed in VOEvent',
    ),
    "an identifier that is no XML name": (
        '<WhereWhen id="7 up"/>',
        (
            'attribute id of WhereWhen is "7 up", expected an XML name: '
            "a letter or _, then letters, digits, - . or _, no blanks"
        ),
    ),
    "an attribute of XML's own": (
        '<WhereWhen xml:id="a"/>',
        "attribute xml:id is not allowed in WhereWhen; expected id",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_author_of_a_mistake_is_told_what_it_is_and_what_was_expected(mistake: str) -> None:
    body, message = MISTAKES[mistake]
    assert found(body) == [message]


def test_a_coordinate_system_with_its_parts_in_another_order_is_recognised() -> None:
    (message,) = found(where_when(TIME, system="FK5-UTC-GEO").replace(' coord_system_id="FK5-UTC-GEO"', ""))
    assert message.startswith(
        "attribute id of WhereWhen/ObsDataLocation/ObservationLocation/AstroCoordSystem is "
        '"FK5-UTC-GEO" (did you mean UTC-FK5-GEO?), expected TT-ICRS-GEO, '
    )


def test_elements_that_inherited_the_roots_namespace_are_told_of_once() -> None:
    packet = '<VOEvent xmlns="{}" ivorn="ivo://a/b#c" version="2.0"><Who/><What/></VOEvent>'.format(
        NAMESPACES["2.0"]
    )
    (defect,) = defects(root_of(packet))
    assert defect.message == (
        f'Who in VOEvent is in the namespace "{NAMESPACES["2.0"]}", but all below VOEvent is in none: '
        "write <voe:VOEvent xmlns:voe=...> and plain <Who>"
    )


def test_missing_attributes_of_the_root_are_told_each() -> None:
    root = root_of(f'<v:VOEvent xmlns:v="{NAMESPACES["2.0"]}"/>')
    assert [defect.message for defect in defects(root)] == [
        "VOEvent lacks the attribute version",
        "VOEvent lacks the attribute ivorn",
    ]


def test_a_version_that_is_not_the_namespaces_is_told() -> None:
    packet = voevent(body="").replace(b'version="2.0"', b'version="2.1"')
    (defect,) = defects(root_of(packet))
    assert defect.message == 'attribute version of VOEvent is "2.1", but the namespace is that of version 2.0'


def test_an_ivorn_that_is_no_uri_is_told() -> None:
    (defect,) = defects(root_of(voevent(ivorn="ivo://%%%", body="")))
    assert defect.message == (
        'attribute ivorn of VOEvent is "ivo://%%%", expected a URI such as ivo://authority/stream#event'
    )


@pytest.mark.parametrize(
    ("attribute", "told"),
    [
        (
            'xsi:type="Nope"',
            "attribute xsi:type of What/Param names no type that may stand there; leave it out",
        ),
        (
            'xsi:type="v:Who"',
            "attribute xsi:type of What/Param names no type that may stand there; leave it out",
        ),
        ('xsi:nil="true"', "attribute xsi:nil is not allowed in What/Param"),
        ('xsi:nil="7"', 'attribute xsi:nil of What/Param is "7", expected true or false'),
    ],
)
def test_types_and_nils_that_cannot_be_are_told(attribute: str, told: str) -> None:
    declared = f'xmlns:v="{NAMESPACES["2.0"]}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    assert found(f"<What><Param {declared} {attribute}/></What>") == [told]


def test_a_type_of_the_standard_may_be_named_and_none_of_our_own() -> None:
    declared = f'xmlns:v="{NAMESPACES["2.0"]}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    assert found(f'<What><Param {declared} xsi:type="v:Param"/></What>') == []
    assert found(f'<Description {declared} xsi:type="v:EventIVORN" cite="followup"/>') == []
    assert found(f'<How><Description {declared} xsi:type="v:remark"/></How>') != []


def test_text_of_nothing_but_no_break_spaces_is_stray_text() -> None:
    assert found("<What>\xa0</What>") == ['text is not allowed in What outside of its elements: " "']


def test_a_defect_carries_its_line() -> None:
    packet = b"\n\n" + voevent(body="<Who/>\n<What>\n<Param\n/>\n<Parm/>\n</What>\n", declaration="")
    (defect,) = defects(root_of(packet))
    assert (defect.line, defect.column) == (8, None)
    assert str(defect) == f"line 8: {defect.message}"
    assert str(Defect("of no place")) == "of no place"


def test_the_same_mistake_many_times_is_told_once_where_it_comes_first() -> None:
    root = root_of(voevent(body="<What>\n" + '<Param nmae="x"/>\n' * 30 + '<Param dataType="x"/></What>'))
    assert [defect.line for defect in defects(root)] == [4, 34]


def test_many_mistakes_are_told_up_to_a_bound() -> None:
    messages = found("<What>" + "".join(f'<Param p{n}="x"/>' for n in range(30)) + "</What>")
    assert len(messages) == len(set(messages)) == MAX_DEFECTS


HOSTILE = "\x1b[2J‮\u2028'\"{}()] is not \n\t" * 30


@pytest.mark.parametrize(
    "where",
    [
        lambda root, text: root.set("role", text),
        lambda root, text: root.set("ivorn", text),
        lambda root, text: root.set("version", text),
        lambda root, text: root.find(".//Date").__setattr__("text", text),
        lambda root, text: root.find(".//Inference").set("probability", text),
        lambda root, text: root.find(".//AstroCoordSystem").set("id", text),
        lambda root, text: root.find("What").__setattr__("text", text),
        lambda root, text: root.find("WhereWhen").set("id", text),
    ],
)
def test_what_a_message_repeats_of_a_packet_is_short_and_printable(
    where: Callable[[etree._Element, str], None],
) -> None:
    root = root_of(voevent())
    where(root, HOSTILE.replace("\x1b", "\x85"))
    told = defects(root)
    assert told
    assert all(defect.message.isprintable() and len(defect.message) <= MAX_MESSAGE for defect in told)


def test_a_value_of_a_mebibyte_is_shown_short() -> None:
    (message,) = found(f'<What><Param dataType="{"x" * 2**20}"/></What>')
    assert message.startswith('attribute dataType of What/Param is "xxxx')
    assert message.endswith('x…", which is none of those expected')


names = st.text("abcXYZéßΩжя", min_size=1, max_size=200)


@given(
    names, names, st.text(st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=["C"]))
)
def test_any_name_and_value_gives_a_message_within_bounds(element: str, attribute: str, value: str) -> None:
    root = root_of(voevent())
    what = root.find("What")
    assert what is not None
    added = etree.SubElement(what, element)
    what[0].set(attribute, value)
    added.text = value
    told = defects(root)
    assert 1 <= len(told) <= MAX_DEFECTS
    assert all(defect.message.isprintable() and 0 < len(defect.message) <= MAX_MESSAGE for defect in told)


# ----- Namespaces and versions


def test_a_root_in_no_namespace_is_one_defect_that_says_which_it_needs() -> None:
    root = root_of('<VOEvent ivorn="nonsense %%" version="2.0" role="x"><Foo/></VOEvent>')
    (defect,) = defects(root)
    assert defect.message == (
        f'VOEvent is in no namespace; version 2.0 needs <voe:VOEvent xmlns:voe="{NAMESPACES["2.0"]}" ...>, '
        "with all below it in no namespace"
    )


def test_a_root_in_a_stray_namespace_is_one_defect_that_says_which_it_needs() -> None:
    stray = NAMESPACES["1.1"].replace("http:", "https:")
    (defect,) = defects(root_of(f'<v:VOEvent xmlns:v="{stray}" version="1.1"><Foo/></v:VOEvent>'))
    assert defect.message.startswith(f'VOEvent is in the namespace "{stray}"; version 1.1 needs <voe:VOEvent')
    assert NAMESPACES["1.1"] in defect.message


@pytest.mark.parametrize(
    ("opening", "told"),
    [
        ('<VOEvent version="3.0"', 'VOEvent is in no namespace and of version "3.0", which is not known; '),
        ("<VOEvent", "VOEvent is in no namespace and of no version; "),
        (
            '<VOEvent xmlns="urn:x" version="2"',
            'VOEvent is in the namespace "urn:x" and of version "2", which is not known; ',
        ),
    ],
)
def test_an_unknown_version_is_told_with_those_that_are_known(opening: str, told: str) -> None:
    (defect,) = defects(root_of(f"{opening}><Foo/></VOEvent>"))
    assert defect.message.startswith(told + "known are 1.1, 2.0 and 2.1, ")


def test_another_root_is_told() -> None:
    (defect,) = defects(root_of("<VOTable/>"))
    assert defect.message == "the root element is VOTable, expected VOEvent"


# ----- VOEvent 2.1 against 2.0: what requirements and standards say, tried out

FRAME = '<AstroCoordSystem id="UTC-FK5-GEO"/>'
CONSEQUENCES = {
    # what: (body, valid in 2.0, valid in 2.1)
    "an ordinary event": (BURST.format(author="ivo://a/b", packet_type=1), True, True),
    "Position2D before Time": (where_when(POSITION + TIME), True, False),
    "Error before TimeInstant": (where_when("<Time><Error>1</Error><TimeInstant/></Time>"), True, False),
    "TimeScale before ISOTime": (
        where_when("<Time><TimeInstant><TimeScale/><ISOTime/></TimeInstant></Time>"),
        True,
        False,
    ),
    "two TimeInstants": (where_when("<Time><TimeInstant/><TimeInstant/></Time>"), True, False),
    "one coordinate system in both locations": (where_when(TIME, observatory=FRAME), True, False),
    "the id of WhereWhen being the coordinate system's": (
        where_when(TIME, own=' id="UTC-FK5-GEO"'),
        True,
        False,
    ),
    "GPS-FK5-GEO": (where_when(TIME, system="GPS-FK5-GEO"), False, True),
    "a solar system": (where_when(TIME, system="UTC-HPC-TOPO"), False, True),
    "GCN's FK5-UTC-GEO": (where_when(TIME, system="FK5-UTC-GEO"), False, True),
    "a coordinate system that is no XML name": (where_when(TIME, system="UTC FK5 GEO"), False, False),
    "no Error2Radius": (where_when(f"<Position2D>{VALUE2}</Position2D>"), False, True),
    "a time that is none": (
        where_when("<Time><TimeInstant><ISOTime>then</ISOTime></TimeInstant></Time>"),
        True,
        True,
    ),
    "an importance of 7": ('<Why importance="7"><Name/></Why>', True, True),
    "two Params of one name": ('<What><Param name="a"/><Param name="a"/></What>', True, True),
    "a float Param of text": ('<What><Param dataType="float" value="abc"/></What>', True, True),
    "EventIVORN without cite": ("<Citations><EventIVORN>ivo://a/b#c</EventIVORN></Citations>", True, True),
    "a foreign child of VOEvent": ('<x:Image xmlns:x="urn:x"/>', False, False),
    "an empty Why": ("<Why/>", False, False),
    "an empty How": ("<How/>", False, False),
    "an event with nothing in it": ("", True, True),
    # and what else 2.1 changed
    "a Contributor": ('<Who><Author><Contributor role="Editor">A</Contributor></Author></Who>', False, True),
    "a Contributor of an unknown role": (
        '<Who><Author><Contributor role="Boss"/></Author></Who>',
        False,
        False,
    ),
    "the old contributor": ("<Who><Author><contributor>A</contributor></Author></Who>", True, True),
    "a TimeInterval": (where_when("<Time><TimeInterval><ISOTimeStart/></TimeInterval></Time>"), False, True),
    "a TimeInstant and a TimeInterval": (
        where_when("<Time><TimeInstant/><TimeInterval/></Time>"),
        False,
        False,
    ),
    "a PositionName": (where_when("<PositionName>Jupiter</PositionName>"), False, True),
    "a unit on an axis, as pos_unit": (
        where_when(POSITION.replace("<C1>", '<C1 pos_unit="deg">')),
        False,
        True,
    ),
    "a unit on an axis, as unit": (where_when(POSITION.replace("<C1>", '<C1 unit="deg">')), False, False),
    "an axis missing from a value": (where_when(POSITION.replace("<C1>1</C1>", "")), False, False),
    "an axis missing from an error": (
        where_when(f"<Position2D>{VALUE2}<Error2><C2>1</C2></Error2></Position2D>"),
        False,
        True,
    ),
    "one id on a frame and on WhereWhen": (
        where_when(TIME, own=' id="a"').replace(
            FRAME, '<AstroCoordSystem><TimeFrame id="a"/></AstroCoordSystem>'
        ),
        False,
        False,
    ),
    "two ids on the frames": (
        where_when(TIME, own=' id="a"').replace(
            FRAME, '<AstroCoordSystem><TimeFrame id="b"/></AstroCoordSystem>'
        ),
        False,
        True,
    ),
    "the id of a place being a coordinate system's": (
        where_when(TIME).replace("<ObservatoryLocation>", '<ObservatoryLocation id="UTC-FK5-GEO">'),
        True,
        True,
    ),
}


@pytest.mark.parametrize("case", CONSEQUENCES)
def test_2_0_and_2_1_differ_where_the_standards_do(case: str) -> None:
    body, in_20, in_21 = CONSEQUENCES[case]
    assert (valid(body, "2.0"), valid(body, "2.1")) == (in_20, in_21)


def test_an_id_given_twice_is_told() -> None:
    assert found(where_when(TIME, own=' id="UTC-FK5-GEO"'), "2.1") == [
        'id "UTC-FK5-GEO" of WhereWhen is another element\'s too; all ids in a packet must differ'
    ]


# ----- VOEvent 1.1 against 2.0

STC = (
    '<s:ObsDataLocation xmlns:s="http://www.ivoa.net/xml/STC/stc-v1.30.xsd">'
    '<s:Anything at="all"/></s:ObsDataLocation>'
)
CHANGES = {
    # what: (body, valid in 1.1, valid in 2.0)
    "ObsDataLocation of STC": (f"<WhereWhen>{STC}</WhereWhen>", True, False),
    "ObsDataLocation of a stray namespace": (
        f"<WhereWhen>{STC.replace('www.ivoa.net', 'x')}</WhereWhen>",
        True,
        False,
    ),
    "ObsDataLocation of no namespace": (where_when(POSITION), True, True),
    "ObsDataLocation of no namespace, not as in 2.0": (where_when("<Anything/>"), True, False),
    "two ObsDataLocations": (f"<WhereWhen>{STC}<Description/>{STC}</WhereWhen>", False, False),
    "a WhereWhen with nothing in it": ("<WhereWhen/>", True, True),
    "Reference, Description and location": (
        f"<WhereWhen><Reference uri='x'/><Description/>{STC}</WhereWhen>",
        True,
        False,
    ),
    "two Descriptions in a WhereWhen": ("<WhereWhen><Description/><Description/></WhereWhen>", False, True),
    "an id on WhereWhen": ('<WhereWhen id="a"/>', False, True),
    "a Param with anything": ("<What><Param any='thing'><Thing/>text</Param></What>", True, False),
    "a Param with a Value": ("<What><Param><Value>1</Value></Param></What>", True, True),
    "a Table": ("<What><Table/></What>", False, True),
    "a Group in a Group": ("<What><Group><Group/></Group></What>", True, False),
    "an empty What": ("<What/>", False, True),
    "an empty Who": ("<Who/>", False, True),
    "a format of a Description": ('<Description format="text/html"/>', True, False),
    "a name of a Reference": ('<Reference uri="x" name="y"/>', True, False),
    "a mimetype of a Reference": ('<Reference uri="x" mimetype="y"/>', False, True),
    "no uri of a Reference": ("<Reference/>", False, False),
    "no uri of a Reference further down": ("<How><Reference/></How>", True, False),
    "EventIVORN without cite": ("<Citations><EventIVORN>ivo://a/b#c</EventIVORN></Citations>", False, True),
    "an unknown cite": ('<Citations><EventIVORN cite="x"/></Citations>', False, False),
    "a Description before the citations": (
        '<Citations><Description/><EventIVORN cite="followup"/></Citations>',
        True,
        False,
    ),
    "a Reference in the citations": (
        '<Citations><EventIVORN cite="followup"/><Reference uri="x"/></Citations>',
        True,
        False,
    ),
    "two Dates": ("<Who><Date>2026-11-24T01:02:03</Date><Date>2026-11-24T01:02:03</Date></Who>", True, False),
    "a Date that is none": ("<Who><Date>today</Date></Who>", False, False),
    "a foreign child of VOEvent": ('<x:Image xmlns:x="urn:x"/>', False, False),
}


@pytest.mark.parametrize("case", CHANGES)
def test_1_1_and_2_0_differ_where_the_standards_do(case: str) -> None:
    body, in_11, in_20 = CHANGES[case]
    assert (valid(body, "1.1"), valid(body, "2.0")) == (in_11, in_20)


def test_a_location_of_another_kind_in_1_1_is_told() -> None:
    body = f"<WhereWhen>{STC}<ObsDataLocation/></WhereWhen>"
    assert found(body, "1.1") == ["ObsDataLocation stands in WhereWhen more than once"]


def test_a_packet_within_an_unchecked_element_of_1_1_is_checked() -> None:
    inner = voevent(version="1.1", body="<Foo/>", declaration="").decode()
    assert found(f"<What><Param>{inner}</Param></What>", "1.1") == [
        "What/Param/VOEvent/Foo is not allowed where it stands"
    ]


def test_a_second_location_in_1_1_is_told() -> None:
    assert found(f"<WhereWhen>{STC}{STC}</WhereWhen>", "1.1") == [
        "ObsDataLocation stands in WhereWhen more than once"
    ]


@pytest.mark.parametrize(("version", "told"), [("1.1", False), ("2.0", True), ("2.1", True)])
def test_a_role_of_ones_own_is_allowed_in_1_1_alone(version: str, *, told: bool) -> None:
    root = root_of(voevent(version=version, role="calibration", body=""))
    assert bool(defects(root)) is told


# ----- Nothing that a packet says is fetched


@pytest.mark.parametrize("how", ["schemaLocation", "noNamespaceSchemaLocation"])
def test_a_schema_that_a_packet_names_is_not_read(tmp_path: Path, how: str) -> None:
    refuses_all = tmp_path / "refuses.xsd"
    refuses_all.write_text(
        '<schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:x">'
        '<element name="y" type="int"/></schema>'
    )
    value = f"urn:x {refuses_all.as_uri()}" if how == "schemaLocation" else refuses_all.as_uri()
    location = f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:{how}="{value}"'
    body = f'<What><Param {location}><x:y xmlns:x="urn:x">no int</x:y></Param></What>'
    assert found(body, "1.1") == []


# ----- Cost


def test_a_packet_full_of_mistakes_is_checked_by_reading_it() -> None:
    body = "<What>" + '<Param nmae="x"/>' * 60_000 + "</What>"
    assert found(body) == ["attribute nmae is not allowed in Param"]  # would take 10 s on its tree


def test_a_packet_checked_by_reading_it_is_told_its_own_mistakes_alone() -> None:
    strange = " ".join(f"strange{n}=''" for n in range(250))
    other = root_of(voevent(body=f"<What {strange}/>"))
    assert len(defects(other)) == 5
    assert found("<stray/>" * 4_000) == ["stray is not allowed where it stands"]


def test_a_large_packet_without_mistakes_is_valid() -> None:
    row = "<TR><TD>1</TD><TD>2</TD></TR>"
    assert found(f"<What><Table><Data>{row * 10_000}</Data></Table></What>") == []


@pytest.mark.parametrize("mistake", MISTAKES)
def test_reading_a_packet_finds_the_mistakes_that_its_tree_shows(
    mistake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_grammar, "_COSTLY", 0)
    body, _ = MISTAKES[mistake]
    root = root_of(voevent(body=body))
    (defect,) = defects(root)
    assert defect.line is None
    assert defect.message


# ----- Threads


def test_one_packet_may_be_checked_in_many_threads_at_once() -> None:
    good = root_of(voevent(version="2.1", body=FULL_21))
    twice = root_of(voevent(version="2.1", body=where_when(TIME, own=' id="UTC-FK5-GEO"')))
    bad = [root_of(voevent(body=f'<What><Param p{n}="x"/></What>')) for n in range(8)]
    start = threading.Barrier(8)

    def check(n: int) -> set[tuple[tuple[str, ...], ...]]:
        start.wait()
        return {
            tuple(
                tuple(defect.message.split(" is ")[0] for defect in defects(root))
                for root in (good, twice, bad[n])
            )
            for _ in range(200)
        }

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(check, range(8)))
    assert answers == [{((), ('id "UTC-FK5-GEO" of WhereWhen',), (f"attribute p{n}",))} for n in range(8)]


# ----- Transport

TRANSPORTS = [
    "http://telescope-networks.org/schema/Transport/v1.1",
    "http://telescope-networks.org/xml/Transport/v1.1",
    "http://www.telescope-networks.org/xml/Transport/v1.1",
    "http://ivoa.net/xml/Transport/v1.1",
]
ORDER = "the order is Origin, Response, TimeStamp, Meta"
STAMP = "<TimeStamp>2026-11-24T01:02:03Z</TimeStamp>"


def message(inner: str, role: str = "ack", namespace: str = TRANSPORTS[0]) -> etree._Element:
    return root_of(f'<t:Transport xmlns:t="{namespace}" role="{role}" version="1.0">{inner}</t:Transport>')


@pytest.mark.parametrize("namespace", TRANSPORTS)
@pytest.mark.parametrize("role", ["iamalive", "authenticate", "ack", "nak"])
def test_a_message_of_every_role_and_spelling_of_the_namespace_is_valid(role: str, namespace: str) -> None:
    inner = (
        f"<Origin>ivo://a/b</Origin><Response>ivo://c/d</Response>{STAMP}"
        '<Meta><Param name="xpath-filter" value="//x"/><Param name="a" value=""/><Result>done</Result></Meta>'
    )
    root = message(inner, role, namespace)
    assert transport_defects(root) == ()
    assert root.tag == f"{{{namespace}}}Transport"


def test_a_message_in_no_namespace_and_with_the_least_in_it_is_valid() -> None:
    text = f'<Transport role="iamalive" version="1.0"><Origin>a</Origin>{STAMP}</Transport>'
    assert transport_defects(root_of(text)) == ()


@pytest.mark.parametrize(
    ("inner", "told"),
    [
        (
            STAMP,
            f"TimeStamp may not stand here in Transport: expected Origin; {ORDER}",
        ),
        ("<Origin/>", "Transport lacks one of Response or TimeStamp"),
        (
            f"<Origin/>{STAMP}<Response/>",
            f"Response may not stand here in Transport: expected Meta; {ORDER}",
        ),
        (
            f"<Origin/>{STAMP}<Meta><Result/><Param name='a' value='b'/></Meta>",
            "Param may not stand here in Meta; the order is Param, Result",
        ),
        (
            f"<Origin/>{STAMP}<Meta><Result/><Result/></Meta>",
            "Result may not stand here in Meta; the order is Param, Result",
        ),
        (f"<Origin/>{STAMP}<Meta><Param name='a'/></Meta>", "Meta/Param lacks the attribute value"),
        (
            f"<Origin/>{STAMP}<Meta><Param name='a' value='b'>c</Param></Meta>",
            "Meta/Param must be empty: not even a blank between its tags",
        ),
        (
            "<Origin/><TimeStamp>now</TimeStamp>",
            'TimeStamp is "now", expected a date and time such as 2026-11-24T01:02:03',
        ),
    ],
)
def test_a_message_that_breaks_the_appendix_is_told(inner: str, told: str) -> None:
    assert [defect.message for defect in transport_defects(message(inner))] == [told]


def test_a_message_of_another_role_root_or_namespace_is_told() -> None:
    inner = f"<Origin/>{STAMP}"
    (role,) = transport_defects(message(inner, "hello"))
    assert (
        role.message == 'attribute role of Transport is "hello", expected iamalive, authenticate, ack or nak'
    )
    (root,) = transport_defects(root_of("<VOEvent/>"))
    assert root.message == "the root element is VOEvent, expected Transport"
    (namespace,) = transport_defects(message(inner, namespace="urn:x"))
    assert namespace.message == 'the namespace of Transport is "urn:x", none of those in use'
