"""Our grammar of VOEvent 2.0 against the schema of the IVOA, which the comet distribution carries.

Over the real packets that voevent-parse and pygcn carry, our own samples, and thousands of mutations of them,
both must say valid of the same packets.
"""

from __future__ import annotations

import copy
import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from support.grammar_packets import FULL_20, FULL_21
from support.samples import voevent
from voeflow import _grammar
from voeflow._grammar import MAX_DEFECTS, MAX_MESSAGE, NAMESPACES, defects

pytestmark = pytest.mark.interop

MUTATIONS_OF_EACH = 400
XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
SAFE = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


def packages_of_the_peers() -> Path:
    """Give the directory of packages in the peers' environment."""
    home = Path(os.environ.get("VOEFLOW_PEERS", Path(__file__).parents[2] / ".venv-peers"))
    found = sorted(home.glob("lib/python*/site-packages"))
    if not found:
        pytest.fail(
            f"no environment of the peers at {home}: run `make peers`, or set VOEFLOW_PEERS to its directory"
        )
    return found[0]


@pytest.fixture(scope="module")
def peers() -> Path:
    return packages_of_the_peers()


@pytest.fixture(scope="module")
def ivoa(peers: Path) -> etree.XMLSchema:
    schema = peers / "comet/schema/VOEvent-v2.0.xsd"
    if not schema.exists():
        pytest.fail(f"comet brought no schema to {peers}: run `make peers`")
    return etree.XMLSchema(etree.parse(schema, SAFE))


@pytest.fixture(scope="module")
def seeds(peers: Path) -> dict[str, bytes]:
    """Packets by name, as 2.0 whatever they were."""
    paths = [path for package in ("voeventparse", "gcn") for path in sorted((peers / package).rglob("*.xml"))]
    if len(paths) < 8:
        pytest.fail(f"voevent-parse and pygcn brought only {len(paths)} packets to {peers}: run `make peers`")
    packets = {path.name: path.read_bytes() for path in paths}
    for version in ("1.1", "2.1"):
        for name, packet in list(packets.items()):
            if NAMESPACES[version].encode() in packet:
                packets[name + " as 2.0"] = switched(packet, version, "2.0")
    samples = {
        "burst": voevent(),
        "empty": voevent(body="", role=None),
        "full": voevent(body=FULL_20),
        "full 2.1 as 2.0": switched(voevent(version="2.1", body=FULL_21), "2.1", "2.0"),
    }
    return packets | samples


def switched(packet: bytes, old: str, new: str) -> bytes:
    """Make a packet say that it is of another version."""
    moved = packet.replace(NAMESPACES[old].encode(), NAMESPACES[new].encode())
    return moved.replace(f'version="{old}"'.encode(), f'version="{new}"'.encode())


# ----- Mutations. Each takes an element of a packet and changes something at it or around it.

ELEMENTS = sorted(
    {element.tag for body in (FULL_20, FULL_21) for element in etree.fromstring(f"<x>{body}</x>").iter("*")}
    | {"VOEvent", "Parm", "TimeInterval", "ObsDataLocation", "filter", "value"}
)
ATTRIBUTES = [
    "name", "value", "ucd", "unit", "utype", "dataType", "type", "uri", "mimetype", "meaning", "id",
    "cite", "role",
    "version", "ivorn", "importance", "expires", "probability", "relation", "coord_system_id", "Name",
    "format",
    "{urn:x}name", XML_ID, "{http://www.w3.org/XML/1998/namespace}lang",
    f"{{{XSI}}}schemaLocation", f"{{{XSI}}}noNamespaceSchemaLocation", f"{{{XSI}}}type", f"{{{XSI}}}nil",
    f"{{{XSI}}}other", "{http://www.ivoa.net/xml/VOEvent/v2.0}name",
]  # fmt: skip
VALUES = [
    "", " ", "\n", "\t a \t", "\xa0", "a", "a b", "a:b", "_a-1.b", "1a", "é", "-", "0", "1", "-1",
    "+1", "1.", ".5", "1e3", "1E-400",
    "1e400", "0.0", "1.0", "1.0000001", "-0", "-0.0", " 0.5 ", "0,5", "0x10", "1_0", "INF", "-INF",
    "+INF", "inf", "NaN", "nan", "Infinity",
    "2026-11-24T01:02:03", "2026-11-24T01:02:03Z", " 2026-11-24T01:02:03.123456789+14:00 ",
    "2026-11-24T24:00:00", "2026-11-24",
    "2026-11-24 01:02:03", "2026-02-29T00:00:00", "2026-11-24T01:02:60", "2026-11-24T01:02:03+15:00",
    "-0001-01-01T00:00:00",
    "0000-01-01T00:00:00", "12026-01-01T00:00:00", "2026-11-24T1:02:03", "20261124T010203",
    "test", "Test", " test", "observation", "utility ", "prediction", "string", "float", "int",
    "integer", "followup", "supersedes",
    "retraction", "cites", "UTC-FK5-GEO", "UTC-ICRS-TOPO", "GPS-FK5-GEO", "GPS-FK5-TOPO",
    "TDB-ICRS-BARY", "UTC-GEOD-TOPO", "FK5-UTC-GEO",
    "utc-fk5-geo", "2.0", " 2.0 ", "2", "2.00", "2.1", "1.1", "ivo://a/b#c", "http://[::1]/",
    "http://[", "%", "%41", "a%zz", "{}", "\\", "a\\b",
    "http://a b/", "##", "#", "?", "mailto:x@y", "://", ":", "http://é/", "true", "false", "voe:Param",
    "xs:string", "]]>", "<&>", "a" * 300,
]  # fmt: skip
TYPES = [
    *(f"voe:{name}" for name in (
        "Who", "What", "Param", "Group", "Table", "Field", "Data", "TR", "WhereWhen",
        "ObsDataLocation", "ObservationLocation",
        "ObservatoryLocation", "AstroCoordSystem", "AstroCoords", "Time", "TimeInstant", "Position2D",
        "Position3D", "Value2",
        "Value3", "How", "Why", "Inference", "Citations", "EventIVORN", "Reference", "roleValues",
        "dataType", "idValues",
        "citeValues", "smallFloat", "VOEvent", "Nope", "remark", "meaning", "parts", "Unchecked",
        "coord_value", "Name", "curation",
    )),
    *(f"xs:{name}" for name in (
        "string", "normalizedString", "token", "NCName", "ID", "IDREF", "ENTITY", "anyType",
        "anySimpleType", "float", "double",
        "decimal", "int", "dateTime", "date", "anyURI", "boolean", "QName", "NMTOKENS", "language",
        "Nope",
    )),
    "Param", "string", "", ":", "nope:Param", " voe:Param ", "voe:Param x",
]  # fmt: skip

Mutation = Callable[[etree._Element, random.Random], None]


def other(element: etree._Element, rng: random.Random) -> etree._Element:
    return rng.choice(list(element.getroottree().getroot().iter("*")))


def put(element: etree._Element, child: etree._Element, rng: random.Random) -> None:
    element.insert(rng.randint(0, len(element)), child)


def delete(element: etree._Element, rng: random.Random) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def duplicate(element: etree._Element, rng: random.Random) -> None:
    parent = element.getparent()
    if parent is not None:
        put(parent, copy.deepcopy(element), rng)


def copy_elsewhere(element: etree._Element, rng: random.Random) -> None:
    put(other(element, rng), copy.deepcopy(element), rng)


def reorder(element: etree._Element, rng: random.Random) -> None:
    children = list(element)
    rng.shuffle(children)
    element[:] = children


def rename(element: etree._Element, rng: random.Random) -> None:
    if element.getparent() is not None:
        element.tag = rng.choice(ELEMENTS)


def change_namespace(element: etree._Element, rng: random.Random) -> None:
    if element.getparent() is not None:
        namespace = rng.choice([NAMESPACES["2.0"], NAMESPACES["1.1"], "urn:x"])
        element.tag = f"{{{namespace}}}{etree.QName(element).localname}"


def add_element(element: etree._Element, rng: random.Random) -> None:
    name = rng.choice([*ELEMENTS, "{urn:x}Foreign", f"{{{NAMESPACES['2.0']}}}VOEvent"])
    child = etree.Element(name)
    child.text = rng.choice([None, rng.choice(VALUES)])
    put(element, child, rng)


def empty(element: etree._Element, rng: random.Random) -> None:
    element[:] = []
    element.text = rng.choice([None, "", " ", "\n  "])


def change_text(element: etree._Element, rng: random.Random) -> None:
    element.text = rng.choice(VALUES)


def change_own_value(element: etree._Element, rng: random.Random) -> None:
    """Change the text of an element that holds no others, which may well stay valid."""
    leaves = [leaf for leaf in element.getroottree().getroot().iter("*") if leaf.find("*") is None]
    rng.choice(leaves).text = rng.choice(VALUES)


def change_tail(element: etree._Element, rng: random.Random) -> None:
    if element.getparent() is not None:
        element.tail = rng.choice([None, " ", "\n\t", "\xa0", "text"])


def add_cdata(element: etree._Element, rng: random.Random) -> None:
    element.text = etree.CDATA(rng.choice(["", " ", "<b>", "text"]))


def delete_attribute(element: etree._Element, rng: random.Random) -> None:
    if element.attrib:
        del element.attrib[rng.choice(list(element.attrib))]


def set_attribute(element: etree._Element, rng: random.Random) -> None:
    name = rng.choice(ATTRIBUTES)
    element.set(name, "a" if name == XML_ID else rng.choice(VALUES))  # another xml:id would be no XML


def change_attribute(element: etree._Element, rng: random.Random) -> None:
    holders = [holder for holder in element.getroottree().getroot().iter("*") if holder.attrib]
    holder = rng.choice(holders)
    name = rng.choice(list(holder.attrib))
    holder.set(name, "b" if name == XML_ID else rng.choice(VALUES))


def move_attribute(element: etree._Element, rng: random.Random) -> None:
    if element.attrib:
        name = rng.choice(list(element.attrib))
        other(element, rng).set(name, element.attrib.pop(name))


def set_type(element: etree._Element, rng: random.Random) -> None:
    own = f"voe:{etree.QName(element).localname}"
    element.set(f"{{{XSI}}}type", rng.choice([own, rng.choice(TYPES)]))


def make_text_a_citation(element: etree._Element, rng: random.Random) -> None:
    """Give text a type derived from xs:string: what is derived from an element's type may stand for it."""
    element.set(
        f"{{{XSI}}}type", rng.choice(["voe:EventIVORN", "voe:citeValues", "xs:token", "voe:smallFloat"])
    )
    element.set("cite", rng.choice(["followup", "cites"]))


def set_nil(element: etree._Element, rng: random.Random) -> None:
    element.set(f"{{{XSI}}}nil", rng.choice(["true", "false", "1", "0", "", "maybe"]))


def add_comment(element: etree._Element, rng: random.Random) -> None:
    put(element, etree.Comment("a comment"), rng)


def add_instruction(element: etree._Element, rng: random.Random) -> None:
    put(element, etree.ProcessingInstruction("a", "b"), rng)


def comment_around(element: etree._Element, rng: random.Random) -> None:
    root = element.getroottree().getroot()
    root.addprevious(etree.Comment("before"))
    root.addnext(etree.ProcessingInstruction("after"))


MUTATIONS: tuple[Mutation, ...] = (
    delete, duplicate, copy_elsewhere, reorder, rename, change_namespace, add_element, empty, change_text,
    change_own_value, change_tail, add_cdata, delete_attribute, set_attribute, change_attribute,
    move_attribute, set_type, make_text_a_citation, set_nil, add_comment, add_instruction, comment_around,
)  # fmt: skip


def mutated(seed: etree._Element, rng: random.Random) -> bytes:
    """Change a copy of a packet in a few places, and give it as bytes."""
    root = copy.deepcopy(seed)
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3])):
        rng.choice(MUTATIONS)(other(root, rng), rng)
    # The prefixes that values of xsi:type use.
    declared = etree.Element(
        root.tag,
        root.attrib,
        {**root.nsmap, "voe": NAMESPACES["2.0"], "xs": "http://www.w3.org/2001/XMLSchema"},
    )
    declared.text, declared[:] = root.text, list(root)
    return etree.tostring(declared)


# ----- The tests


def verdicts(ivoa: etree.XMLSchema, packet: bytes) -> tuple[bool, bool, bool]:
    """Say whether a packet is valid by the IVOA's schema, by ours, and by ours as on costly packets."""
    theirs = ivoa.validate(etree.fromstring(packet, SAFE))
    found = defects(etree.fromstring(packet, SAFE))
    assert len(found) <= MAX_DEFECTS
    assert all(defect.message.isprintable() and len(defect.message) <= MAX_MESSAGE for defect in found)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_grammar, "_COSTLY", 0)
        reading = defects(etree.fromstring(packet, SAFE))
    if b"<![CDATA[]]>" in packet:  # not seen while reading: see the docstring there
        return theirs, not found, theirs
    return theirs, not found, not reading


def test_every_packet_gets_the_verdict_of_the_ivoas_schema(
    ivoa: etree.XMLSchema, seeds: dict[str, bytes]
) -> None:
    counts: Counter[bool] = Counter()
    for name, packet in seeds.items():
        if NAMESPACES["2.0"].encode() not in packet:
            continue
        theirs, ours, reading = verdicts(ivoa, packet)
        assert ours == theirs, f"{name}: {ours=} {theirs=} {defects(etree.fromstring(packet, SAFE))}"
        assert reading == theirs, name
        counts[theirs] += 1
    assert counts[True] >= 5
    assert counts[False] >= 2


def test_every_mutation_gets_the_verdict_of_the_ivoas_schema(
    ivoa: etree.XMLSchema, seeds: dict[str, bytes]
) -> None:
    rng = random.Random(20111024)
    counts: Counter[bool] = Counter()
    for name, packet in seeds.items():
        seed = etree.fromstring(packet, SAFE)
        if seed.tag != f"{{{NAMESPACES['2.0']}}}VOEvent":
            continue
        for _ in range(MUTATIONS_OF_EACH):
            mutant = mutated(seed, rng)
            theirs, ours, reading = verdicts(ivoa, mutant)
            assert ours == reading == theirs, (
                f"a mutation of {name}: ours {ours} (while reading {reading}), theirs {theirs}\n"
                f"ours: {defects(etree.fromstring(mutant, SAFE))}\ntheirs: {ivoa.error_log}\n"
                f"{mutant.decode()}"
            )
            counts[theirs] += 1
    assert min(counts[True], counts[False]) > counts.total() / 6, counts


def test_real_packets_of_1_1_are_valid(seeds: dict[str, bytes]) -> None:
    roots = {name: etree.fromstring(packet, SAFE) for name, packet in seeds.items()}
    old = {name: root for name, root in roots.items() if etree.QName(root).namespace == NAMESPACES["1.1"]}
    assert len(old) >= 3
    assert {name: defects(root) for name, root in old.items() if defects(root)} == {}


def test_real_packets_of_2_0_are_valid_as_2_1(seeds: dict[str, bytes]) -> None:
    roots = {name: etree.fromstring(packet, SAFE) for name, packet in seeds.items() if ".xml" in name}
    valid = [name for name, root in roots.items() if not defects(root)]
    new = [name for name in valid if etree.QName(roots[name]).namespace == NAMESPACES["2.0"]]
    assert len(new) >= 3
    for name in new:
        assert defects(etree.fromstring(switched(seeds[name], "2.0", "2.1"), SAFE)) == (), name


def test_an_environment_without_the_peers_is_a_failure_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VOEFLOW_PEERS", str(tmp_path))
    with pytest.raises(pytest.fail.Exception, match="make peers"):
        packages_of_the_peers()
