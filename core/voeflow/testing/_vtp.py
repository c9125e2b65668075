"""As much of VTP 2.0 as a peer in a test needs, written a second time on purpose.

The transports have an implementation of their own. A peer made of that same code would share its mistakes
and never find them; and the framework knows no plugin.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

import attrs

from voeflow._xml import local_name, parse_xml, text_of

#: The size of the count before each payload, in bytes, big-endian (section 3.2).
COUNT = 4

_NAMESPACE = "http://telescope-networks.org/schema/Transport/v1.1"


def framed(payload: bytes) -> bytes:
    """Put the count before a payload (section 3.2)."""
    return len(payload).to_bytes(COUNT, "big") + payload


@attrs.define
class Frames:
    """Cuts a stream into the payloads of its frames."""

    _kept: bytearray = attrs.field(factory=bytearray, init=False)

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes of the stream; give the payloads that they complete."""
        self._kept += data
        found = []
        while len(self._kept) >= COUNT:
            end = COUNT + int.from_bytes(self._kept[:COUNT], "big")
            if len(self._kept) < end:
                break
            found.append(bytes(self._kept[COUNT:end]))
            del self._kept[:end]
        return found


@attrs.frozen
class Transport:
    """A Transport message (section 6): its role, whom it speaks of, and what it says in words."""

    role: str
    origin: str
    result: str


def read_transport(payload: bytes) -> Transport | None:
    """Read a Transport message; None where the payload is another document, an event say.

    Raises:
        voeflow.EventError: it is no XML.
    """
    root = parse_xml(payload, max_bytes=max(1, len(payload)))
    if local_name(root) != "Transport":
        return None
    texts = {local_name(each): text_of(each) for each in root.iter("*")}
    return Transport(root.get("role", ""), texts.get("Origin", ""), texts.get("Result", ""))


def write_transport(
    role: str, origin: str, response: str = "", result: str = "", filters: Iterable[str] = ()
) -> bytes:
    """Write a Transport message (sections 6.1 to 6.3)."""
    meta = f"<Result>{escape(result)}</Result>" if result else ""
    meta += "".join(f'<Param name="xpath-filter" value={quoteattr(each)}/>' for each in filters)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<trn:Transport xmlns:trn="{_NAMESPACE}" role="{role}"'
        f' version="1.0"><Origin>{escape(origin)}</Origin>'
        f"{f'<Response>{escape(response)}</Response>' if response else ''}"
        f"<TimeStamp>{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}</TimeStamp>"
        f"{f'<Meta>{meta}</Meta>' if meta else ''}</trn:Transport>\n"
    ).encode()
