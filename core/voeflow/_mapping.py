"""Asking one mapping about a notice, and judging what it makes; no trio, runs in a worker thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import attrs

from voeflow._entry import judge
from voeflow._errors import EventError, StoreError
from voeflow._event import Event
from voeflow._mapping_plugins import MappingPlugin
from voeflow._notice import MAX_ATTACHED, MAX_ATTACHMENTS, Attachment, Earlier, Mapped, Notice
from voeflow._raised import Raised, describe
from voeflow._text import printable


@attrs.frozen(eq=False, repr=False)
class Fault:
    """Why a mapping gave no answer: a fault of its own, not of the notice.

    Attributes:
        reason: what went wrong, in words.
    """

    reason: str


def ask(
    plugin: MappingPlugin,
    notice: Notice,
    earlier: Callable[[str], Sequence[str]],
    *,
    source: str,
    received: datetime,
    max_event: int,
) -> Event | EventError | Fault | None:
    """Ask a mapping about a notice.

    Args:
        plugin: the mapping.
        notice: what came.
        earlier: as `NoticeMapping.map` takes it.
        source: the name of the transport that brought it.
        received: when it came.
        max_event: the greatest size of a packet, in bytes.

    Returns:
        The event, with the notice and the rest attached; why the notice is bad; what is wrong with the
        mapping; or None where the notice is not for it.

    Raises:
        StoreError: the store could not say what came earlier.
    """
    try:
        made: object = plugin.mapping.map(notice, _checked(earlier))
    except EventError as bad:
        return EventError(printable(bad.reason, 500), bad.line, bad.column)
    except StoreError:
        raise
    except BaseException as error:
        if (fault := Raised.of(error).fault) is None:
            raise
        return Fault(f"raised {describe(fault)}")
    if made is None:
        return None
    if not isinstance(made, Mapped):
        return Fault(f"gave a {type(made).__name__}; it has to give a voeflow.Mapped, or None")
    attachments = (Attachment(name_of(notice), notice.media_type, notice.content), *made.attachments)
    if wrong := _wrong_with(attachments):
        return Fault(wrong)
    try:
        event = Event.parse(
            made.packet, source=source, received=received, max_bytes=max_event, attachments=attachments
        )
    except EventError as error:
        return Fault(f"made what is no VOEvent that can be taken: {error}")
    if (defect := judge(event)) is not None:
        return Fault(f"made a packet that breaks its grammar: {defect}")
    return event


def name_of(notice: Notice) -> str:
    """Give the name under which a notice is attached to the event made of it."""
    kind = notice.media_type.partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return "notice.json"
    return "notice.txt" if kind.startswith("text/") else "notice.bin"


def _checked(earlier: Callable[[str], Sequence[str]]) -> Earlier:
    """Give `earlier` as a mapping has it: what is its own fault is not to look like one of the store."""

    def checked(prefix: str) -> Sequence[str]:
        given: object = prefix
        if not isinstance(given, str) or not given:
            raise ValueError(f"earlier(): expected the beginning of an IVORN, got {given!r}")
        given.encode()  # no lone surrogates, which no IVORN has
        return earlier(prefix)

    return checked


def _wrong_with(attachments: Sequence[Attachment]) -> str:
    """Say what keeps attachments from being kept; empty if nothing does."""
    if len(attachments) > MAX_ATTACHMENTS + 1:
        return f"made {len(attachments) - 1} attachments: at most {MAX_ATTACHMENTS} are kept"
    size = sum(len(each.content) for each in attachments)
    if size > MAX_ATTACHED:
        return f"made attachments of {size} bytes with the notice: at most {MAX_ATTACHED} are kept"
    names = [each.name.casefold() for each in attachments]  # some file systems know no capitals
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        return f"made two attachments named {twice}; the notice itself is {attachments[0].name}"
    return ""
