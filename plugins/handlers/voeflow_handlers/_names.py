"""File and folder names made from what an event says of itself."""

from __future__ import annotations

import hashlib
import re

#: The longest name that file systems in use take, in bytes (`NAME_MAX` of Linux, macOS and the BSDs).
NAME_MAX = 255

#: The longest readable part of a name. With the digest (64), two dots and `xml` a name stays far below
#: NAME_MAX, and a mirror on a file system that takes less (eCryptfs: 143) can still hold it.
READABLE = 70

_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")
_CUT = "__"


def file_name(ivorn: str, digest: bytes) -> str:
    """Name the file of one event.

    The first part is for people: the IVORN with every character that means something to a shell or a file
    system made an underscore. The second is the whole SHA-256 of the packet's element, which is also what
    the node tells events apart by: two files have the same name exactly where two packets are the same event,
    on file systems that ignore case as well, and nobody can make two events that overwrite one another.

    Args:
        ivorn: the event's IVORN, trusted in nothing.
        digest: SHA-256 of the event's element, 32 bytes.

    Returns:
        A name of ASCII letters, digits, `.`, `-` and `_`, that begins with a letter or a digit.
    """
    return f"{_stem(ivorn, digest)}.xml"


def attachment_name(ivorn: str, digest: bytes, name: str) -> str:
    """Name the file of what is kept beside one event; it sorts next to the event's own, and ends in `name`.

    Args:
        ivorn: the event's IVORN, trusted in nothing.
        digest: SHA-256 of the event's element, 32 bytes.
        name: `voeflow.Attachment.name`, which is a safe name of a file, of at most 100 characters.
    """
    return f"{_stem(ivorn, digest)}.{name}"


def _stem(ivorn: str, digest: bytes) -> str:
    return f"{_readable(ivorn) or 'event'}.{digest.hex()}"


def folder_name(author: str | None) -> str:
    """Name the sub-folder of one author.

    Case is folded, since IVOIDs differ by no more than case where they mean the same (IVOA Identifiers 2.0,
    section 2.2). Where the readable form has lost anything else, a `+` and the start of a SHA-256 keep two
    authors apart.

    Args:
        author: the event's AuthorIVORN, trusted in nothing, or None.

    Returns:
        A name of lower-case ASCII letters, digits, `.`, `-`, `_` and `+`; `+unknown` if there is no author.
    """
    if author is None or not author.strip():
        return "+unknown"
    author = author.strip().lower()
    plain = _readable(author)
    if plain and f"ivo://{plain.replace('_', '/')}" == author:
        return plain
    return f"{plain}+{hashlib.sha256(author.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def _readable(ivoid: str) -> str:
    """Give what a name can show of an IVOID: bounded, no separator, no dot at either end; may be empty."""
    text = ivoid[6:] if ivoid[:6].lower() == "ivo://" else ivoid
    if len(text) > 2 * READABLE:  # both ends tell more than the middle: who sent it, and which one it is
        text = text[:READABLE] + text[-READABLE:]
    text = _UNSAFE.sub("_", text).strip("._-")
    if len(text) > READABLE:
        half = (READABLE - len(_CUT)) // 2
        text = text[:half] + _CUT + text[-half:]
    return text
