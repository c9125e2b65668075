"""Where a packet carries OpenPGP signatures, and which bytes each of them may have been made over.

Two ways are in use, and both put the signature into an XML comment, with the five dashes of OpenPGP's armour
written as `=====`, because no comment may hold `--` (XML 1.0, section 2.5):

* *detached*, as the appendix "OpenPGP Signatures, Comet and VOEvents" of Comet's documentation has it
  (J. Swinbank, 2012; Comet is described in Astronomy and Computing 7, 2014): over the bytes of the `VOEvent`
  element, from its first `<` to its last `>`, in a comment after it;
* *clear-signed*, after "A Proposal for Digital Signatures in VOEvent Messages" (R. B. Denny, IVOA Note 1.1,
  14 May 2008), as Dakota does: OpenPGP's cleartext signature framework (RFC 9580, section 7), its head in a
  comment before the element and its signature in one after it.

We know Denny's Note from what Comet's and Dakota's documentation say of it, not word for word. They leave
open whether the ends of the comments, `-->` and `<!--`, which stand between head and signature, are part of
the text that was signed, and the same of the XML declaration. So each is tried: see `_clear_texts`. All of
them hold the whole element, hence no choice among them lets a changed one pass.

Nothing here decompresses, and every loop is bounded: comments come from anybody.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

import attrs

import voeflow

#: The greatest number of signatures of a packet that are looked at. One is usual; a notary adds another.
MAX_SIGNATURES = 4

#: The greatest length of one, armoured, in characters. RSA of 4096 bits has 900; the longest of the
#: signatures that withstand quantum computers (SLH-DSA-256s) about 41,000.
MAX_ARMOUR = 2**16

_AFTER = voeflow.XPath("following-sibling::comment()")
_BLOCK = re.compile(r"={5}BEGIN PGP SIGNATURE={5}[ \t]*\r?\n(.*?)={5}END PGP SIGNATURE={5}", re.DOTALL)
_ARMOUR_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*: ")
_BEFORE_ELEMENT = re.compile(rb"(?:\xef\xbb\xbf)?+(?:[ \t\r\n]++|<!--.*?-->|<\?.*?\?>)*+", re.DOTALL)
_DECLARATION = re.compile(rb"(?:\xef\xbb\xbf)?(<\?xml\s.*?\?>[ \t\r\n]*)", re.DOTALL)
_HEAD = re.compile(
    rb"<!--[ \t\r\n]*={5}BEGIN PGP SIGNED MESSAGE={5}[ \t]*\r?\n"
    rb"(?:[A-Za-z][A-Za-z0-9-]*: [^\r\n]*\r?\n)*+[ \t]*\r?\n"
)
_HEAD_END = re.compile(rb"[ \t\r\n]*(?:- )?-->[ \t\r\n]*")
_TAIL_START = re.compile(rb"[ \t\r\n]*<!--[ \t\r\n]*(?======BEGIN PGP SIGNATURE=====)")
_ESCAPED = re.compile(rb"^- ", re.MULTILINE)
_LINE_END = re.compile(rb"[ \t]*\r?\n")


@attrs.frozen
class Block:
    """A signature, and what it may have been made over.

    Attributes:
        packets: OpenPGP signature packets, at most `MAX_SIGNATURES`; none where the armour holds no
            signature that can be read.
        clear: texts over which a signature of the cleartext framework may have been made, with the ends of
            lines as that has them; empty for a packet that has no such head. The detached signature is over
            the element's own bytes.
    """

    packets: tuple[bytes, ...]
    clear: tuple[bytes, ...] = ()


def blocks_of(event: voeflow.Event) -> tuple[Block, ...]:
    """Give the signatures that a packet carries after its element, in order, at most `MAX_SIGNATURES`."""
    found = list(_armours(event))
    if not found:
        return ()
    clear = tuple(_clear_texts(event))
    return tuple(Block(_signature_packets(armour), clear) for armour in found)


def _armours(event: voeflow.Event) -> Iterator[str]:
    comments = event.xpath(_AFTER)
    assert isinstance(comments, list)
    left = MAX_SIGNATURES
    for comment in comments:
        for found in _BLOCK.finditer(str(getattr(comment, "text", "") or "")):
            yield found[1]
            left -= 1
            if not left:
                return


def _signature_packets(armour: str) -> tuple[bytes, ...]:
    """Take an armour's signature packets (RFC 9580, sections 6.2 and 4.2); nothing else is looked at."""
    if len(armour) > MAX_ARMOUR:
        return ()
    lines = [line.strip() for line in armour.split("\n")]
    if "" in lines and all(_ARMOUR_HEADER.match(line) for line in lines[: lines.index("")]):
        lines = lines[lines.index("") + 1 :]
    body = "".join(line for line in lines if not (line.startswith("=") and len(line) == 5))  # 5: the CRC
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return ()
    packets: list[bytes] = []
    while data and len(packets) < MAX_SIGNATURES:
        end = _end_of_signature(data)
        if end is None:
            break
        packets.append(data[:end])
        data = data[end:]
    return tuple(packets)


def _end_of_signature(data: bytes) -> int | None:
    """Give the length of the signature packet at the beginning of `data`, or None if there is none."""
    first, lengths = data[0], data[1:6]
    if first & 0xC0 == 0xC0 and first & 0x3F == 2 and lengths:
        octet = lengths[0]
        if octet < 192:
            head, size = 2, octet
        elif octet < 224 and len(lengths) > 1:
            head, size = 3, ((octet - 192) << 8) + lengths[1] + 192
        elif octet == 255 and len(lengths) == 5:
            head, size = 6, int.from_bytes(lengths[1:], "big")
        else:
            return None
    elif first & 0xC0 == 0x80 and (first >> 2) & 0x0F == 2 and first & 3 != 3:
        octets = 1 << (first & 3)
        if len(lengths) < octets:
            return None
        head, size = 1 + octets, int.from_bytes(lengths[:octets], "big")
    else:
        return None
    return head + size if head + size <= len(data) else None


def _clear_texts(event: voeflow.Event) -> Iterator[bytes]:
    """Give what a signature of the cleartext framework may be over (RFC 9580, section 7.1).

    In that framework the blanks at the ends of lines do not count, lines end in CR LF, and a line that
    begins with a dash may have been given a `- ` before it, which is not signed. (A line end before the
    signature's own line is not signed; as some write one line end more, both are tried.)
    """
    element = event.element
    found = _BEFORE_ELEMENT.match(event.raw)
    start = found.end() if found is not None else 0
    if not event.raw.startswith(element, start):  # UTF-16 and UTF-32, which no clear-signed packet has
        return
    before, after = event.raw[:start], event.raw[start + len(element) :]
    head = _HEAD.match(before, max(before.rfind(b"<!--"), 0))
    tail = _TAIL_START.match(after)
    if head is None or tail is None or not _HEAD_END.fullmatch(before, head.end()):
        return
    declaration = _DECLARATION.match(before)
    texts = [before[head.end() :] + element + tail[0], element]
    if declaration is not None:
        texts.append(declaration[1] + element)
    for text in texts:
        for written in _without_escapes(text, element):
            canonical = _LINE_END.sub(b"\r\n", written).rstrip(b" \t")
            canonical = canonical.removesuffix(b"\r\n")
            yield canonical
            yield canonical + b"\r\n"


def _without_escapes(text: bytes, element: bytes) -> Iterator[bytes]:
    """Give a text as it stands, and as it was before lines in it were given a `- `.

    Taking that away changes the element. It is done only where that changes nothing but comments, as it does
    for a `-->` on a line of its own: else somebody could have put it before a number.
    """
    yield text
    bare = _ESCAPED.sub(b"", text)
    if bare == text:
        return
    plain = _ESCAPED.sub(b"", element)
    if plain == element or _same_but_for_comments(plain, element):
        yield bare


def _same_but_for_comments(one: bytes, other: bytes) -> bool:
    from lxml import etree

    try:
        forms = [
            etree.tostring(voeflow.parse_xml(each), method="c14n", with_comments=False)
            for each in (one, other)
        ]
    except (voeflow.EventError, etree.LxmlError):  # C14N takes no relative namespace
        return False
    return bool(forms[0] == forms[1])
