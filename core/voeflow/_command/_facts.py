"""An event's facts as `voeflow events` shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import click

from voeflow._errors import EventError
from voeflow._event import Event
from voeflow._feed import reread
from voeflow._notice import Attachment
from voeflow._store_records import Refusal, StoredEvent
from voeflow._text import printable


def show_time(seconds: float, to: Literal["seconds", "milliseconds"] = "seconds") -> str:
    """Give seconds since 1970 as a time in UTC, as 2026-11-24T01:02:03Z."""
    return f"{datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec=to)}Z"


def iso_time(seconds: float | None) -> str | None:
    """Give seconds since 1970 as a time in UTC, as JSON has it: to the microsecond, with its offset."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def brief(stored: StoredEvent) -> dict[str, Any]:
    """Give the facts that the store itself has of an event, as JSON would hold them."""
    return {
        "ivorn": stored.ivorn,
        "received": stored.received_at.isoformat(),
        "role": stored.role,
        "author": stored.author,
        "date": stored.date,
        "version": stored.version,
        "source": stored.source,
        "valid": stored.valid,
        "sha256": stored.digest.hex(),
        "bytes": len(stored.raw),
    }


def whole(stored: StoredEvent, event: Event) -> dict[str, Any]:
    """Give all the facts of an event, as JSON would hold them; angles in degrees, times in UTC."""
    position = event.position
    return {
        **brief(stored),
        "description": event.description,
        "time": event.time.isoformat() if event.time is not None else None,
        "position": None
        if position is None
        else {
            "ra": position.ra,
            "dec": position.dec,
            "error": position.error,
            "frame": position.frame,
        },
        "citations": [{"ivorn": c.ivorn, "kind": c.kind} for c in event.citations],
        "params": [_param(param) for param in event.params],
        "groups": [
            {"name": group.name, "type": group.type, "params": [_param(param) for param in group.params]}
            for group in event.groups
        ],
        "defects": [str(defect) for defect in event.defects],
        "attachments": _attached(event.attachments),
    }


def whole_of_store(stored: StoredEvent) -> dict[str, Any]:
    """Give what `whole` gives of an event of the store.

    If it cannot be parsed any more, say so; then those facts are empty that its packet alone has.
    """
    try:
        return whole(stored, reread(stored).event)
    except EventError as error:
        click.echo(f"{printable(stored.ivorn)}: the packet cannot be read any more: {error}", err=True)
        nothing = ("description", "time", "position")
        none = ("citations", "params", "groups", "defects")
        return {
            **brief(stored),
            **dict.fromkeys(nothing),
            **{name: [] for name in none},
            "attachments": _attached(stored.attachments),
        }


def refusal(refused: Refusal) -> dict[str, Any]:
    """Give what the store has of a packet or a notice that was refused, but its bytes."""
    return {
        "number": refused.number,
        "received": show_time(refused.received),
        "source": refused.source,
        "peer": refused.peer,
        "where": refused.where,
        "bytes": len(refused.raw),
        "ivorn": refused.ivorn,
        "reason": refused.reason,
    }


def _param(param: Any) -> dict[str, Any]:
    return {"name": param.name, "value": param.value, "unit": param.unit, "ucd": param.ucd}


def _attached(attachments: Sequence[Attachment]) -> list[dict[str, Any]]:
    return [
        {"name": each.name, "media_type": each.media_type, "bytes": len(each.content)} for each in attachments
    ]
