"""Transport messages: the four roles, read and written (VTP 2.0, section 6 and appendix A).

Reading is lenient, as peers differ: the element's local name decides, whatever its namespace and prefix, and
a time stamp is never used. Writing is strict, and in the one spelling of the namespace that both Comet
and pygcn take.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

import attrs
from lxml import etree

from voeflow import EventError, parse_xml

from ._frames import COUNT_SIZE
from ._resume import PREFIX

#: The namespace of the samples in VTP 2.0, section 6. pygcn 1.1 answers three spellings, of which this is
#: one; Comet reads none.
NAMESPACE = "http://telescope-networks.org/schema/Transport/v1.1"

#: Where the wall clock comes from: a machine is given one, so that it holds none.
Clock = Callable[[], datetime]

#: The longest text that goes into a `Result`, in characters: a few sentences.
MAX_RESULT = 1000

#: A Transport message is a line or two deep; what nests further is not one.
_MAX_DEPTH = 32

_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # XML 1.0, section 2.2
#: What can be written as it is; an IVORN mostly can.
_PLAIN = re.compile("[\x20-%'-;=?-~]*")
#: Not those of xml.sax.saxutils, which imports urllib.request and with that half of a client for HTTP.
_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
#: A line break in an attribute would be read as a blank (XML 1.0, section 3.3.3).
_IN_ATTRIBUTE = _IN_TEXT | str.maketrans({'"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"})

#: An `ack` as Comet, pygcn and voeflow write it. Nothing may match that `read_message` reads otherwise.
#: Nothing is gone back to that was passed over (`*+`, `(?>`), or the time would grow with the square of the
#: length.
_USUAL_ACK = re.compile(
    rb"""(?:<\?xml[^<>]*\?>\s*+)?<(?:\w+:)?Transport(?=\s)(?>[^<>]*\srole="ack")[^<>]*+>\s*+"""
    rb"""<Origin>([^<&]*+)</Origin>\s*+(?:<Response>[^<&]*+</Response>\s*+)?"""
    rb"""<TimeStamp>[^<&]*+</TimeStamp>\s*+</(?:\w+:)?Transport>\s*+"""
)
#: How many comments and processing instructions may stand before the element of a Transport message.
_MOST_BEFORE = 100


@attrs.frozen
class Message:
    """A Transport message as it was read.

    Attributes:
        role: `iamalive`, `authenticate`, `ack` or `nak`; any other text is kept as it is.
        origin: for `ack` and `nak` the IVORN of the event that they answer (section 6.3), else the asker's
            IVOID.
        response: a URI of who answers, or None.
        result: what the answer says in words, or None.
        filters: the XPath filters that an `authenticate` brings, as they are written: first the
            `Param`s named `xpath-filter`, then the older `filter` elements of type `xpath`.
        params: the values of this project's own `Param`s, by name; the first of each name.
    """

    role: str
    origin: str | None = None
    response: str | None = None
    result: str | None = None
    filters: tuple[str, ...] = ()
    params: Mapping[str, str] = attrs.field(factory=dict)


def is_transport(payload: bytes) -> bool:
    """Whether the outermost element is named `Transport`, told from the first bytes without parsing.

    Anything else is for the intake to judge, be it a VOEvent or not.
    """
    if (usual := _USUAL_START.match(payload)) is not None:
        return _TRANSPORT_START.match(payload, usual.end()) is not None
    if payload[:2] in (b"\xff\xfe", b"\xfe\xff") or payload[:2] in (b"<\0", b"\0<"):
        little = payload[:2] in (b"\xff\xfe", b"<\0")
        payload = payload.decode("utf-16-le" if little else "utf-16-be", "replace").lstrip("\ufeff").encode()
    at = 3 if payload.startswith(b"\xef\xbb\xbf") else 0
    for _ in range(_MOST_BEFORE):
        at = payload.find(b"<", at)
        if at < 0:
            return False
        if payload.startswith(b"<?", at):
            end = b"?>"
        elif payload.startswith(b"<!--", at):
            end = b"-->"
        else:
            found = _TRANSPORT_START.match(payload, at)
            return found is not None
        closed = payload.find(end, at + len(end) + 1)
        if closed < 0:
            return False
        at = closed + len(end)
    return False


#: What stands before the outermost element of nearly all that comes: an XML declaration at most.
_USUAL_START = re.compile(rb"(?:<\?xml [^<>?]*\?>\s*)?(?=<[A-Za-z])")
_TRANSPORT_START = re.compile(rb"<(?:[^\s<>/:=]{1,200}:)?Transport[\s/>]")


def read_message(payload: bytes) -> Message:
    """Read a Transport message.

    Raises:
        EventError: it is no XML that is taken, or its outermost element is no `Transport`; with the reason
            and the place.
    """
    root = parse_xml(payload, max_bytes=max(len(payload), 1), max_depth=_MAX_DEPTH)
    if _local(root) != "Transport":
        raise EventError(f"expected a Transport element, got {_local(root)[:60]!r}", root.sourceline)
    texts: dict[str, str] = {}
    params: dict[str, str] = {}
    newer: list[str] = []
    older: list[str] = []
    for child in root.iterchildren("*"):
        name = _local(child)
        if name != "Meta":
            texts.setdefault(name, (child.text or "").strip())
            continue
        for entry in child.iterchildren("*"):
            kind, text = _local(entry), entry.text or ""
            if kind == "Param" and entry.get("name") == "xpath-filter":
                newer.append(entry.get("value", text).strip())
            elif kind == "Param" and entry.get("name", "").startswith(PREFIX):
                params.setdefault(entry.get("name", ""), entry.get("value", text))
            elif kind == "filter" and entry.get("type") == "xpath":
                older.append(text.strip())
            elif kind == "Result":
                texts.setdefault("Result", text.strip())
    return Message(
        role=root.get("role", ""),
        origin=texts.get("Origin"),
        response=texts.get("Response"),
        result=texts.get("Result"),
        filters=(*newer, *older),
        params=params,
    )


def read_acks(data: bytes) -> list[str] | None:
    """Read whole frames of which each is an `ack` as Comet, pygcn and voeflow write it.

    A broadcaster has one for every event and subscriber, so what they hold besides is passed over.

    Returns:
        The IVORNs that they answer, in order; None where there is anything else, or part of a frame.
    """
    origins: list[str] = []
    at, size = 0, len(data)
    while at < size:
        start = at + COUNT_SIZE
        at = start + int.from_bytes(data[at:start], "big")
        found = _USUAL_ACK.fullmatch(data, start, at) if at <= size else None
        if found is None:
            return None
        origin = found[1].decode("latin-1").strip()
        if not (origin.isascii() and origin.isprintable()):
            return None
        origins.append(origin)
    return origins


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def write_ack(origin: str, response: str, clock: Clock) -> bytes:
    """Write an `ack` to the event whose IVORN is `origin`, from `response` (section 6.3)."""
    return _write("ack", origin, response, clock)


def write_nak(origin: str, response: str, reason: str, clock: Clock) -> bytes:
    """Write a `nak` that tells a person why in its `Result` (section 6.3)."""
    result = reason if len(reason) <= MAX_RESULT else reason[: MAX_RESULT - 1] + "…"
    return _write("nak", origin, response, clock, f"<Result>{_text(result)}</Result>")


def write_iamalive(
    origin: str, clock: Clock, response: str = "", params: Mapping[str, str] = MappingProxyType({})
) -> bytes:
    """Write an `iamalive`: asked with `origin` alone, answered with a `response` too (6.1, 6.2)."""
    return _write("iamalive", origin, response, clock, _params(params.items()))


def write_authenticate(
    origin: str,
    clock: Clock,
    response: str = "",
    filters: Sequence[str] = (),
    params: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """Write an `authenticate`: asked with `origin` alone; the answer may bring filters, as to Comet.

    What `params` holds goes after them, one `Param` each.
    """
    meta = _params((*(("xpath-filter", each) for each in filters), *params.items()))
    return _write("authenticate", origin, response, clock, meta)


def _params(params: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<Param name={_attribute(name)} value={_attribute(value)}/>" for name, value in params)


def timestamp(moment: datetime) -> str:
    """Give an aware time in UTC as `2026-11-24T01:02:03Z`: always with the Z (sections 6.1 to 6.3)."""
    return _timestamp(moment.timestamp() // 1)


@functools.lru_cache(maxsize=16)  # a busy broker writes many in a second
def _timestamp(second: float) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _write(role: str, origin: str, response: str, clock: Clock, meta: str = "") -> bytes:
    # The order of the children is the schema's: Origin, Response, TimeStamp, Meta (appendix A).
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<trn:Transport xmlns:trn="{NAMESPACE}" role="{role}" version="1.0">'
        f"<Origin>{_text(origin)}</Origin>"
        f"{f'<Response>{_text(response)}</Response>' if response else ''}"
        f"<TimeStamp>{timestamp(clock())}</TimeStamp>"
        f"{f'<Meta>{meta}</Meta>' if meta else ''}"
        "</trn:Transport>\n"
    ).encode()


def _text(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    return _NOT_XML.sub("\ufffd", value).translate(_IN_TEXT)


def _attribute(value: str) -> str:
    return '"' + _NOT_XML.sub("\ufffd", value).translate(_IN_ATTRIBUTE) + '"'
