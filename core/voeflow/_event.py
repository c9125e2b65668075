"""The event: one VOEvent packet, its bytes as received, and what is read from them."""

from __future__ import annotations

import functools
import hashlib
import re
from datetime import UTC, datetime
from typing import NamedTuple

import attrs
from lxml import etree

from voeflow._element import Layout, element_bytes, lay_out
from voeflow._errors import EventError
from voeflow._grammar import Defect, defects
from voeflow._ivoid import Ivoid, parse_ivoid
from voeflow._kept import Kept
from voeflow._notice import Attachment
from voeflow._text import printable
from voeflow._utc import iso_utc, parse_utc
from voeflow._what import Group, Params, read_groups, read_params
from voeflow._wherewhen import Position, WhereWhen, read_where_when
from voeflow._xml import (
    MAX_ATTRIBUTES,
    MAX_BYTES,
    MAX_DEPTH,
    PARSER_DEPTH,
    child,
    children,
    local_name,
    parse_laid_out,
    parse_xml,
    text_of,
)
from voeflow._xpath import XPath, XPathResult

#: The greatest length of an IVORN in characters. Those in use are below 200; URIs of up to 2000 pass
#: everywhere.
MAX_IVORN = 2000

#: The roles that an event may have (VOEvent 2.0, section 3.1.2), in the standard's order.
ROLES = ("observation", "prediction", "utility", "test")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: What the standards have in a `Who`. Where that stands first in a packet, and nothing else is in it, it is
#: read in one go: to look for each by its name in any namespace takes three times as long.
_IN_WHO = frozenset({"AuthorIVORN", "Author", "Date", "Description", "Reference"})

_VERSION_OF_NAMESPACE = re.compile(r"/v(\d+\.\d+)\}")


@attrs.frozen
class Citation:
    """An earlier event that a packet refers to (`Citations/EventIVORN`; VOEvent 2.0, section 3.7).

    Attributes:
        ivorn: the cited event's IVORN, as written.
        kind: `EventIVORN/@cite`: `followup`, `supersedes` or `retraction`; otherwise as written, or empty.
    """

    ivorn: str
    kind: str


class Facts(NamedTuple):
    """What intake asks of a packet, in types that `marshal` can write.

    Attributes:
        ivorn: as of `Event`, as are `role`, `version`, `author` and `digest`.
        date: as of `Event`, in ISO 8601, or None.
        defects: the message, the line and the column of each.
    """

    ivorn: str
    role: str
    version: str
    author: str | None
    date: str | None
    digest: bytes
    defects: tuple[tuple[str, int | None, int | None], ...]


# Without slots: what is kept of an event is then read, and set, as quickly as an attribute can be.
@attrs.frozen(eq=False, repr=False, slots=False)
class Event:
    """One VOEvent packet. Made by `Event.parse`; never changed afterwards; may be used from several threads.

    Nothing in it is true, short, printable or on one line because it came as an event: show text of it
    through `voeflow.printable`. What is not listed as an argument here is read when first asked for, and
    kept.

    Attributes:
        raw: the packet exactly as received.
        source: the name of the transport's table that it came in through, or empty.
        received: when, in UTC.
        ivorn: `VOEvent/@ivorn` (VOEvent 2.0, section 3.1.1). It begins with `ivo://` in some case, has no
            control characters and at most `MAX_IVORN` characters, and is not checked further: streams in use
            break the rules of IVOA Identifiers 2.0, and are kept and passed on. `ivoid` has it by those
            rules.
        role: `VOEvent/@role` (section 3.1.2): `observation`, which it also is where it is missing,
            `prediction`, `utility`, `test`; another is kept as written.
        version: `VOEvent/@version` (section 3.1.3), as `2.0`; where it is missing, the version that the
            namespace names; else empty.
        author: `Who/AuthorIVORN` (section 3.2.1), or None.
        attachments: what is kept beside the packet: of an event made of a notice, first that, as
            `notice.json`, then what the mapping took out of it; empty for all others.
    """

    raw: bytes
    source: str
    received: datetime
    ivorn: str
    role: str
    version: str
    author: str | None
    attachments: tuple[Attachment, ...] = ()

    @classmethod
    def parse(
        cls,
        raw: bytes,
        *,
        source: str = "",
        received: datetime | None = None,
        max_bytes: int = MAX_BYTES,
        max_depth: int = MAX_DEPTH,
        max_attributes: int = MAX_ATTRIBUTES,
        attachments: tuple[Attachment, ...] = (),
    ) -> Event:
        """Read a packet of VOEvent 1.1, 2.0 or 2.1. Its grammar is not checked here (see `defects`).

        Args:
            raw: the packet.
            source: the name of the transport's table that it came in through.
            received: when it came, with a time zone; now if left out.
            max_bytes: the greatest length of a packet.
            max_depth: the greatest depth of nested elements, the root counting as 1.
            max_attributes: the greatest number of attributes of one element.
            attachments: what is kept beside it.

        Returns:
            The event.

        Raises:
            EventError: it is no XML, has a DOCTYPE, its root is no `VOEvent`, or it has no IVORN to know it
                by.
        """
        root, layout = parse_laid_out(raw, max_bytes, max_depth, max_attributes)
        name = local_name(root)
        if name != "VOEvent":
            raise EventError(
                f"no VOEvent: the root element is {printable(name, 40)}, expected VOEvent",
                line=root.sourceline,
            )
        ivorn = root.get("ivorn")
        if problem := _problem_with(ivorn):
            raise EventError(problem, line=root.sourceline)
        assert ivorn is not None
        author, dated = _signed(root)
        event = cls(
            raw,
            source,
            datetime.now(UTC) if received is None else received.astimezone(UTC),
            ivorn,
            root.get("role", "observation"),
            root.get("version") or _version_of_namespace(str(root.tag)),
            author or None,
            attachments,
        )
        event.__dict__.update(_root=root, _layout=layout, _dated=dated)
        return event

    @classmethod
    def of_facts(cls, facts: Facts, raw: bytes, *, source: str, received: datetime) -> Event:
        """Make the event of a packet that was read in another process.

        Args:
            facts: what that has found, see `facts`.
            raw: the packet.
            source: as for `parse`.
            received: as for `parse`.
        """
        ivorn, role, version, author, date, digest, defects = facts
        event = cls(raw, source, received.astimezone(UTC), ivorn, role, version, author)
        event.__dict__.update(
            _dated=date or "",
            _iso_date=date,
            digest=digest,
            defects=tuple([Defect(*each) for each in defects]) if defects else (),
        )
        return event

    @property
    def facts(self) -> Facts:
        """What `of_facts` makes it of again."""
        return Facts(
            self.ivorn,
            self.role,
            self.version,
            self.author,
            self._iso_date,
            self.digest,
            tuple([(each.message, each.line, each.column) for each in self.defects]),
        )

    @property
    def size(self) -> int:
        """How many bytes it holds: its packet and its attachments."""
        beside = sum([len(each.content) for each in self.attachments]) if self.attachments else 0
        return len(self.raw) + beside

    @Kept
    def ivoid(self) -> Ivoid | None:
        """The IVORN in its parts, or None where it breaks the rules of IVOA Identifiers 2.0."""
        try:
            return parse_ivoid(self.ivorn)
        except ValueError:
            return None

    @property
    def element(self) -> bytes:
        """The `VOEvent` element from its first `<` to its last `>`, in the packet's own encoding.

        Two packets with the same element are the same message (VTP 2.0, section 8).
        """
        return element_bytes(self.raw, self._layout, followed=self._root.getnext() is not None)

    @Kept
    def digest(self) -> bytes:
        """SHA-256 of `element`, 32 bytes: what an event is known by when copies of it come in."""
        return hashlib.sha256(self.element).digest()

    @Kept
    def date(self) -> datetime | None:
        """When the author made the packet, in UTC; None where that is not readable.

        `Who/Date` (VOEvent 2.0, section 3.2.2).
        """
        return parse_utc(self._dated)

    @Kept
    def _iso_date(self) -> str | None:
        """`date` as the store has it, in ISO 8601."""
        return iso_utc(self._dated)

    @Kept
    def description(self) -> str | None:
        """The text of the packet's own `Description` (VOEvent 2.0, section 3.8), or None."""
        return text_of(child(self._root, "Description")) or None

    @Kept
    def citations(self) -> tuple[Citation, ...]:
        """The events that the packet refers to (VOEvent 2.0, section 3.7), in its order."""
        return tuple(
            Citation(text_of(element), element.get("cite", ""))
            for element in children(child(self._root, "Citations"), "EventIVORN")
        )

    @Kept
    def params(self) -> Params:
        """The `Param`s directly in `What` (VOEvent 2.0, section 3.3.1); those in groups are in `groups`."""
        return read_params(child(self._root, "What"))

    @Kept
    def groups(self) -> tuple[Group, ...]:
        """The `Group`s of `What` (VOEvent 2.0, section 3.3.2)."""
        return read_groups(child(self._root, "What"))

    @property
    def position(self) -> Position | None:
        """Where in the sky it is, in degrees; None where there is no readable equatorial position.

        `WhereWhen//Position2D` (VOEvent 2.0, section 3.4). Two ways of writing that there is no position
        give None too: right ascension 0 and declination 0 without an error radius, and a radius of the
        whole sky.
        """
        return self._where_when.position

    @property
    def time(self) -> datetime | None:
        """When it was observed, or is to be, in UTC; None where that is unknown.

        `WhereWhen//Time` (VOEvent 2.0, section 3.4); where 2.1 gives an interval, its start. Times in TT,
        TDB, TAI and GPS are converted. A time at the Solar System's barycentre remains one: light takes up
        to 8.3 minutes from there.
        """
        return self._where_when.time

    @Kept
    def defects(self) -> tuple[Defect, ...]:
        """What breaks the grammar of the packet's own version; empty where nothing does."""
        return defects(self._root, self.raw)

    @property
    def valid(self) -> bool:
        """Whether the packet keeps to the grammar of its own version."""
        return not self.defects

    def xpath(self, expression: str | XPath) -> XPathResult:
        """Evaluate XPath 1.0 on the packet, with the `VOEvent` element as context (see `XPath`).

        Args:
            expression: the question; keep an `XPath` where it is asked of many events.

        Returns:
            A list for a node-set, of elements, or of text for attributes and text nodes; a float, a str or a
            bool. The elements are the event's own: look, do not change.

        Raises:
            ValueError: `expression` is no XPath 1.0 that can be used.
        """
        question = _compiled(expression) if isinstance(expression, str) else expression
        return question.evaluate(self._root)

    # What `parse` has kept of these, an event made of facts reads when it is first asked for.

    @Kept
    def _root(self) -> etree._Element:
        """The packet's tree; it was read before, and perhaps without today's limits."""
        size = len(self.raw)
        return parse_xml(self.raw, max_bytes=size, max_depth=PARSER_DEPTH, max_attributes=size)

    @Kept
    def _layout(self) -> Layout:
        return lay_out(self.raw)

    @Kept
    def _dated(self) -> str:
        """The text of the packet's date."""
        return _signed(self._root)[1]

    def __repr__(self) -> str:
        via = f" from {printable(self.source, 40)}" if self.source else ""
        return f"<Event {printable(self.ivorn, 120)} {printable(self.role, 20)} {len(self.raw)} bytes{via}>"

    @Kept
    def _where_when(self) -> WhereWhen:
        return read_where_when(self._root)


#: Plugins ask the same few questions of every event, often as text.
_compiled = functools.lru_cache(maxsize=128)(XPath)


def _signed(root: etree._Element) -> tuple[str, str]:
    """The texts of `Who/AuthorIVORN` and `Who/Date`."""
    who = root[0] if len(root) else None
    if who is not None and who.tag == "Who" and len(who) <= len(_IN_WHO):
        author = date = None
        for each in who:
            tag = each.tag
            if tag == "AuthorIVORN" and author is None:
                author = text_of(each)
            elif tag == "Date" and date is None:
                date = text_of(each)
            elif tag not in _IN_WHO:
                break
            if author is not None and date is not None:
                return author, date
    who = child(root, "Who")
    return text_of(child(who, "AuthorIVORN")), text_of(child(who, "Date"))


def _problem_with(ivorn: str | None) -> str:
    """Why an event cannot be known by its `ivorn`; empty where it can."""
    if ivorn is not None and ivorn.startswith("ivo://") and len(ivorn) <= MAX_IVORN and ivorn.isprintable():
        return ""
    if ivorn is None:
        return (
            'no IVORN: the VOEvent element needs an attribute ivorn, as ivorn="ivo://authority/stream#event"'
        )
    if not ivorn.strip():
        return "no IVORN: the attribute ivorn is empty"
    if len(ivorn) > MAX_IVORN:
        return f"bad IVORN: it has {len(ivorn)} characters, at most {MAX_IVORN} are accepted"
    if _CONTROL.search(ivorn):
        return "bad IVORN: it has control characters or line breaks"
    if not ivorn.lower().startswith("ivo://"):
        return f"bad IVORN: it begins with {printable(ivorn, 20)!r}, expected ivo://"
    return ""


def _version_of_namespace(tag: str) -> str:
    found = _VERSION_OF_NAMESPACE.search(tag)
    return found.group(1) if found else ""
