"""The one place where XML from outside is parsed, and how its elements are found.

Elements are looked up by local name throughout: real packets have no namespace, a wrong one, or, in VOEvent
1.1, that of STC.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

from lxml import etree

from voeflow._element import Layout, lay_out
from voeflow._errors import EventError
from voeflow._text import printable
from voeflow._xml_parser import parse

#: The greatest size of a packet in bytes unless a caller says otherwise: the contract's default for
#: `max_event`. The largest packet that GCN sent is below 20 kB; some authors put images into theirs.
MAX_BYTES = 2**20

#: The greatest depth of nested elements. VOEvent 2.1's deepest is 8 (`VOEvent/.../Position2D/Value2/C1`);
#: eight times that leaves room for marked-up text in a Description, and keeps every recursion over a tree,
#: ours and libxml2's, far from its end.
MAX_DEPTH = 64

#: Where libxml2 itself stops parsing: nothing that was ever parsed is deeper.
PARSER_DEPTH = 256

#: The greatest number of attributes of one element, namespaces aside. VOEvent 2.1's `Param` has 7. As the
#: depth, a pipeline may set it lower but not higher: what was stored can be read again everywhere.
MAX_ATTRIBUTES = 256

_POSITION_SUFFIX = re.compile(r",? line \d+, column \d+$")
_string = etree.XPath("string()", smart_strings=False)
_per_thread = threading.local()


def parse_xml(
    raw: bytes,
    *,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
    max_attributes: int = MAX_ATTRIBUTES,
) -> etree._Element:
    """Parse XML that came from outside, trusting nothing in it.

    No DTD, no entity other than XML's own five, no file, no network, no recovery from errors; bounded in
    size, depth and attributes. May be called from any thread.

    Args:
        raw: the document, in UTF-8, UTF-16, UTF-32 or an encoding that has ASCII's markup (the ISO 8859
            family, say).
        max_bytes: the greatest length of `raw`.
        max_depth: the greatest depth of nested elements, counting the root as 1.
        max_attributes: the greatest number of attributes of one element.

    Returns:
        The root element. Comments and processing instructions before and after it are its siblings.

    Raises:
        EventError: it is no XML, or none that is accepted; with line and column where there is a place to
            show.
        MemoryError: there is no memory to read it with.
    """
    return parse_laid_out(raw, max_bytes, max_depth, max_attributes)[0]


def parse_laid_out(
    raw: bytes, max_bytes: int, max_depth: int, max_attributes: int
) -> tuple[etree._Element, Layout]:
    """Do what `parse_xml` does, and say where the element begins as well."""
    if len(raw) > max_bytes:
        raise EventError(f"{len(raw)} bytes are too long: at most {max_bytes} are accepted")
    if not raw:
        raise EventError("no XML: there are no bytes at all")
    layout = lay_out(raw)
    try:
        root = parse(raw)
    except etree.XMLSyntaxError as error:
        raise _as_event_error(error) from None
    except (ValueError, LookupError) as error:  # an encoding that libxml2 has not got
        raise EventError(f"not well-formed XML: {printable(str(error))}") from None
    if root.getroottree().docinfo.internalDTD is not None:  # unreachable while lay_out is right
        raise EventError("a DOCTYPE is not accepted: take it out, with the entities it declares")
    # Every element around another has an end tag; most packets have too few of them to be deep.
    if layout.codec != "latin-1" or raw.count(b"</") >= max_depth:
        too_deep = next(iter(_deeper_than(max_depth)(root)), None)
        if too_deep is not None:
            raise EventError(f"elements are nested deeper than {max_depth}", line=too_deep.sourceline)
    if raw.count(b"=") > max_attributes:  # each attribute has one, in any encoding that is read
        crowded = next((each for each in root.iter("*") if len(each.attrib) > max_attributes), None)
        if crowded is not None:
            raise EventError(f"an element has more than {max_attributes} attributes", line=crowded.sourceline)
    return root, layout


def local_name(element: etree._Element) -> str:
    """The element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def children(parent: etree._Element | None, name: str) -> Iterator[etree._Element]:
    """The direct children of that local name, in any namespace or none; none where there is no parent."""
    return iter(()) if parent is None else parent.iterchildren("{*}" + name)


def child(parent: etree._Element | None, *path: str) -> etree._Element | None:
    """The first child of a local name, or what a path of such names leads to; None where there is none."""
    element = parent
    for name in path:
        if element is None:
            return None
        element = next(element.iterchildren("{*}" + name), None)
    return element


def text_of(element: etree._Element | None) -> str:
    """The text inside an element, as XPath's `string()`, without blanks at its ends; empty for None."""
    if element is None:
        return ""
    text = element.text if not len(element) else _string(element)
    return str(text).strip() if text else ""


def _deeper_than(depth: int) -> etree.XPath:
    """A path to elements below `depth`; libxml2 walks it level by level, in time linear in the document."""
    cache: dict[int, etree.XPath] | None = getattr(_per_thread, "deeper", None)
    if cache is None:
        cache = _per_thread.deeper = {}
    if depth not in cache:
        cache[depth] = etree.XPath("/*" * (depth + 1), smart_strings=False)
    return cache[depth]


def _as_event_error(error: etree.XMLSyntaxError) -> EventError:
    line, column = error.position
    message = _POSITION_SUFFIX.sub("", (error.msg or "no reason given").strip()).strip()
    if error.code == etree.ErrorTypes.ERR_INVALID_ENCODING:
        message += ": they are not in the encoding that is declared, or not in UTF-8 where none is"
    return EventError(f"not well-formed XML: {printable(message)}", line=line or None, column=column or None)
