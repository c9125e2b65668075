"""Where the document's element lies in a packet's bytes, and what may stand before and after it.

VTP (2.0, section 8) calls two messages the same when their `<VOEvent>` elements are byte for byte the same,
from the first `<` to the last `>`; comments and processing instructions around it, where signatures ride, do
not count. A parser does not tell where an element began, so this looks at the bytes. It scans only the few
constructs that XML allows outside the element (XML 1.0, productions 1, 22 and 27: comments, processing
instructions, blanks), and runs before any XML parser does, so that a DOCTYPE never reaches one.
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

from voeflow._errors import EventError

#: The first bytes of what is not written one byte a character (XML 1.0, appendix F), longest first, with how
#: many of them are a byte order mark.
_WIDE = (
    (codecs.BOM_UTF32_LE, "utf-32-le", 4),
    (codecs.BOM_UTF32_BE, "utf-32-be", 4),
    (b"<\0\0\0", "utf-32-le", 0),
    (b"\0\0\0<", "utf-32-be", 0),
    (codecs.BOM_UTF16_LE, "utf-16-le", 2),
    (codecs.BOM_UTF16_BE, "utf-16-be", 2),
    (b"<\0", "utf-16-le", 0),
    (b"\0<", "utf-16-be", 0),
)
#: How nearly every packet begins: with a character a byte, and no mark.
_PLAIN = re.compile(rb"<[^\0]")
#: Encodings in which every byte of ASCII is that character wherever it stands, so that markup is found
#: without decoding. That is not so in UTF-7, ISO-2022 and EBCDIC, nor quite in Shift JIS, GBK and Big5: in
#: those, two readers can disagree on where the element ends. XML itself asks for UTF-8 and UTF-16 alone (XML
#: 1.0, section 2.2).
_ASCII_MARKUP = re.compile(
    r"utf8|(us)?ascii|iso8859\d{1,2}|latin\d{1,2}|(windows|cp)125\d|koi8[ru]|macintosh"
    r"|eucjp|euckr"
)
_WIDE_NAME = re.compile(r"utf(8|16|32)(le|be)?|iso10646ucs[24]|ucs[24]")
_DECLARED = re.compile(r"""<\?xml\s[^>]*?\sencoding\s*=\s*["']([^"'>]*)["']""")
#: What may stand outside the element, with its own end, so that one match runs to the element or to what is
#: wrong.
_MISC = re.compile(r"(?:[ \t\r\n]++|<!--.*?-->|<\?.*?\?>)*+", re.DOTALL)
#: The constructs inside an element in which `<` and `>` are not markup, and its tags: 1 closes, 2 is empty.
_TOKEN = re.compile(
    r"""<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<(/)?[^\s<>/"'!?]++(?:[^<>"'/]++|"[^"]*+"|'[^']*+')*+(/)?>""",
    re.DOTALL,
)
_BLANKS = " \t\r\n"
#: What nearly every packet has before its element: a declaration at most, of UTF-8. Whatever this matches is
#: what the longer look at a packet comes to as well.
_USUAL = re.compile(
    rb"""(?:<\?xml version=["']1\.0["'](?: encoding=["'](?:UTF|utf)-8["'])?"""
    rb"""(?: standalone=["'](?:yes|no)["'])? ?\?>)?[ \t\r\n]*+(?=<[A-Za-z_])"""
)


class Layout(NamedTuple):
    """How a packet's bytes are to be read, and where its element begins.

    Attributes:
        codec: Python's name for how characters are made from the bytes: `utf-16-le`, ...; `latin-1` where
            every character of the markup is one byte, whatever the packet's own encoding is.
        start: where in the bytes the element's `<` stands.
    """

    codec: str
    start: int


def lay_out(raw: bytes) -> Layout:
    """Find the encoding and the beginning of the element of `raw`.

    Raises:
        EventError: there is a DOCTYPE, an encoding that is not read, or bytes that no encoding of XML has.
    """
    usual = _USUAL.match(raw)
    return Layout("latin-1", usual.end()) if usual is not None else _lay_out_unusual(raw)


def _lay_out_unusual(raw: bytes) -> Layout:
    """Do what `lay_out` does for any packet."""
    codec, mark = "latin-1", 0
    if not _PLAIN.match(raw):
        codec, mark = next(
            ((codec, mark) for first, codec, mark in _WIDE if raw.startswith(first)), ("latin-1", 0)
        )
        if codec == "latin-1" and raw.startswith(codecs.BOM_UTF8):
            mark = len(codecs.BOM_UTF8)
    try:
        text = raw[mark:].decode(codec)
    except UnicodeDecodeError as error:
        raise EventError(f"not well-formed XML: the bytes are no {codec.upper()}: {error.reason}") from None
    declared = _DECLARED.match(text)
    if declared is not None:
        _check_encoding(declared.group(1), wide=codec != "latin-1")
    found = _MISC.match(text)
    start = found.end() if found is not None else 0
    if text.startswith("<!DOCTYPE", start):
        raise EventError(
            "a DOCTYPE is not accepted: take it out, with the entities it declares", *_place(text, start)
        )
    if not text.startswith("<", start):
        raise EventError("no XML: expected the < of an element", *_place(text, start))
    return Layout(codec, mark + len(text[:start].encode(codec)))


def element_bytes(raw: bytes, layout: Layout, *, followed: bool) -> bytes:
    """Cut the document's element out of a packet that is known to be well-formed XML.

    Args:
        raw: the packet.
        layout: what `lay_out` says of it.
        followed: whether a comment or processing instruction follows the element.

    Returns:
        The bytes from the element's first `<` to its last `>`, in the packet's own encoding.
    """
    codec, start = layout
    if codec == "latin-1" and not followed:
        return raw[start : raw.rfind(b">") + 1]
    text = raw[start:].decode(codec)
    stop = _end(text) if followed else len(text.rstrip(_BLANKS))
    return raw[start : start + len(text[:stop].encode(codec))]


def _end(text: str) -> int:
    """Where the element that `text` begins with ends, whatever comments inside and after it contain."""
    depth = 0
    for token in _TOKEN.finditer(text):
        if text[token.start() + 1] in "!?":
            continue
        closes, empty = token.groups()
        depth += -1 if closes else 0 if empty else 1
        if depth == 0:
            return token.end()
    raise AssertionError("a well-formed element has an end")


def _check_encoding(name: str, *, wide: bool) -> None:
    plain = name.strip().lower().replace("-", "").replace("_", "")
    if not (_WIDE_NAME if wide else _ASCII_MARKUP).fullmatch(plain):
        raise EventError(
            f"the encoding {name[:40]!r} is not read here: write the packet in UTF-8 and declare that", line=1
        )


def _place(text: str, index: int) -> tuple[int, int]:
    """The line and column, both from 1, of the character at `index`."""
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)
