"""The consuming engine: from the partitions of a group into the node, and nothing committed too early.

What a transport on top of it says is only what is different about it:

```python
await consume(
    node,
    Terms(
        servers=("kafka.example.org:9092",),     # as told in the log
        config=consumer_config(servers, group, settings),   # of _client; callbacks such as oauth_cb too
        topics=subscription(("gcn.classic.*",)),            # of _topics; or names and ^regexes by hand
        start=read_start("latest"),                         # of _start
        understand=understand,        # Callable[[Message], Understood]: both of _message
        commit="stored",              # or "delivered"
        validate="schema", max_message=4 * 2**20,
        remedies=Remedies(credentials="get them at https://example.org"),   # of _telling
    ),
    task_status=task_status,
)
```

`understand` is called in a worker thread, one message at a time, in the order of each partition; it returns
`Packet(raw)`, `Told(notice, mapping)`, `Refused(reason)`, `SignOfLife()` or `Passed()`. A message over which
it raises is refused, and told in the log. It is not asked about a message over `max_message`.

librdkafka reads ahead in threads of its own. Here, one worker thread at a time asks it for a batch, and the
event loop hands the messages to their partitions' lanes, which submit them. What is read and not stored is
bounded; when it is too much, nothing is asked for, and after a second the partitions are paused and
librdkafka is asked on, for a consumer that does not ask for long loses its membership.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import attrs
import structlog
import trio

import voeflow
from voeflow_transports.vtp._sparingly import Sparingly

from ._lane import Held, Lane
from ._message import Message, Understood
from ._offsets import Offsets
from ._reading import Reading
from ._start import Start, Starter
from ._telling import Remedies, Telling

if TYPE_CHECKING:
    from confluent_kafka import TopicPartition

log = structlog.get_logger()

#: When an offset is committed: once the event is stored at this node, or once every sink of it has had it.
Commit = Literal["stored", "delivered"]

#: What is read and not stored, of all partitions: messages, and bytes.
_MAX_HELD, _MAX_HELD_BYTES = 1000, 16 * 2**20

#: How many messages may be stored and not delivered where that is waited for. What is read ahead is handled
#: here and, if its partition moves before, at another member too: so there is little of it while deliveries
#: go on. Where they do not, as when a sink tries one event again and again, others must not wait for it.
_READ_AHEAD, _MAX_UNDELIVERED = 500, 100_000

#: After how long without a delivery they count as standing still, in seconds.
_STANDSTILL = 10.0

#: How long to wait for room before the partitions are paused, in seconds.
_PAUSE_AFTER = 1.0

#: How often offsets are committed, and how long after one was refused, in seconds.
_COMMIT_EVERY, _COMMIT_AGAIN = 0.5, 1.0

#: How long what is in flight may take when a partition is revoked or the transport ends, in seconds: to be
#: stored, and to be delivered where that is waited for.
_FINISH, _FINISH_DELIVERING = 2.0, 5.0

#: How long the farewell to the broker may take, in seconds; it is then finished without us.
_FAREWELL = 5.0


@attrs.frozen(kw_only=True)
class Terms:
    """What is consumed, and how.

    Attributes:
        servers: the brokers, for the log.
        config: librdkafka's configuration; see `_client.consumer_config`.
        topics: names, and regular expressions that begin with `^`.
        start: where to begin where the group has committed nothing.
        heartbeat: the topic among them that holds nothing but signs of life, or empty.
        understand: says what a message is; see the module.
        commit: when an offset is committed.
        validate: how strictly packets are judged.
        max_message: the longest message that is taken, in bytes.
        look_back: how far to read back in a partition that is assigned, to know what was dealt with before,
            in seconds; 0 for not at all.
        remedies: what to do about what can go wrong.
    """

    servers: tuple[str, ...]
    config: Mapping[str, Any] = attrs.field(repr=False)
    topics: tuple[str, ...]
    start: Start
    understand: Callable[[Message], Understood]
    heartbeat: str = ""
    commit: Commit = "stored"
    validate: voeflow.Validation = "schema"
    max_message: int = 4 * 2**20
    look_back: float = 0.0
    remedies: Remedies = attrs.field(factory=Remedies)


async def consume(node: voeflow.Node, terms: Terms, *, task_status: trio.TaskStatus[None]) -> None:
    """Consume until cancelled; ready at once, whether or not a broker can be reached.

    Raises:
        RuntimeError: librdkafka has given up; a new client may do better.
        confluent_kafka.KafkaException: a broker did not say where a partition begins or what was committed.
    """
    await _Consuming(node, terms).run(task_status)


@attrs.define(eq=False)
class _Consuming:
    node: voeflow.Node
    terms: Terms
    _lanes: dict[tuple[str, int], Lane] = attrs.field(factory=dict, init=False)
    _held: Held = attrs.field(factory=lambda: Held(_MAX_HELD, _MAX_HELD_BYTES), init=False)
    _told: Sparingly = attrs.field(factory=lambda: Sparingly(60.0), init=False)
    _thread: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(1), init=False)
    _commit_at: float = attrs.field(default=0.0, init=False)
    _pause: bool = attrs.field(default=False, init=False)
    _delivered: int = attrs.field(default=-1, init=False)
    _delivered_at: float = attrs.field(default=0.0, init=False)
    _nursery: trio.Nursery = attrs.field(init=False)
    _reading: Reading = attrs.field(init=False)

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        terms = self.terms
        self._reading = Reading(
            config=terms.config,
            topics=terms.topics,
            starter=Starter(terms.start, terms.heartbeat),
            understand=terms.understand,
            max_message=terms.max_message,
            look_back=terms.look_back,
            telling=Telling(self.node.name, ", ".join(terms.servers), terms.remedies),
            lane_of=lambda topic, partition: self._lanes.get((topic, partition)),
            assigned=self._assigned,
            release=self._release,
            lost=self._lost,
        )
        await self._hop(self._reading.open)
        offsets: list[TopicPartition] = []
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                try:
                    while True:
                        await self._turn()
                finally:
                    with trio.CancelScope(shield=True):
                        await self._finish(list(self._lanes.values()))
                    for lane in self._lanes.values():
                        lane.offsets.committed = -1  # what was due last may not have been asked for
                    offsets = self._due(list(self._lanes.values()))
                    for lane in self._lanes.values():
                        lane.drop()
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(_FAREWELL):
                await trio.to_thread.run_sync(self._reading.close, offsets, abandon_on_cancel=True)

    async def _hop(self, function: Callable[[], Any]) -> Any:
        return await trio.to_thread.run_sync(function, limiter=self._thread)

    async def _turn(self) -> None:
        """Read a batch, and commit what is done meanwhile."""
        await self._make_room()
        due: list[TopicPartition] = []
        if trio.current_time() >= self._commit_at:
            self._commit_at = trio.current_time() + _COMMIT_EVERY
            due = self._due(list(self._lanes.values()))
        found = await self._hop(partial(self._reading.read, due, pause=self._pause))
        for lane, message, meaning in found:
            if not lane.dropped:
                lane.put(message, meaning)
        if self._reading.uncommitted:
            self._commit_at = trio.current_time() + _COMMIT_AGAIN
            for topic, partition in self._reading.uncommitted:
                if (again := self._lanes.get((topic, partition))) is not None:
                    again.offsets.committed = -1
            self._reading.uncommitted.clear()
        if self._reading.telling.fatal:
            raise RuntimeError(f"librdkafka has given up: {self._reading.telling.fatal}")

    async def _make_room(self) -> None:
        """Wait until more may be read; after a while pause, and let librdkafka be asked on."""
        paused = self._pause
        if self._held.full and not paused:
            with trio.move_on_after(_PAUSE_AFTER) as patience:
                await self._held.wait_low()
            self._pause = patience.cancelled_caught
        elif paused:
            self._pause = not self._held.low
        if self.terms.commit == "delivered" and self._is_ahead(_READ_AHEAD // 2 if paused else _READ_AHEAD):
            with trio.move_on_after(_PAUSE_AFTER):
                while not paused and self._is_ahead(_READ_AHEAD // 2):  # noqa: ASYNC110 - the node tells nobody
                    await trio.sleep(0.02)
            self._pause = self._pause or self._is_ahead(_READ_AHEAD // 2)

    def _is_ahead(self, most: int) -> bool:
        """Say whether more is read and not delivered than should be."""
        upto, now = self.node.delivered_up_to, trio.current_time()
        for lane in self._lanes.values():
            lane.offsets.due(upto)
        undelivered = sum(len(lane.offsets) for lane in self._lanes.values())
        if upto != self._delivered or not undelivered:
            self._delivered, self._delivered_at = upto, now
        if now < self._delivered_at + _STANDSTILL:
            return undelivered > most
        return undelivered >= _MAX_UNDELIVERED

    def _due(self, lanes: Sequence[Lane]) -> list[TopicPartition]:
        """Give the offsets that are to be committed, and note that they are."""
        from confluent_kafka import TopicPartition

        upto = self.node.delivered_up_to if self.terms.commit == "delivered" else None
        due = []
        for lane in lanes:
            offset = lane.offsets.due(upto)
            if offset is not None:
                lane.offsets.committed = offset
                due.append(TopicPartition(lane.topic, lane.partition, offset))
        return due

    def _assigned(self, partitions: Sequence[tuple[str, int]], begins: Mapping[tuple[str, int], int]) -> None:
        for topic, partition in partitions:
            lane = Lane(topic, partition, self.node, self.terms.validate, self._held, self._told)
            if (begin := begins.get((topic, partition))) is not None:
                # Committed at once; if that fails again and again, though no message ever comes: at the next
                # start the group would be new once more, and `latest` pass over what came meanwhile.
                lane.offsets = Offsets(committed=begin, next=begin)
            self._lanes[topic, partition] = lane
            self._nursery.start_soon(lane.run)
        if partitions:
            shown = voeflow.printable(", ".join(f"{topic}[{n}]" for topic, n in partitions), 300)
            log.info("partitions assigned", transport=self.node.name, partitions=shown)

    async def _release(self, partitions: Sequence[tuple[str, int]]) -> list[TopicPartition]:
        """Finish what is in flight of partitions that go to another member; give what is done of them."""
        lanes = self._taken(partitions)
        with trio.CancelScope(shield=True):
            await self._finish(lanes)
        due = self._due(lanes)
        for lane in lanes:
            lane.drop()
        self._tell_gone("partitions handed over", lanes)
        return due

    def _lost(self, partitions: Sequence[tuple[str, int]]) -> None:
        """Drop partitions that another member may have by now: nothing of them may be committed."""
        lanes = self._taken(partitions)
        for lane in lanes:
            lane.drop()
        self._tell_gone("partitions lost", lanes)

    def _taken(self, partitions: Sequence[tuple[str, int]]) -> list[Lane]:
        return [self._lanes.pop(each) for each in partitions if each in self._lanes]

    def _tell_gone(self, event: str, lanes: Sequence[Lane]) -> None:
        if lanes:
            shown = voeflow.printable(", ".join(f"{lane.topic}[{lane.partition}]" for lane in lanes), 300)
            log.info(event, transport=self.node.name, partitions=shown)

    async def _finish(self, lanes: Sequence[Lane]) -> None:
        """Wait until what is in flight is stored, and delivered where that is what counts, but not long."""
        delivering = self.terms.commit == "delivered"
        with trio.move_on_after(_FINISH_DELIVERING if delivering else _FINISH):
            for lane in lanes:
                await lane.finish()
            if delivering:
                while any(_waits(lane, self.node.delivered_up_to) for lane in lanes):  # noqa: ASYNC110 - asks
                    await trio.sleep(0.05)


def _waits(lane: Lane, delivered_up_to: int) -> bool:
    """Say whether a lane has an event that is stored and not delivered."""
    lane.offsets.due(delivered_up_to)
    return lane.offsets.waits
