"""What libxml2 says about a packet that breaks its grammar, put into words for the packet's author.

libxml2 names the element and the rule, and often neither what was allowed there nor what to do. Both are
taken from the schema itself (`Content`) and from the packet's tree.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import attrs
from lxml import etree

from voeflow._grammar_content import Content
from voeflow._text import printable

#: The length to which a name, and a value, out of the packet is shown, in characters.
_NAME, _VALUE = 60, 60


@attrs.frozen
class _Complaint:
    """One complaint of libxml2, taken apart.

    Attributes:
        said: the complaint, without the element and attribute that it begins with.
        where: the element, as the path to it from below the root; its bare name where its place is not known.
        attribute: the attribute it is about, or empty.
        element: the element, or None where its place is not known.
        content: what the grammar allows in it, or None where that is not known.
        around: what the grammar allows in its parent, or None where that is not known.
    """

    said: str
    where: str
    attribute: str
    element: etree._Element | None
    content: Content | None
    around: Content | None

    @property
    def subject(self) -> str:
        return f"attribute {self.attribute} of {self.where}" if self.attribute else self.where


# A name holds no quote; a namespace may, and then the complaint is passed on as it is.
_SUBJECT = re.compile(r"Element '([^']*)'(?:, attribute '([^']*)')?: (?:\[facet '\w+'\] )?")
_EXPECTED = re.compile(r" Expected is (?:one of )?\( ([^()]*) \)\.$")
_STEP = re.compile(r"([^\[]+)(?:\[(\d+)\])?")


def explain(entry: etree._LogEntry, root: etree._Element, content: Content) -> str:
    """Say in plain words what one complaint of libxml2 is about.

    Args:
        entry: the complaint.
        root: the root element of the packet.
        content: what the grammar allows in it.

    Returns:
        The message. What it repeats of the packet is short and printable.
    """
    said = entry.message or "it breaks the grammar"
    subject = _SUBJECT.match(said)
    tag, attribute = subject.groups() if subject else ("the packet", None)
    element = _find(root, entry.path) if entry.path else None
    names = [] if element is None else _path(element)
    complaint = _Complaint(
        said=said[subject.end() :] if subject else said,
        where=printable("/".join(names), 2 * _NAME) if names else _local(tag),
        attribute=_local(attribute or ""),
        element=element,
        content=None if element is None else _descend(content, names),
        around=_descend(content, names[:-1]) if names else None,
    )
    return _WORDS.get(entry.type_name, _as_said)(complaint)


def _find(root: etree._Element, path: str) -> etree._Element | None:
    """Find where libxml2's path leads: `/voe:VOEvent/What/Param[2]`, with `*` for a default namespace."""
    found: etree._Element | None = root
    for step in path.split("/")[2:]:
        parts = _STEP.fullmatch(step)
        if parts is None or found is None:
            return None
        prefix, _, name = parts[1].rpartition(":")
        alike = found.iterchildren("*" if name == "*" else f"{{*}}{name}")
        chosen = (child for child in alike if name == "*" or (child.prefix or "") == prefix)
        found = next(islice(chosen, int(parts[2] or 1) - 1, None), None)
    return found


def _path(element: etree._Element) -> list[str]:
    """Give the local names from below the root down to an element; none for the root itself."""
    above = [*element.iterancestors("*")][:-1]
    names = [etree.QName(node).localname for node in (element, *above)]
    return [] if element.getparent() is None else names[::-1]


def _descend(content: Content, names: Sequence[str]) -> Content | None:
    found: Content | None = content
    for name in names:
        found = None if found is None else found.children.get(name)
    return found


#: The namespaces of attributes that have one prefix everywhere.
_PREFIXES = {
    "{http://www.w3.org/2001/XMLSchema-instance": "xsi:",
    "{http://www.w3.org/XML/1998/namespace": "xml:",
}


def _local(tag: str) -> str:
    """Show a tag or an attribute, `{namespace}name` or `name`, without a namespace that it has."""
    namespace, _, name = tag.rpartition("}")
    return _PREFIXES.get(namespace, "") + printable(name, _NAME)


def _listed(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _hint(name: str, known: Sequence[str]) -> str:
    """Suggest the known name nearest to a misspelt one, or of the same parts: UTC-FK5-GEO for FK5-UTC-GEO."""
    words = sorted(name[:_NAME].split("-"))
    alike = [other for other in known if sorted(other.split("-")) == words]
    near = alike or difflib.get_close_matches(name[:_NAME], known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _unexpected(complaint: _Complaint) -> str:
    element, around = complaint.element, complaint.around
    expected = _EXPECTED.search(complaint.said)
    wanted = f": expected {_listed(expected[1].split(', '))}" if expected else ""
    parent = element.getparent() if element is not None else None
    if element is None or parent is None or around is None or not around.children:
        return f"{complaint.where} is not allowed where it stands{wanted}"
    name = etree.QName(element)
    shown, inside = _local(name.localname), _where(parent)
    known = tuple(around.children)
    again = next(element.itersiblings(name, preceding=True), None) is not None
    if (again or not name.namespace) and name.localname in known and not around.order:
        return f"{shown} stands in {inside} more than once"
    if name.namespace and name.localname in known:
        top = etree.QName(element.getroottree().getroot()).localname
        return (
            f'{shown} in {inside} is in the namespace "{printable(name.namespace, _VALUE)}", but all '
            f"below {top} is in none: write <voe:{top} xmlns:voe=...> and plain <{shown}>"
        )
    if name.namespace:
        return f'{shown} of the namespace "{printable(name.namespace, _VALUE)}" is not allowed in {inside}'
    if name.localname not in known:
        return f"{shown} is not allowed in {inside}{_hint(name.localname, known)}; expected {_listed(known)}"
    return f"{shown} may not stand here in {inside}{wanted}; the order is {', '.join(around.order)}"


def _incomplete(complaint: _Complaint) -> str:
    expected = _EXPECTED.search(complaint.said)
    if expected is None:
        return f"{complaint.where} lacks an element that it must have"
    names = expected[1].split(", ")
    return f"{complaint.where} lacks {_listed(names) if len(names) == 1 else 'one of ' + _listed(names)}"


def _attribute_not_allowed(complaint: _Complaint) -> str:
    said = f"attribute {complaint.attribute} is not allowed in {complaint.where}"
    if complaint.content is None:
        return said
    known = complaint.content.attributes
    if not known:
        return f"{said}, which has no attributes"
    return f"{said}{_hint(complaint.attribute, known)}; expected {_listed(known)}"


def _attribute_missing(complaint: _Complaint) -> str:
    name = complaint.said.removeprefix("The attribute '").partition("'")[0]
    return f"{complaint.where} lacks the attribute {_local(name)}"


def _parted(said: str, start: str, phrase: str) -> tuple[str, str]:
    """Part a complaint `<start>VALUE<phrase>REST`; libxml2 cuts a very long one, and REST is then empty."""
    value, found, rest = said.rpartition(phrase)
    return (value if found else said).removeprefix(start), rest if found else ""


def _not_in_list(complaint: _Complaint) -> str:
    value, listed = _parted(complaint.said, "The value '", "' is not an element of the set {")
    known = re.findall(r"'([^']*)'", listed)
    expected = (
        f"{_hint(value, known)}, expected {_listed(known)}" if known else ", which is none of those expected"
    )
    return f"{complaint.subject} is {_quoted(value)}{expected}"


#: What a value of a type looks like, by the type's local name.
_LOOKS = {
    "float": "a number such as 12.5 or 1e-3",
    "smallFloat": "a number from 0 to 1",
    "dateTime": "a date and time such as 2026-11-24T01:02:03",
    "anyURI": "a URI such as ivo://authority/stream#event",
    "NCName": "an XML name: a letter or _, then letters, digits, - . or _, no blanks",
    "boolean": "true or false",
    "QName": "the name of a type",
}


def _not_of_type(complaint: _Complaint) -> str:
    value, kind = _parted(complaint.said, "'", "' is not a valid value of the ")
    kind = kind.rpartition(" type '")[2].removesuffix("'.")
    looks = _LOOKS.get(kind.rpartition("}")[2].rpartition(":")[2], "another kind of value")
    return f"{complaint.subject} is {_quoted(value)}, expected {looks}"


def _out_of_bounds(complaint: _Complaint) -> str:
    value, _ = _parted(complaint.said, "The value '", "' is ")
    return f"{complaint.subject} is {_quoted(value)}, expected {_LOOKS['smallFloat']}"


def _not_fixed(complaint: _Complaint) -> str:
    value, fixed = _parted(complaint.said, "The value '", "' does not match the fixed value constraint '")
    version = fixed.removesuffix("'.")
    return f"{complaint.subject} is {_quoted(value)}, but the namespace is that of version {version}"


def _not_empty(complaint: _Complaint) -> str:
    return f"{complaint.where} must be empty: not even a blank between its tags"


#: What XML takes for blanks; a no-break space is text.
_BLANKS = " \t\r\n"


def _stray_text(complaint: _Complaint) -> str:
    said = f"text is not allowed in {complaint.where} outside of its elements"
    if complaint.element is None:
        return said
    texts = [complaint.element.text, *(child.tail for child in complaint.element)]
    stray = next((found for text in texts if text and (found := text.strip(_BLANKS))), "")
    return f"{said}: {_quoted(re.sub(f'[{_BLANKS}]+', ' ', stray[: 2 * _VALUE]))}" if stray else said


def _only_text(complaint: _Complaint) -> str:
    return f"{complaint.where} holds text only, no elements; write a < that is meant as text as &lt;"


def _not_unique(complaint: _Complaint) -> str:
    value, _ = _parted(complaint.said, "Duplicate key-sequence ['", "'] in unique identity-constraint")
    return (
        f"id {_quoted(value)} of {complaint.where} is another element's too; all ids in a packet must differ"
    )


def _not_a_type(complaint: _Complaint) -> str:
    return f"{complaint.subject} names no type that may stand there; leave it out"


def _not_nil(complaint: _Complaint) -> str:
    return f"attribute xsi:nil is not allowed in {complaint.where}"


def _as_said(complaint: _Complaint) -> str:
    return f"{complaint.subject}: {printable(complaint.said, 3 * _VALUE)}"


def _quoted(value: str) -> str:
    return f'"{printable(value, _VALUE)}"'


def _where(element: etree._Element) -> str:
    return printable("/".join(_path(element)), 2 * _NAME) or etree.QName(element).localname


#: libxml2's name of the rule that was broken (the section of XML Schema), and who words it.
_WORDS: Mapping[str, Callable[[_Complaint], str]] = {
    "SCHEMAV_ELEMENT_CONTENT": lambda complaint: (
        _incomplete(complaint) if complaint.said.startswith("Missing child") else _unexpected(complaint)
    ),
    "SCHEMAV_CVC_COMPLEX_TYPE_2_1": _not_empty,
    "SCHEMAV_CVC_COMPLEX_TYPE_2_2": _only_text,
    "SCHEMAV_CVC_COMPLEX_TYPE_2_3": _stray_text,
    "SCHEMAV_CVC_COMPLEX_TYPE_3_2_1": _attribute_not_allowed,
    "SCHEMAV_CVC_COMPLEX_TYPE_4": _attribute_missing,
    "SCHEMAV_CVC_TYPE_3_1_1": _attribute_not_allowed,
    "SCHEMAV_CVC_TYPE_3_1_2": _only_text,
    "SCHEMAV_CVC_ENUMERATION_VALID": _not_in_list,
    "SCHEMAV_CVC_DATATYPE_VALID_1_2_1": _not_of_type,
    "SCHEMAV_CVC_MININCLUSIVE_VALID": _out_of_bounds,
    "SCHEMAV_CVC_MAXINCLUSIVE_VALID": _out_of_bounds,
    "SCHEMAV_CVC_AU": _not_fixed,
    "SCHEMAV_CVC_ELT_3_1": _not_nil,
    "SCHEMAV_CVC_ELT_4_2": _not_a_type,
    "SCHEMAV_CVC_ELT_4_3": _not_a_type,
    "SCHEMAV_CVC_IDC": _not_unique,
}
