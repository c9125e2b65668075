"""Resuming, an extension of VTP between nodes: what a subscriber names, and what a broadcaster answers.

VTP keeps nothing for a subscriber that is away. A subscriber that knows this extension, when it answers
`authenticate`, names in `Param`s the last event that it holds; a broadcaster that knows it too first sends
all since then. Everyone else passes over `Param`s that it does not know. docs/reference/vtp.md defines it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, get_args

import attrs

#: The names of the `Param`s in a subscriber's answer to `authenticate`, and in a broadcaster's `iamalive`.
AFTER, SINCE, MAX_EVENT = "voeflow-resume-after", "voeflow-resume-since", "voeflow-resume-max-event"
STAGE = "voeflow-resume"

#: What the names of all of them begin with.
PREFIX = "voeflow-"

#: Where a broadcaster begins, and then, that all has been sent: what follows is new.
Stage = Literal["event", "time", "now", "live"]

_NOW = "now"
_DIGEST = re.compile("[0-9a-f]{64}")
_NUMBER = re.compile("[0-9]{1,15}")


@attrs.frozen
class Resume:
    """Where a subscriber wants to go on.

    Attributes:
        after: SHA-256 of the element of the last event that it holds of those that came from this broker.
        since: up to when it holds everything, for a broker that does not know that event. Without either:
            from now on.
        max_event: the longest packet that it takes, in bytes, or None.
    """

    after: bytes | None = None
    since: datetime | None = None
    max_event: int | None = None


def write_params(resume: Resume) -> dict[str, str]:
    """Give what a subscriber names as `Param`s, values by name."""
    params = {AFTER: resume.after.hex()} if resume.after is not None else {}
    if resume.since is not None:
        params[SINCE] = write_time(resume.since)
    elif resume.after is None:
        params[SINCE] = _NOW
    if resume.max_event is not None:
        params[MAX_EVENT] = str(resume.max_event)
    return params


def read_params(params: Mapping[str, str]) -> Resume | None:
    """Read what a subscriber names; None where it does not ask to resume, or nothing of it can be read."""
    digest, time, most = (params.get(name, "").strip() for name in (AFTER, SINCE, MAX_EVENT))
    after = bytes.fromhex(digest) if _DIGEST.fullmatch(digest.lower()) else None
    since = read_time(time)
    if after is None and since is None and time != _NOW:
        return None
    return Resume(after, since, int(most) if _NUMBER.fullmatch(most) else None)


def read_stage(params: Mapping[str, str]) -> Stage | None:
    """Read what a broadcaster says of where it is."""
    for stage in get_args(Stage):
        if params.get(STAGE) == stage:
            known: Stage = stage
            return known
    return None


def write_time(moment: datetime) -> str:
    """Give an aware time in UTC, to the second before: `2026-11-24T01:02:03Z`."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def read_time(text: str) -> datetime | None:
    """Read a time that has a zone; None where it is no such time."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
