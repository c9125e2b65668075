"""Sky maps, which notices have inside them in base64: kept beside the packet, not in it."""

from __future__ import annotations

import base64
import binascii

import structlog

from voeflow import Attachment, Notice, printable

log = structlog.get_logger()

#: What FITS is called on the Internet (RFC 4047).
FITS = "application/fits"


def sky_map(notice: Notice, text: object, name: str) -> tuple[Attachment, ...]:
    """Give a sky map as an attachment; nothing where there is none.

    What is no base64 is left out, and told in the log: an alert without its map is better than no alert. Of
    the map itself nothing is read.

    Args:
        notice: where it comes from, for the log.
        text: what should be base64 (RFC 4648, section 4), with line breaks or without; None for no map.
        name: what the attachment is to be called.
    """
    if text is None or text == "":
        return ()
    try:
        if not isinstance(text, str):
            raise ValueError("it is no text")
        content = base64.b64decode(text.replace("\r", "").replace("\n", ""), validate=True)
    except (ValueError, binascii.Error) as error:
        log.warning(
            "sky map left out: no base64",
            map=name,
            topic=printable(notice.topic),
            reason=printable(str(error)),
        )
        return ()
    return (Attachment(name, FITS, content),) if content else ()
