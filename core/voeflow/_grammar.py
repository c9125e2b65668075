"""Whether a packet follows the grammar of its own version of VOEvent, and if not, what its author must mend.

The grammars are files beside this module, in `grammars/`, written for this project from the standards:
VOEvent 1.1 (IVOA Recommendation, 2006), 2.0 (Recommendation, 2011), 2.1 (Proposed Recommendation of
2026-02-25), and Transport 1.1 (VTP 2.0, appendix A).

They are W3C XML Schema and not RELAX NG, for three reasons. Measured with libxml2 2.14 on real packets of
5 kB, XML Schema takes 30 us and RELAX NG 130 us. What libxml2 says of a failed RELAX NG match is seldom what
is wrong ("Extra element What in interleave" for a bad attribute further down). And the standard's own grammar
is an XML Schema, so that `xsi:type` in a packet has a meaning, which RELAX NG cannot express.

Threads: a validator keeps the log of its last run, so one thread at a time has it. Those not in use are kept,
whichever thread compiled them (about 1 ms each), since worker threads come and go. No grammar uses xs:ID, for
which libxml2 would write into the packet's tree, so one packet may be checked in several threads at once.
The first to be compiled makes tables that libxml2 keeps for the whole process, unguarded: two threads
that begin at once leave them broken, and packets are refused or a thread never ends. So one compiles at a
time.
Only the package's own files are read: given a schema, libxml2 follows no `xsi:schemaLocation` of a packet.
"""

from __future__ import annotations

import copy
import re
import threading
from collections import defaultdict, deque
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final, cast

import attrs
from lxml import etree

from voeflow._grammar_content import INCLUDE, Content, read_content
from voeflow._text import printable

#: The namespace of each version's `VOEvent` element; everything below it is in none.
NAMESPACES: Final = {
    "1.1": "http://www.ivoa.net/xml/VOEvent/v1.1",
    "2.0": "http://www.ivoa.net/xml/VOEvent/v2.0",
    "2.1": "http://www.ivoa.net/xml/VOEvent/v2.1",
}

#: How many defects of a packet are told. An author mends a few at a time, and a nak must stay short.
MAX_DEFECTS: Final = 5

#: How long one defect's message may get, in characters.
MAX_MESSAGE: Final = 400

#: How many of libxml2's complaints are looked into for those, since many say the same.
_LOOKED_INTO = 50

#: The cost of checking a packet's tree, at worst, above which the packet is read again instead. lxml walks
#: over an element's elder siblings at each complaint about it, so that the cost is complaints by elements: at
#: this bound some 20 ms, where 1 MiB of bad elements could take 20 s.
_COSTLY = 4_000_000
_COST = etree.XPath("count(//*) * (count(//*) + count(//@*))")

#: Up to this many bytes no packet costs more: an element takes 4 of them at least, an attribute 5, so that
#: the cost is at most a sixteenth of their square.
_SHORT = 8_000

#: How much of such a packet is read between looks at whether it has failed already, in bytes.
_PIECE = 65_536

#: Found by this module's own place: `importlib.resources` is slow to import.
_GRAMMARS = Path(__file__).with_name("grammars")

#: Who compiles a grammar has it.
_compiling = threading.Lock()
#: Compiled grammars that no thread uses now; a deque's pop and append are atomic.
_spare: defaultdict[str, deque[etree.XMLSchema]] = defaultdict(deque)

#: The grammar of each root element.
_GRAMMAR_OF = {
    f"{{{namespace}}}VOEvent": f"voevent-{version}.xsd" for version, namespace in NAMESPACES.items()
}
_ANY_VERSION = "http://www.ivoa.net/xml/VOEvent/v1.1, .../v2.0 or .../v2.1"

# Spellings that peers write: http://telescope-networks.org/{schema,xml}/Transport/v1.1, the same with www.,
# and http://ivoa.net/xml/Transport/v1.1.
_TRANSPORT = re.compile(r"https?://[\w.-]+/(?:xml|schema)/Transport/v1\.[01]", re.ASCII)


@attrs.frozen
class Defect:
    """One way in which a packet breaks its grammar.

    Attributes:
        message: what is wrong and what was expected, for the packet's author: one line of printable text, of
            which a few words at most come from the packet.
        line: the line in the packet, counted from 1; None where it is not known.
        column: the column in that line, counted from 1; None where it is not known.
    """

    message: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return self.message if self.line is None else f"line {self.line}: {self.message}"


def defects(root: etree._Element, raw: bytes = b"") -> tuple[Defect, ...]:
    """Check a packet against the grammar of its own version.

    The version is that of the root's namespace. A root in no known namespace is never valid; its `version`
    attribute then serves to say which namespace was expected, and nothing further is checked.

    Args:
        root: the root element of a parsed packet. It is not changed.
        raw: the packet that it was parsed from, if that is at hand: it shows sooner that a check is cheap.

    Returns:
        What is wrong, mostly in the packet's order, at most `MAX_DEFECTS`; nothing if the packet is valid.
    """
    grammar = _GRAMMAR_OF.get(str(root.tag))
    if grammar is not None:
        return _check(grammar, root, raw)
    name = etree.QName(root)
    if name.localname != "VOEvent":
        return (_defect(f"the root element is {printable(name.localname, 60)}, expected VOEvent", root),)
    return (_defect(_stray(root, name.namespace), root),)


def transport_defects(root: etree._Element) -> tuple[Defect, ...]:
    """Check a VTP message against the grammar of VTP 2.0, appendix A.

    That grammar has no namespace and implementations write several, so any of the Transport family will do,
    or none; the elements below are in none.

    Args:
        root: the root element of a parsed message. It is not changed.

    Returns:
        What is wrong, as `defects` gives it.
    """
    name = etree.QName(root)
    if name.localname != "Transport":
        return (_defect(f"the root element is {printable(name.localname, 60)}, expected Transport", root),)
    if name.namespace is not None and not _TRANSPORT.fullmatch(name.namespace):
        stray = printable(name.namespace, 100)
        return (_defect(f'the namespace of Transport is "{stray}", none of those in use', root),)
    bare = copy.deepcopy(root)
    bare.tag = name.localname
    return _check("transport-1.1.xsd", bare)


def _stray(root: etree._Element, namespace: str | None) -> str:
    """Say what the namespace of a VOEvent should have been."""
    version = root.get("version", "").strip()
    found = f'in the namespace "{printable(namespace, 100)}"' if namespace else "in no namespace"
    if version not in NAMESPACES:
        told = f'of version "{printable(version, 20)}", which is not known' if version else "of no version"
        return (
            f"VOEvent is {found} and {told}; known are 1.1, 2.0 and 2.1, the namespace being {_ANY_VERSION}"
        )
    return (
        f'VOEvent is {found}; version {version} needs <voe:VOEvent xmlns:voe="{NAMESPACES[version]}" ...>, '
        "with all below it in no namespace"
    )


def _check(grammar: str, root: etree._Element, raw: bytes = b"") -> tuple[Defect, ...]:
    spare = _spare[grammar]
    try:
        validator = spare.pop()  # no other thread uses it now
    except IndexError:
        validator = _compile(grammar)
    try:
        if not _surely_cheap(raw) and _cost(root) > _COSTLY:
            complaints = _complaints_reading(validator, root)
        elif validator.validate(root):
            return ()
        else:
            complaints = list(validator.error_log)
    finally:
        spare.append(validator)
    from voeflow._grammar_words import explain  # for what is wrong alone

    found: dict[str, Defect] = {}
    for complaint in complaints[:_LOOKED_INTO]:
        message = printable(explain(complaint, root, _content(grammar)), MAX_MESSAGE)
        found.setdefault(message, Defect(message, complaint.line or None))
        if len(found) == MAX_DEFECTS:
            break
    return tuple(found.values())


def _complaints_reading(validator: etree.XMLSchema, root: etree._Element) -> Sequence[etree._LogEntry]:
    """Check a costly packet by reading it anew: time in proportion to its size, but no lines.

    The verdict is that on the tree, save that an empty CDATA section is overlooked where no text may stand.
    """
    text = etree.tostring(root, with_tail=False)
    # It was read once already, under the limits for packets from outside.
    parser = etree.XMLParser(schema=validator, resolve_entities=False, no_network=True, huge_tree=True)
    try:
        for start in range(0, len(text), _PIECE):
            parser.feed(text[start : start + _PIECE])
            if len(parser.feed_error_log) >= _LOOKED_INTO:
                return list(parser.feed_error_log)
        parser.close()
    except etree.XMLSyntaxError as error:
        # The error's own log is that of the whole thread, in which the complaints about other packets stand.
        return list(parser.feed_error_log) or list(error.error_log)[-1:]
    return ()


def _defect(message: str, root: etree._Element) -> Defect:
    return Defect(printable(message, MAX_MESSAGE), root.sourceline)


def _compile(grammar: str) -> etree.XMLSchema:
    with _compiling:
        return etree.XMLSchema(_read(grammar))


def prepare() -> None:
    """Compile the grammar of most packets, for those who do not want the first of them to wait for that."""
    grammar = "voevent-2.0.xsd"
    if not _spare[grammar]:
        _spare[grammar].append(_compile(grammar))


def _surely_cheap(raw: bytes) -> bool:
    """Whether a packet's bytes show that it is not costly: a tag has a `<`, an attribute a `=`."""
    if len(raw) <= _SHORT:
        return bool(raw)
    tags = raw.count(b"<")
    return tags * (tags + raw.count(b"=")) <= _COSTLY


def _cost(root: etree._Element) -> float:
    """Give what it may cost to check a packet's tree: its elements by its elements and attributes."""
    return cast("float", _COST(root))


def _read(grammar: str) -> etree._Element:
    """Read a grammar of ours as one schema, with what it includes in place, so that libxml2 opens no file."""
    text = (_GRAMMARS / grammar).read_bytes()
    schema = etree.fromstring(text, etree.XMLParser(resolve_entities=False, no_network=True))
    for include in schema.findall(INCLUDE):
        for part in list(_read(include.attrib["schemaLocation"])):
            include.addprevious(part)
        schema.remove(include)
    return schema


@cache
def _content(grammar: str) -> Content:
    return read_content(_read(grammar))
