"""An event's facts as `voeflow events` shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from voeflow._event import Event
from voeflow._store_records import Refusal, StoredEvent


def show_time(seconds: float, to: Literal["seconds", "milliseconds"] = "seconds") -> str:
    """Give seconds since 1970 as a time in UTC, as 2026-11-24T01:02:03Z."""
    return f"{datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec=to)}Z"


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
        "attachments": [
            {"name": each.name, "media_type": each.media_type, "bytes": len(each.content)}
            for each in event.attachments
        ],
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
