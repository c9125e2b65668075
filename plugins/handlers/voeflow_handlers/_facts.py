"""An event's facts as JSON: the same names and values as `voeflow events show --format json` gives."""

from __future__ import annotations

from typing import Any

import voeflow


def facts(event: voeflow.Event, delivery: str) -> dict[str, Any]:
    """Give what an event says, as JSON would hold it; angles in degrees, times in UTC.

    Texts are the packet's own: of any length, and neither printable nor true. Written as JSON in ASCII they
    are one line all the same.

    Args:
        event: the event.
        delivery: the delivery's id.
    """
    position = event.position
    return {
        "ivorn": event.ivorn,
        "received": event.received.isoformat(),
        "role": event.role,
        "author": event.author,
        "date": event.date.isoformat() if event.date is not None else None,
        "version": event.version,
        "source": event.source,
        "valid": event.valid,
        "sha256": event.digest.hex(),
        "bytes": len(event.raw),
        "description": event.description,
        "time": event.time.isoformat() if event.time is not None else None,
        "position": None
        if position is None
        else {"ra": position.ra, "dec": position.dec, "error": position.error, "frame": position.frame},
        "citations": [{"ivorn": each.ivorn, "kind": each.kind} for each in event.citations],
        "params": _params(event.params),
        "groups": [
            {"name": group.name, "type": group.type, "params": _params(group.params)}
            for group in event.groups
        ],
        "delivery": delivery,
    }


def _params(params: voeflow.Params) -> list[dict[str, str]]:
    return [{"name": p.name, "value": p.value, "unit": p.unit, "ucd": p.ucd} for p in params]
