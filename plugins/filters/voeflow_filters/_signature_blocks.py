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

_WIDE = ((b"<\0\0\0", "utf-32-le"), (b"\0\0\0<", "utf-32-be"), (b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))
_BEGIN, _END = "=====BEGIN PGP SIGNATURE=====", "=====END PGP SIGNATURE====="
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
#: What ends a line for XML (1.0, section 2.11) and for Sequoia; for OpenPGP's own text it is CR LF.
_LINE_END = re.compile(rb"\r\n?|\n")
#: A comment, and what may hold `<!--` and is none. In well-formed XML no tag holds a `<`.
_COMMENT = re.compile(rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>", re.DOTALL)


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
    """Give the signatures that a packet carries after its element, in order, at most `MAX_SIGNATURES`.

    What stands there is searched as text: XPath would be asked for the comments in vain, as libxml2 takes
    minutes to put a hundred thousand of them in order.
    """
    raw, element = event.raw, event.element
    wide = next((codec for first, codec in _WIDE if element.startswith(first)), None)
    if wide is not None:
        after = raw[raw.rindex(element) + len(element) :].decode(wide, "replace")
        return tuple(Block(_signature_packets(armour)) for armour in _armours(after))
    found = _BEFORE_ELEMENT.match(raw)
    start = found.end() if found is not None else 0
    before, rest = raw[:start], raw[start + len(element) :]
    armours = list(_armours(rest.decode("latin-1")))
    if not armours:
        return ()
    clear = tuple(_clear_texts(before, element, rest))
    return tuple(Block(_signature_packets(armour), clear) for armour in armours)


def _armours(text: str) -> Iterator[str]:
    at = 0
    for _ in range(MAX_SIGNATURES):
        if (at := text.find(_BEGIN, at)) < 0 or (end := text.find(_END, at)) < 0:
            return
        yield text[at + len(_BEGIN) : end]
        at = end


def _signature_packets(armour: str) -> tuple[bytes, ...]:
    """Take an armour's signature packets (RFC 9580, sections 6.2 and 4.2); nothing else is looked at."""
    if len(armour) > MAX_ARMOUR:
        return ()
    lines = [line.strip() for line in armour.strip(" \t").removeprefix("\n").split("\n")]
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


def _clear_texts(before: bytes, element: bytes, after: bytes) -> Iterator[bytes]:
    """Give what a signature of the cleartext framework may be over (RFC 9580, section 7.1).

    In that framework the blanks at the ends of lines do not count, lines end in CR LF, and a line that
    begins with a dash was given a `- ` before it, which is not signed. (A line end before the signature's own
    line is not signed; as some write one line end more, both are tried.)

    Taking a `- ` away changes the element. It is done only inside comments, where a `-->` on a line of its
    own gets one: else somebody could have put it before a number.
    """
    head = _HEAD.match(before, max(before.rfind(b"<!--"), 0))
    tail = _TAIL_START.match(after)
    if head is None or tail is None or not _HEAD_END.fullmatch(before, head.end()):
        return
    declaration = _DECLARATION.match(before)
    around = [(before[head.end() :], tail[0]), (b"", b"")]
    if declaration is not None:
        around.append((declaration[1], b""))
    plain = _canonical(element)
    forms = {plain, _COMMENT.sub(_without_escapes, plain)}
    for first, last in around:
        for form in forms:
            text = _canonical(_ESCAPED.sub(b"", first)) + form + _canonical(last)
            text = text.removesuffix(b"\r\n")
            yield text
            yield text + b"\r\n"


def _canonical(text: bytes) -> bytes:
    return b"\r\n".join(line.rstrip(b" \t") for line in _LINE_END.split(text))


def _without_escapes(found: re.Match[bytes]) -> bytes:
    return _ESCAPED.sub(b"", found[0]) if found[0].startswith(b"<!--") else found[0]
