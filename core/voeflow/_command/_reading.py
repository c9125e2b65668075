"""Event files, as the dry runs read them: packets, and notices of which a mapping makes one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from voeflow._command._notices import is_packet
from voeflow._errors import EventError
from voeflow._event import Event
from voeflow._tables import Pipeline


def read_event(pipeline: Pipeline, path: Path, of_notice: Callable[[Path, bytes], Event]) -> Event:
    """Read an event from a file.

    Args:
        pipeline: whose bounds count.
        path: the file.
        of_notice: makes an event of a notice.

    Raises:
        EventError: it cannot be read, or is no VOEvent, nor a notice that can be taken.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise EventError(f"cannot be read: {error.strerror}") from error
    bounds = pipeline.node
    try:
        if not is_packet(raw):
            return of_notice(path, raw)
        return Event.parse(
            raw,
            max_bytes=bounds.max_event,
            max_depth=bounds.max_depth,
            max_attributes=bounds.max_attributes,
        )
    except EventError as error:
        what = "VOEvent" if is_packet(raw) else "notice"
        raise EventError(f"no {what} that can be taken: {error}") from error
