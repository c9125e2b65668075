"""What a transport or a handler sees of the node that runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

import attrs

from voeflow._errors import Later

if TYPE_CHECKING:
    from ._event import Event

#: How strictly a source's packets are judged; see `Node.submit`.
Validation = Literal["schema", "wellformed"]


@attrs.frozen
class Submission:
    """The node's answer to a packet that a source submitted.

    Attributes:
        outcome: `accepted`: new, and on disk; `duplicate`: its element was seen before, which for the peer
            is as good (VTP 2.0, section 6.3); `refused`: it is no VOEvent that this node takes.
        ivorn: the packet's IVORN where it could be read, for the receipt's Origin, else None.
        reason: why it was refused, written for its author and free of anything of this machine; empty
            unless it was refused.
    """

    outcome: Literal["accepted", "duplicate", "refused"]
    ivorn: str | None
    reason: str = ""


#: How a delivery ended: None is done, text is a failure, `Later` is neither.
Ending = str | Later | None


def _ignore(_: Delivery, __: Ending) -> None:
    """Settle nothing: the default of a delivery made outside a node."""


@attrs.define(eq=False)
class Delivery:
    """One event on its way to one sink.

    A transport that is a sink says `done()`, `failed(reason)` or `later(seconds, reason)` for each; for a
    handler the node does so. What was never settled is handed over again after a restart.

    Attributes:
        event: the event.
        id: the same at every repeat of this event to this sink, on any node and after any restart: made of
            the element's SHA-256 and the sink's name; letters, digits, `.`, `_` and `-` only.
        attempt: counts from 1.
    """

    event: Event
    id: str
    attempt: int = 1
    _settle: Callable[[Delivery, Ending], None] = attrs.field(default=_ignore, repr=False)

    def done(self) -> None:
        """Say that the event has gone where it should; saying so again changes nothing."""
        settle, self._settle = self._settle, _ignore
        settle(self, None)

    def failed(self, reason: str) -> None:
        """Say that it could not be delivered now, and why; the node hands it over again later."""
        settle, self._settle = self._settle, _ignore
        settle(self, reason)

    def later(self, seconds: float, reason: str) -> None:
        """Ask for it again in `seconds`; that counts as no failure."""
        settle, self._settle = self._settle, _ignore
        settle(self, Later(seconds, reason))


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

    async def submit(self, raw: bytes, *, validate: Validation = "schema", peer: str = "") -> Submission:
        """Submit a packet and wait until it is on disk, or known, or refused.

        Args:
            raw: the packet's bytes as they came.
            validate: `schema` refuses what breaks the grammar of its own VOEvent version or the rules for
                IVORNs; `wellformed` takes these, marked (`Event.valid`), and refuses only what is no VOEvent
                or has no IVORN.
            peer: who sent it, for the log: an address.

        Returns:
            What became of it.

        Raises:
            StoreError: the store cannot write now. Give the peer no receipt: VTP reads that as a temporary
                failure (VTP 2.0, section 7.1).
        """
        ...

    async def take(self) -> Sequence[Delivery]:
        """Wait for events that this transport is to carry on, and take them; for sinks only.

        Returns:
            At least one delivery, oldest first. Take again as soon as these are on their way: whether they
            are `done()` is said apart, and a bounded number may be open at once.
        """
        ...
