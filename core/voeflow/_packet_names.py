"""The names of files that packets, and what is kept beside them, are exported to."""

from __future__ import annotations

import re

#: The longest part of a name that is there for people. With the digest and the suffix a name has at most 139
#: characters, which every file system in use takes (NAME_MAX is 255, and 143 under eCryptfs).
_READABLE = 70

_OTHER = re.compile(r"[^A-Za-z0-9.-]+")


def packet_name(ivorn: str, digest: bytes) -> str:
    """Name the file of one packet.

    Args:
        ivorn: its IVORN, trusted in nothing.
        digest: SHA-256 of its element, 32 bytes; so no two events have one name, and nobody can make two
            that do.

    Returns:
        A name of ASCII letters, digits, `.`, `-` and `_` that begins with a letter or a digit: first what is
        readable of the IVORN, its end kept where it is long, then the digest.
    """
    return f"{_stem(ivorn, digest)}.xml"


def attachment_name(ivorn: str, digest: bytes, name: str) -> str:
    """Name the file of what is kept beside a packet; it differs from the packet's own in how it ends.

    Args:
        ivorn: the packet's IVORN, trusted in nothing.
        digest: SHA-256 of its element, 32 bytes.
        name: of the attachment, a safe name of a file.
    """
    return f"{_stem(ivorn, digest)}.{name}"


def _stem(ivorn: str, digest: bytes) -> str:
    readable = _OTHER.sub("_", ivorn.removeprefix("ivo://")[-10 * _READABLE :])[-_READABLE:].strip("._-")
    return f"{readable or 'event'}.{digest.hex()}"
