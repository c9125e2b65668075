"""Notices: messages that are no VOEvents, what is kept beside an event, and what turns one into the other."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

import attrs
from attrs.validators import deep_iterable, deep_mapping, instance_of, optional

from voeflow._json import parse_json

#: What an attachment may be called: the name of a file on every system, plain to shells and to e-mail.
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}", re.ASCII)

#: A type and a subtype, with parameters or without (RFC 9110, section 8.3.1), on one line of ASCII.
_MEDIA_TYPE = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]{1,80}/[A-Za-z0-9!#$&^_.+-]{1,80}(?:\s*;[ -~]{0,100})?", re.ASCII
)

#: The most bytes that an event may have beside its packet, all its attachments together.
MAX_ATTACHED = 32 * 2**20

#: The most attachments that a mapping may make of one notice.
MAX_ATTACHMENTS = 16


def _is_file_name(_: object, __: object, name: str) -> None:
    if not _FILE_NAME.fullmatch(name):
        raise ValueError(
            f"expected the name of a file, as skymap.fits, of at most 100 letters, digits, `.`, `_`, `+` and"
            f" `-`, a letter or digit first, got {name!r}"
        )


def _is_media_type(_: object, __: object, media_type: str) -> None:
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise ValueError(f"expected a media type, as application/fits, got {media_type!r}")


def _read_only(headers: Mapping[str, bytes]) -> Mapping[str, bytes]:
    return MappingProxyType(dict(headers))


def _as_tuple(attachments: Iterable[Attachment]) -> tuple[Attachment, ...]:
    return tuple(attachments)


@attrs.frozen
class Attachment:
    """What is kept beside an event: the notice that it was made of, a sky map.

    Attributes:
        name: a safe name of a file, such as `notice.json` or `skymap.fits`: at most 100 ASCII letters,
            digits, `.`, `_`, `+` and `-`, of which the first is a letter or a digit.
        media_type: what the content is, as `application/json`, `application/fits` (RFC 4047).
        content: its bytes.

    Raises:
        ValueError: the name or the media type is none.
        TypeError: one of them has the wrong type.
    """

    name: str = attrs.field(validator=[instance_of(str), _is_file_name])
    media_type: str = attrs.field(validator=[instance_of(str), _is_media_type])
    content: bytes = attrs.field(validator=instance_of(bytes), repr=False)


@attrs.frozen
class Notice:
    """A message that is no VOEvent, as a source had it; never changed afterwards.

    Attributes:
        content: its bytes as received.
        topic: where it came: the Kafka topic; empty where there is none.
        key: the message's key, or None.
        headers: the message's headers.
        media_type: what the content is.
    """

    content: bytes = attrs.field(validator=instance_of(bytes), repr=False)
    topic: str = attrs.field(default="", validator=instance_of(str))
    key: bytes | None = attrs.field(default=None, validator=optional(instance_of(bytes)))
    headers: Mapping[str, bytes] = attrs.field(
        factory=dict,
        validator=deep_mapping(instance_of(str), instance_of(bytes)),
        converter=_read_only,
        hash=False,
    )
    media_type: str = attrs.field(default="application/json", validator=[instance_of(str), _is_media_type])

    @functools.cached_property
    def json(self) -> Any:
        """The content read as JSON: a dict, list, str, int, float, bool or None. Look, do not change.

        Read once, and strictly: at most 8 MiB, 64 levels and 200,000 arrays and objects; no `NaN` or
        `Infinity`, no number beyond a double, no integer of more than 100 digits, no name twice in one
        object, no lone surrogates.

        Raises:
            EventError: it is no JSON that can be taken.
        """
        return parse_json(self.content)

    @functools.cached_property
    def digest(self) -> bytes:
        """SHA-256 of the content, 32 bytes, by which a node knows a notice that it had before."""
        return hashlib.sha256(self.content).digest()


@attrs.frozen
class Mapped:
    """What a mapping makes of a notice.

    Attributes:
        packet: a VOEvent. It is judged as any packet: one that breaks the grammar of its version is a fault
            of the mapping, and is not taken.
        attachments: what is to be kept beside it, at most 16 and 32 MiB, no two of one name. The notice
            itself is not among them: the node attaches that, as `notice.json`.
    """

    packet: bytes = attrs.field(validator=instance_of(bytes), repr=False)
    attachments: tuple[Attachment, ...] = attrs.field(
        default=(), converter=_as_tuple, validator=deep_iterable(instance_of(Attachment))
    )


#: Gives the IVORNs in a node's store that begin with a prefix; see `NoticeMapping.map`.
Earlier: TypeAlias = Callable[[str], Sequence[str]]


class NoticeMapping(Protocol):
    """Turns notices of some topics into VOEvents.

    The same notice gives the same bytes, whenever and wherever it is mapped: that is how several nodes that
    hear it know that they have the same event. So no clock, no random numbers, no network.

    Attributes:
        topics: patterns of the topics that it is asked about, as `igwn.*` (`fnmatch.fnmatchcase`).
    """

    @property
    def topics(self) -> tuple[str, ...]: ...  # read only, so that a frozen class may have it as a field

    def map(self, notice: Notice, earlier: Earlier) -> Mapped | None:
        """Make a VOEvent of a notice.

        Runs in a worker thread, of one node never for two notices at once unless it took too long over the
        first; when it is asked, what it made of the notices before is stored. It has as long as a filter,
        the pipeline's `filter_timeout`.

        Args:
            notice: what came.
            earlier: gives the IVORNs that begin with a prefix and that this node has stored, in the order of
                its log, the newest 1,000: for citations. What the node no longer keeps is not among them.

        Returns:
            The event; or None: the notice is not for this mapping, ask the next one.

        Raises:
            EventError: the notice is for this mapping, but bad: it is refused, with this reason.
        """
        ...
