"""A message of a topic, and what a transport can make of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs

import voeflow

#: What may stand before the first `<` of a packet: the byte order marks of UTF-8 and UTF-16.
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


@attrs.frozen(kw_only=True)
class Message:
    """A message as it was read from a topic.

    Attributes:
        topic: the topic's name.
        partition: the number of the partition.
        offset: its place in the partition.
        key: its key, or None.
        value: its content; None is a tombstone, which says that what had this key is to be forgotten.
        headers: its headers; of several with one name the last counts, and one without a value is empty.
        time: when it was made or kept, in seconds since 1970, UTC, as the topic is set; None if unknown.
        malformed: why it cannot be read as a whole, or empty: headers may say that it is a test, say, so it
            is not to be taken without them.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None = None
    value: bytes | None = attrs.field(repr=False)
    headers: Mapping[str, bytes] = attrs.field(factory=dict)
    time: float | None = None
    malformed: str = ""

    @property
    def where(self) -> str:
        """Where it was found, in words."""
        return f"topic {self.topic}, partition {self.partition}, offset {self.offset}"


@attrs.frozen
class Packet:
    """It is a VOEvent, or means to be one: `Node.submit` takes it."""

    raw: bytes = attrs.field(repr=False)


@attrs.frozen
class Told:
    """It is a notice: `Node.submit_notice` takes it, after all that came before it in its partition.

    Attributes:
        notice: what the mappings are to see.
        mapping: the one mapping to ask; empty for those whose topics fit.
        check: is asked about the event that it becomes, or None; see `Node.submit_notice`.
    """

    notice: voeflow.Notice
    mapping: str = ""
    check: Callable[[voeflow.Event], str] | None = None


@attrs.frozen
class SignOfLife:
    """It says that the other side is there, and nothing else: `Node.heard`."""


@attrs.frozen
class Refused:
    """It is nothing that can be taken: `Node.refuse` keeps it aside.

    Attributes:
        reason: why, in words.
    """

    reason: str


@attrs.frozen
class Passed:
    """It is not for this transport, and there is nothing wrong with it."""


#: What a message is.
Understood: TypeAlias = Packet | Told | SignOfLife | Refused | Passed


def notice_of(message: Message, content: bytes | None = None) -> voeflow.Notice:
    """Give a message as a notice.

    Args:
        message: the message, which is no tombstone.
        content: what stands for its value, where that is an envelope.
    """
    value = message.value if content is None else content
    return voeflow.Notice(value or b"", message.topic, message.key, message.headers)


def is_xml(content: bytes) -> bool:
    """Say whether a message is to be read as XML: its first character that is no blank is `<`."""
    start = content[:64]
    for mark in _MARKS:
        start = start.removeprefix(mark)
    return start.replace(b"\0", b"").lstrip().startswith(b"<")


def understand(message: Message, *, mapping: str = "") -> Understood:
    """Tell packets from notices; what a topic holds if nothing more is known about it.

    Args:
        message: the message, of any content.
        mapping: the one mapping that notices are for; empty for those whose topics fit.
    """
    if message.value is None:
        return Refused("it has no content: a tombstone, and voeflow forgets no event")
    if is_xml(message.value):
        return Packet(message.value)
    return Told(notice_of(message), mapping)
