"""One partition at this node: its messages in their order, each until it is stored."""

from __future__ import annotations

from collections import deque

import attrs
import structlog
import trio

import voeflow
from voeflow_transports.vtp._sparingly import Sparingly

from ._message import Message, Packet, Passed, Refused, SignOfLife, Told, Understood
from ._offsets import Offsets, Place

log = structlog.get_logger()

#: The wait before what the store did not take is submitted again doubles from the first to the second, in
#: seconds.
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0


@attrs.define(eq=False)
class Held:
    """What all partitions of one consumer hold in memory, which is bounded.

    Attributes:
        most: how many messages there may be.
        most_bytes: and how many bytes of them.
    """

    most: int
    most_bytes: int
    _messages: int = 0
    _bytes: int = 0
    _room: trio.Event = attrs.field(factory=trio.Event)

    @property
    def full(self) -> bool:
        """Whether no more should be read."""
        return self._messages >= self.most or self._bytes >= self.most_bytes

    @property
    def low(self) -> bool:
        """Whether there is room for half of it again."""
        return self._messages <= self.most // 2 and self._bytes <= self.most_bytes // 2

    def add(self, size: int) -> None:
        """Note a message."""
        self._messages += 1
        self._bytes += size

    def remove(self, size: int) -> None:
        """Note that a message is done with."""
        self._messages -= 1
        self._bytes -= size
        if self.low:
            self._room.set()

    async def wait_low(self) -> None:
        """Wait until there is room for half of it again."""
        while not self.low:
            self._room = trio.Event()
            await self._room.wait()


@attrs.frozen(eq=False)
class _Entry:
    message: Message
    meaning: Understood
    place: Place
    size: int


@attrs.define(eq=False)
class Lane:
    """A partition, from when it is assigned until it is revoked.

    Packets are submitted in their order, without waiting for the answers; a notice is submitted when all
    before it is stored, for it may cite that. What the store cannot take is submitted again, the first one
    first, and nothing new meanwhile.

    Attributes:
        topic: the topic's name.
        partition: the number of the partition.
        node: what takes the messages.
        validate: how strictly packets are judged.
        held: what all lanes together hold.
        told: whether the store's failing is told now.
        offsets: what of it is done.
        dropped: whether it is no longer ours: nothing of it is submitted or committed any more.
    """

    topic: str
    partition: int
    node: voeflow.Node
    validate: voeflow.Validation
    held: Held
    told: Sparingly
    offsets: Offsets = attrs.field(factory=Offsets)
    dropped: bool = False
    _queue: deque[_Entry] = attrs.field(factory=deque, init=False)
    _in_flight: int = attrs.field(default=0, init=False)
    _failing: set[int] = attrs.field(factory=set, init=False)
    _wait: float = attrs.field(factory=lambda: _FIRST_WAIT, init=False)
    _ending: bool = attrs.field(default=False, init=False)
    _changed: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)
    _scope: trio.CancelScope = attrs.field(factory=lambda: trio.CancelScope(shield=True), init=False)

    def put(self, message: Message, meaning: Understood) -> None:
        """Take a message, the next of the partition."""
        size = len(message.value or b"")
        self.held.add(size)
        self._queue.append(_Entry(message, meaning, self.offsets.begin(message.offset), size))
        self._changed.unpark_all()

    async def run(self) -> None:
        """Work through what is put, until dropped.

        A cancellation from outside does not reach it: what is in flight is to be known stored or not before
        the offsets are committed for the last time. Whoever runs it drops it within a bounded time.
        """
        with self._scope:
            async with trio.open_nursery() as nursery:
                while True:
                    while not self._queue or self._ending:
                        await self._changed.park()
                    entry = self._queue.popleft()
                    self._in_flight += 1
                    if isinstance(entry.meaning, Packet) and not self._failing:
                        begun = trio.Event()
                        nursery.start_soon(self._keep, entry, begun)
                        await begun.wait()  # tasks run in no order, and events are to be stored in theirs
                    else:
                        while self._in_flight > 1:
                            await self._changed.park()
                        await self._keep(entry, trio.Event())

    async def finish(self) -> None:
        """Begin nothing more, and wait until nothing is in flight."""
        self._ending = True
        while self._in_flight:
            await self._changed.park()

    def drop(self) -> None:
        """Give it up: it is another's now, or nobody's."""
        self.dropped = True
        self._scope.cancel()
        while self._queue:
            self.held.remove(self._queue.popleft().size)

    async def _keep(self, entry: _Entry, begun: trio.Event) -> None:
        begun.set()
        try:
            submission = await self._insist(entry)
            if submission is not None:
                entry.place.position = submission.position or 0
            entry.place.done = True
        finally:
            self._in_flight -= 1
            self.held.remove(entry.size)
            self._changed.unpark_all()

    async def _insist(self, entry: _Entry) -> voeflow.Submission | None:
        """Submit a message until the store takes it."""
        offset = entry.place.offset
        while True:
            while self._failing and offset > min(self._failing) and offset in self._failing:
                await self._changed.park()
            try:
                submission = await self._submit(entry)
            except voeflow.StoreError as error:
                self._failing.add(offset)
                if offset == min(self._failing):
                    await self._wait_for_store(error)
            else:
                self._failing.discard(offset)
                self._wait = _FIRST_WAIT
                self._changed.unpark_all()
                return submission

    async def _wait_for_store(self, error: voeflow.StoreError) -> None:
        if (more := self.told.due("store", trio.current_time())) is not None:
            log.error(
                "messages wait, and nothing more is read",
                transport=self.node.name,
                reason=str(error),
                unsaid=more,
            )
        await trio.sleep(self._wait)
        self._wait = min(self._wait * 2, _LONGEST_WAIT)

    async def _submit(self, entry: _Entry) -> voeflow.Submission | None:
        message, meaning, node = entry.message, entry.meaning, self.node
        match meaning:
            case Packet(raw):
                return await node.submit(raw, validate=self.validate, peer=message.topic, where=message.where)
            case Told(notice, mapping, check):
                return await node.submit_notice(
                    notice, mapping=mapping, peer=message.topic, where=message.where, check=check
                )
            case Refused(reason):
                value = message.value or b""
                return await node.refuse(value, reason, peer=message.topic, where=message.where)
            case SignOfLife() | Passed():
                node.heard(message.topic)
        return None
