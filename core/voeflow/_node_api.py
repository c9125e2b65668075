"""What a transport or a handler sees of the node that runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

import attrs

from voeflow._errors import GiveUp, Later, StoreError
from voeflow._text import printable

if TYPE_CHECKING:
    from ._event import Event
    from ._notice import Notice

#: How strictly a source's packets are judged; see `Node.submit`.
Validation = Literal["schema", "wellformed"]

#: What a source asks of an event that has been read: why it is refused, or an empty string if it is not.
Check = Callable[["Event"], str]


@attrs.frozen
class Submission:
    """The node's answer to a packet that a source submitted.

    Attributes:
        outcome: `accepted`: new, and on disk; `duplicate`: its element was seen before, which for the peer
            is as good (VTP 2.0, section 6.3); `refused`: it is no VOEvent that this node takes.
        ivorn: the packet's IVORN where it could be read, for the receipt's Origin, else None.
        reason: why it was refused, written for its author and free of anything of this machine; empty
            unless it was refused.
        digest: SHA-256 of the `<VOEvent>` element, 32 bytes, by which `Node.find` knows an event; None where
            it was refused.
        position: the event's place in this node's log, of a duplicate that of the event which came first;
            None where it was refused. See `Node.delivered_up_to`.
    """

    outcome: Literal["accepted", "duplicate", "refused"]
    ivorn: str | None
    reason: str = ""
    digest: bytes | None = attrs.field(default=None, eq=False, repr=False, kw_only=True)
    position: int | None = attrs.field(default=None, eq=False, repr=False, kw_only=True)


#: What is told of a packet that was submitted: what became of it, or that the store cannot write now.
Answer = Submission | StoreError

#: The longest reason for a failure or a refusal that is kept, in characters.
MAX_REASON = 1000

#: How a delivery ended: None is done, text is a failure, `GiveUp` the last one, `Later` is none of these.
Ending = str | Later | GiveUp | None


def settle_nothing(_: Delivery, __: Ending) -> None:
    """Settle nothing: the default of a delivery made outside a node."""


@attrs.define(eq=False)
class Delivery:
    """One event on its way to one sink.

    A transport that is a sink says `done()`, `failed(reason)`, `give_up(reason)` or `later(seconds, reason)`
    for each; for a handler the node does so. What was never settled is handed over again after a restart.

    Attributes:
        event: the event.
        id: the same at every repeat of this event to this sink, on any node and after any restart: made of
            the element's SHA-256 and the sink's name; letters, digits, `.`, `_` and `-` only.
        attempt: counts from 1.
        position: the event's place in this node's log, which grows from event to event; see `Node.history`.
    """

    event: Event
    id: str
    attempt: int = 1
    _settle: Callable[[Delivery, Ending], None] = attrs.field(default=settle_nothing, repr=False)
    position: int = attrs.field(default=0, kw_only=True)

    def done(self) -> None:
        """Say that the event has gone where it should; saying so again changes nothing."""
        settle, self._settle = self._settle, settle_nothing
        settle(self, None)

    def failed(self, reason: str) -> None:
        """Say that it could not be delivered now, and why; the node hands it over again later."""
        text = printable(str(reason), MAX_REASON)  # an exception is a natural thing to hand over here
        settle, self._settle = self._settle, settle_nothing
        settle(self, text)

    def later(self, seconds: float, reason: str) -> None:
        """Ask for it again in `seconds`; that counts as no failure.

        Raises:
            ValueError: `seconds` is no finite number above zero; the delivery is then still open.
        """
        later = Later(seconds, reason)
        settle, self._settle = self._settle, settle_nothing
        settle(self, later)

    def give_up(self, reason: str) -> None:
        """Say that it cannot be delivered, however often it is tried, and why: see `GiveUp`."""
        settle, self._settle = self._settle, settle_nothing
        settle(self, GiveUp(reason))


@attrs.frozen
class History:
    """A stretch of the node's log, read again; see `Node.history`.

    Attributes:
        deliveries: the events in it that the sink wants, in the order of the log. Saying what becomes of them
            changes nothing.
        position: where the stretch ends: read on after this, even where there are no deliveries.
    """

    deliveries: tuple[Delivery, ...]
    position: int


class Node(Protocol):
    """The node as one of its transports sees it.

    Attributes:
        name: the name of the transport's own table.
        ivoid: this node's IVOID, or an empty string where the pipeline gives none.
        max_event: the greatest size of a packet in bytes.
    """

    name: str
    ivoid: str
    max_event: int

    async def submit(
        self,
        raw: bytes,
        *,
        validate: Validation = "schema",
        peer: str = "",
        where: str = "",
        check: Check | None = None,
    ) -> Submission:
        """Submit a packet and wait until it is on disk, or known, or refused.

        Args:
            raw: the packet's bytes as they came.
            validate: `schema` refuses what breaks the grammar of its own VOEvent version or the rules for
                IVORNs; `wellformed` takes these, marked (`Event.valid`), and refuses only what is no VOEvent
                or has no IVORN.
            peer: who sent it, for the log: an address.
            where: where it was found, kept with a packet that is refused: `topic gcn.classic.voevent.X,
                partition 0, offset 12`. What does not print is kept as its escape.
            check: is asked about the event once it has been read, in a worker thread, before it is stored or
                known for a duplicate: whether this peer may say this, for instance. What it returns, unless
                that is empty, is the reason for which the event is refused, and told to its author: keep it
                free of anything of this machine. It has to be quick, for all events wait meanwhile.

        Returns:
            What became of it.

        Raises:
            StoreError: the store cannot write now. Give the peer no receipt: VTP reads that as a temporary
                failure (VTP 2.0, section 7.1).
        """
        ...

    def submit_nowait(
        self,
        raw: bytes,
        answered: Callable[[Sequence[Answer]], None],
        *,
        validate: Validation = "schema",
        peer: str = "",
        check: Check | None = None,
    ) -> None:
        """Submit a packet and go on; for a source with more peers than it can have tasks.

        Never waits, so whoever calls this has to bound what he has submitted and has no answer to.

        Args:
            raw: as for `submit`.
            answered: is called on the event loop with what `submit` would return, or the `StoreError` that it
                would raise: one answer for each packet, in the order in which they were submitted. Packets
                that are stored together and have the same `answered` are answered in one call. It has to be
                quick and must not raise.
            validate: as for `submit`.
            peer: as for `submit`.
            check: as for `submit`.
        """
        ...

    async def submit_notice(
        self,
        notice: Notice,
        *,
        mapping: str = "",
        peer: str = "",
        where: str = "",
        check: Check | None = None,
    ) -> Submission:
        """Submit a message that is no VOEvent: a mapping makes one of it, and both are stored in one commit.

        Mappings whose topics fit are asked, other distributions' first, then voeflow's own, until one knows
        it. A notice whose very bytes made an event before is a duplicate, and is not mapped again. One that
        no mapping knows, or that is bad, is refused and kept aside. Notices of one origin whose order matters
        are to be submitted one after another.

        Args:
            notice: the message.
            mapping: the name of the one mapping to ask, whatever the topic; empty for those that fit.
            peer: who sent it, for the log: an address.
            where: where it was found, kept with a notice that is refused: `topic igwn.gwalert, partition 0,
                offset 12`.
            check: as for `submit`; it is asked about the event that a mapping made.

        Returns:
            What became of it: the IVORN, digest and position are those of the event.

        Raises:
            StoreError: the store cannot write now: submit it again later.
            LookupError: there is no mapping of that name.
        """
        ...

    async def refuse(self, raw: bytes, reason: str, *, peer: str = "", where: str = "") -> Submission:
        """Keep aside, with what is refused, what this transport itself cannot take: too long a message, say.

        Args:
            raw: the bytes as they came.
            reason: why, in words.
            peer: who sent it, for the log: an address.
            where: where it was found.

        Returns:
            The refusal, once it is on disk.

        Raises:
            StoreError: the store cannot write now.
        """
        ...

    async def take(self) -> Sequence[Delivery]:
        """Wait for events that this transport is to carry on, and take them; for sinks only.

        Returns:
            At least one delivery, oldest first. Take again as soon as these are on their way: whether they
            are `done()` is said apart, and a bounded number may be open at once.
        """
        ...

    def bookmark(self, name: str, value: str) -> None:
        """Note how far this transport has come in what it follows, for its next start; for sources.

        It is on disk within moments, and never before what was submitted and answered earlier. What a crash
        takes of it has to be harmless: after one, the node may be given an event twice, and knows the second
        for a duplicate.

        Args:
            name: of what is followed: a broker, a topic. There should be few.
            value: what replaces the note under that name: an offset, say; some hundred characters at most.

        Raises:
            ValueError: one of them holds what UTF-8 cannot, as the name of a file may.
        """
        ...

    async def bookmarks(self) -> Mapping[str, str]:
        """Give what was noted under each name, by this transport or one of the same name before it.

        It is all on disk then.

        Raises:
            StoreError: the store cannot be written or read.
        """
        ...

    def heard(self, peer: str = "") -> None:
        """Note a sign of life of what this transport listens to; for sources, and cheap.

        Call it for whatever shows that an event would have come in: a keep-alive, a heartbeat, a connection.
        What is submitted counts by itself. A table may ask for an alarm where nothing is heard for as long as
        its key `silent_after` says.

        Args:
            peer: who was heard, for those who look: an address, a topic.
        """
        ...

    @property
    def delivered_up_to(self) -> int:
        """The position in the node's log up to which every event has gone where it should.

        That is to every sink of the node that wants it; what was given up counts as gone. In a node without
        sinks it is the position of the newest event.
        """
        ...

    @property
    def position(self) -> int:
        """Where this sink stands in the node's log: all after it is still to come through `take`."""
        ...

    async def history(self, after: int, upto: int) -> History:
        """Read back in the node's log, in pieces, what this sink wants by its `when` and `sources`.

        Args:
            after: the position after which to begin.
            upto: the position after which to end.

        Returns:
            The first piece: at most 64 events, and one event or at most 256 KiB of them. Its position is
            `upto` when there is nothing more. What the node no longer keeps is not in it.

        Raises:
            StoreError: the store cannot be read.
        """
        ...

    async def find(self, digest: bytes) -> int | None:
        """Give the position of the event with this digest, or None where the node does not have it.

        Raises:
            StoreError: the store cannot be read.
        """
        ...

    async def position_at(self, moment: datetime) -> int:
        """Give the position after which all lies that the node received since a moment, by its own clock.

        Where that clock was put back meanwhile, some that was received earlier may lie there, too.

        Raises:
            StoreError: the store cannot be read.
        """
        ...
