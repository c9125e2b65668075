"""The test event that a broadcaster sends now and then, as proof of life."""

from __future__ import annotations

from datetime import datetime
from xml.sax.saxutils import escape, quoteattr

from ._messages import timestamp

_MARK = "#TestEvent-"


def is_test_event(ivorn: str, ivoid: str) -> bool:
    """Whether an IVORN is that of a test event of the broker with this IVOID."""
    return ivorn.startswith(ivoid + _MARK)


def test_event(ivoid: str, moment: datetime) -> tuple[str, bytes]:
    """Write a VOEvent 2.0 of role `test` that says nothing.

    Args:
        ivoid: this node's IVOID: author, and the first part of the IVORN.
        moment: the time, in its IVORN as in those of Comet's test events.

    Returns:
        Its IVORN, `<ivoid>#TestEvent-<time>`, and the packet.
    """
    when = timestamp(moment)
    ivorn = f"{ivoid}{_MARK}{when}"
    packet = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" '
        f'ivorn={quoteattr(ivorn)} role="test" version="2.0">\n'
        f"  <Who>\n    <AuthorIVORN>{escape(ivoid)}</AuthorIVORN>\n    <Date>{when[:-1]}</Date>\n  </Who>\n"
        "  <What>\n    <Description>Nothing happened: this broker shows that it is at work.</Description>\n"
        "  </What>\n"
        "</voe:VOEvent>\n"
    )
    return ivorn, packet.encode()
