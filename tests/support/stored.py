"""Events for tests of the store, told apart by a number."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from voeflow._store import NewEvent, Place


def new_event(
    number: int,
    *,
    raw: bytes | None = None,
    ivorn: str | None = None,
    role: str = "observation",
    author: str | None = "ivo://obspm.gepi/svom",
    received: float = 1000.0,
) -> NewEvent:
    """Make an event to store; two of one number are duplicates."""
    return NewEvent(
        digest=hashlib.sha256(b"%d" % number).digest(),
        raw=b"<packet %d/>" % number if raw is None else raw,
        ivorn=f"ivo://obspm.gepi/svom#{number}" if ivorn is None else ivorn,
        role=role,
        version="2.0",
        author=author,
        date="2026-11-24T01:02:03+00:00",
        received=received,
        source="authors",
        valid=True,
    )


def news(places: Sequence[Place]) -> list[int | None]:
    """Give the positions of what is new, and None for what was there before."""
    return [place.seq if place.new else None for place in places]
