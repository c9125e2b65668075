"""All authors that are connected to one port, served in one task."""

from __future__ import annotations

import math

import attrs
import structlog
import trio

import voeflow

from ._binding import Grant, check_for
from ._connection import Connection
from ._conversation import Conversation
from ._crowd import Crowd, network_of
from ._door import TOLD_EVERY
from ._options import utcnow
from ._partials import Partials
from ._poller import Poller
from ._rates import Rates, counted
from ._receiver import Receiver
from ._sparingly import Sparingly

log = structlog.get_logger()

#: How many authors at one address are told within `TOLD_EVERY` to have been cut off; the rest is counted.
_CUT_OFF_LINES = 20

#: How long a closing connection waits for the author to close too, in seconds.
_FAREWELL = 1.0

#: From how many bytes of packets on their way to disk on nothing more is read from any author. The node holds
#: more than this for all its sources, so that authors alone do not keep others waiting.
_MAX_BYTES_IN_HAND = 16 * 2**20

#: The least time between two looks at who has run out of time, in seconds.
_TICK = 0.05


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Manner:
    """How authors are dealt with.

    Attributes:
        validate: how strictly their packets are judged.
        idle_timeout: how long one may be silent, and take for a frame, in seconds.
        first_byte_timeout: how long one may be silent at first, in seconds; None for `idle_timeout`.
        frame_timeout: how long one frame may take, in seconds; None for `idle_timeout`.
        linger: how long a connection stays open after the last receipt, in seconds.
        max_in_hand: how many packets of one connection may be on their way to disk at once.
        grants: who may speak for whom; nothing lets everybody say everything.
    """

    validate: voeflow.Validation
    idle_timeout: float
    linger: float
    max_in_hand: int
    first_byte_timeout: float | None
    frame_timeout: float | None
    grants: tuple[Grant, ...]


class Authors:
    """The authors at a port: who is connected, how long each has time, and how much all have in hand.

    An author costs no task: the poller says who has sent something, the node says which packets are on disk,
    and each is answered from there. Only one that does not read, or has to be said farewell to, has a task
    for as long as that takes.

    Attributes:
        node: takes their packets.
        manner: how they are dealt with.
        crowd: the connections that are counted.
        partials: is told how much of an unfinished frame each holds.
        rates: how fast the events of one address may come.
        poller: waits for them.
        has_room: whether more packets may be taken in hand.
    """

    def __init__(
        self, node: voeflow.Node, manner: Manner, crowd: Crowd, partials: Partials, rates: Rates
    ) -> None:
        self.node = node
        self.manner = manner
        self.crowd = crowd
        self.partials = partials
        self.rates = rates
        self.poller = Poller()
        self._present: dict[Conversation, None] = {}
        self.has_room = True
        self._bytes = 0  # of packets in hand
        self._held_up: dict[Conversation, None] = {}  # until there is room for more
        self._cut_off = Sparingly(TOLD_EVERY, most=_CUT_OFF_LINES)
        self._told = Sparingly(TOLD_EVERY)
        self._alarm = trio.CancelScope()
        self._alarmed_by = math.inf
        self._nursery: trio.Nursery

    async def run(self) -> None:
        """Serve them until cancelled; then all are cut off."""
        try:
            async with trio.open_nursery() as self._nursery:
                self._nursery.start_soon(self.poller.run)
                await self._keep_time()
        finally:
            for conversation in list(self._present):
                conversation.connection.close()

    def enter(self, connection: Connection) -> None:
        """Begin with an author that has connected."""
        now = trio.current_time()
        machine = Receiver(
            clock=utcnow,
            limit=self.node.max_event,
            ivoid=self.node.ivoid,
            opened=now,
            idle_timeout=self.manner.idle_timeout,
            linger=self.manner.linger,
            first_byte_timeout=self.manner.first_byte_timeout,
            frame_timeout=self.manner.frame_timeout,
        )
        check = check_for(self.manner.grants, connection.host, connection.certificate)
        conversation = Conversation(connection, machine, self, check)
        if connection.certificate is not None:
            self._tell_certificate(connection)
        self._present[conversation] = None
        self.node.heard(connection.peer)
        conversation.begin(now)

    def left(self, conversation: Conversation) -> None:
        """Note that an author's connection has been closed."""
        connection = conversation.connection
        self._present.pop(conversation, None)
        self._held_up.pop(conversation, None)
        self.partials.note(connection, 0)
        self.crowd.leave(connection)

    def hold_up(self, conversation: Conversation) -> None:
        """Have an author go on when there is room."""
        self._held_up[conversation] = None

    def submit(self, raw: bytes, conversation: Conversation) -> None:
        """Submit a packet; `conversation.answered` is called when it is on disk."""
        self._count(len(raw))
        self.node.submit_nowait(
            raw,
            conversation.answered,
            validate=self.manner.validate,
            peer=conversation.connection.peer,
            check=conversation.check,
        )

    def pace(self, connection: Connection, now: float) -> float:
        """Note that an author has sent an event, now.

        Returns:
            When the next of its address may be submitted; 0 for at once.
        """
        wait = self.rates.take(counted(connection.host), now)
        if not wait:
            return 0.0
        if (more := self._told.due("fast " + network_of(connection.host), now)) is not None:
            log.warning(
                "author has to wait",
                transport=self.node.name,
                peer=connection.peer,
                reason=f"its address sends more than {self.rates.rate:g} events a second",
                unsaid=more,
            )
        return now + wait

    def release(self, size: int) -> None:
        """Note that packets of so many bytes have been answered."""
        self._count(-size)
        while self._held_up and self.has_room:
            conversation = next(iter(self._held_up))
            del self._held_up[conversation]
            conversation.use_room()

    def _count(self, size: int) -> None:
        self._bytes += size
        self.has_room = self._bytes < _MAX_BYTES_IN_HAND

    def remind(self, deadline: float) -> None:
        """See by then at the latest who has run out of time."""
        if deadline < self._alarmed_by:
            self._alarm.deadline = self._alarmed_by = deadline

    def flush(self, conversation: Conversation) -> None:
        """Wait until an author has read its receipts."""
        self._nursery.start_soon(conversation.flush, self.manner.idle_timeout)

    def part(self, conversation: Conversation, *, ended: bool) -> None:
        """Close a conversation that is over.

        Args:
            conversation: it.
            ended: whether the author has ended its stream.
        """
        self._tell_cut_off(conversation)
        if ended:
            conversation.connection.close()
        else:
            self._nursery.start_soon(conversation.connection.finish, _FAREWELL)

    def tell_unstored(self, error: voeflow.StoreError) -> None:
        """Say that a packet could not be stored."""
        if (more := self._told.due("store", trio.current_time())) is not None:
            log.error("authors get no receipts", transport=self.node.name, reason=str(error), unsaid=more)

    async def _keep_time(self) -> None:
        while True:
            self._alarmed_by = self._earliest()
            with trio.CancelScope(deadline=self._alarmed_by) as self._alarm:
                await trio.sleep_forever()
            now = trio.current_time()
            for conversation in [each for each in self._present if each.deadline <= now]:
                conversation.tick(now)
            await trio.sleep(_TICK)

    def _earliest(self) -> float:
        return min((each.deadline for each in self._present), default=math.inf)

    def _tell_certificate(self, connection: Connection) -> None:
        shown = str(connection.certificate)
        if (more := self._told.due(f"certificate {shown}", trio.current_time())) is not None:
            log.info(
                "author connected",
                transport=self.node.name,
                peer=connection.peer,
                certificate=shown,
                unsaid=more,
            )

    def _tell_cut_off(self, conversation: Conversation) -> None:
        fault, connection = conversation.machine.fault, conversation.connection
        if not fault:
            return
        if (more := self._cut_off.due(network_of(connection.host), trio.current_time())) is not None:
            log.warning(
                "author cut off", transport=self.node.name, peer=connection.peer, reason=fault, unsaid=more
            )
