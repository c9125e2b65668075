"""`kafka-produce`: events from the node into a topic of a Kafka cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs
import structlog
import trio

import voeflow

from ._client import PRODUCER_REFUSES, Value, check_installed, check_settings, producer_config
from ._delivering import Delivering
from ._telling import Remedies, Telling
from .consume import check_servers

log = structlog.get_logger()

_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}", re.ASCII)

#: The wait before a producer that failed is made again doubles from the first to the second, in seconds.
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0

#: How long closing may take, in seconds.
_FAREWELL = 5.0


@attrs.frozen
class KafkaProduce:
    """Write events into a topic of a Kafka cluster, each once it is known to be there.

    A message has the event's IVORN as its key, its bytes as they came as its value, and headers for role,
    author, version and source. An event is delivered when Kafka has acknowledged it, from all in-sync
    replicas. While no broker can be reached events wait, in their order. After a crash of the node some may
    be written twice.

        [transports.out]
        plugin  = "kafka-produce"
        servers = "kafka.example.org:9092"
        topic   = "alerts.voevent"
        when    = "not tests"
    """

    sink: ClassVar[bool] = True

    servers: tuple[str, ...] = attrs.field(
        metadata={"one_or_many": True, "help": "HOST:PORT of one broker or more of the cluster"}
    )
    topic: str = attrs.field(metadata={"help": "the topic that the events are written to"})
    settings: Mapping[str, Value] = attrs.field(
        factory=dict,
        repr=False,
        metadata={"help": "any settings of librdkafka, as security.protocol; text may be a secret's file"},
    )

    @servers.validator
    def _check_servers(self, _: Any, servers: tuple[str, ...]) -> None:
        check_servers(servers)

    @topic.validator
    def _check_topic(self, _: Any, topic: str) -> None:
        check_topic(topic)

    @settings.validator
    def _check_settings(self, _: Any, settings: Mapping[str, Value]) -> None:
        check_settings(settings, PRODUCER_REFUSES, producer=True)

    def __attrs_post_init__(self) -> None:
        """See that there is a client for Kafka.

        Raises:
            ValueError: there is none.
        """
        check_installed()

    async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[None]) -> None:
        """Produce until cancelled."""
        remedies = Remedies(
            topic=f"create the topic {self.topic!r}, or see that it is spelt as the broker has it"
        )
        delivering = Delivering(
            self.topic,
            producer_config(self.servers, self.settings),
            Telling(node.name, ", ".join(self.servers), remedies),
        )
        await produce(node, delivering, task_status=task_status)


def check_topic(topic: str) -> None:
    """See that it is what a topic may be called.

    Raises:
        ValueError: it is not.
    """
    if not _NAME.fullmatch(topic) or topic in (".", ".."):
        raise ValueError(f"expected the name of a topic: letters, digits, `.`, `_` and `-`, got {topic!r}")


async def produce(node: voeflow.Node, delivering: Delivering, *, task_status: trio.TaskStatus[None]) -> None:
    """Carry what a sink takes into a topic, until cancelled; ready at once."""
    wait = _FIRST_WAIT
    thread = trio.CapacityLimiter(1)
    async with trio.open_nursery() as nursery:
        arrivals = _Arrivals(node, delivering)
        nursery.start_soon(arrivals.run)
        task_status.started()
        while True:
            delivering.begin(await trio.to_thread.run_sync(delivering.make, limiter=thread))
            try:
                while not delivering.trouble:
                    delivering.send()
                    arrivals.room.set()
                    await trio.to_thread.run_sync(delivering.poll, limiter=thread)
                    if delivering.settle():
                        wait = _FIRST_WAIT
                    if reason := delivering.stalled():
                        topic = delivering.topic
                        log.error("events wait for Kafka", transport=node.name, topic=topic, reason=reason)
            finally:
                with trio.CancelScope(shield=True), trio.move_on_after(_FAREWELL):
                    await trio.to_thread.run_sync(delivering.close, abandon_on_cancel=True)
                delivering.settle()
            log.error(
                "events wait for Kafka",
                transport=node.name,
                topic=delivering.topic,
                reason=delivering.trouble,
                again_in=voeflow.show_seconds(wait),
            )
            await trio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)


@attrs.define(eq=False)
class _Arrivals:
    """Takes events of the node while librdkafka has room for more."""

    node: voeflow.Node
    delivering: Delivering
    room: trio.Event = attrs.field(factory=trio.Event)

    async def run(self) -> None:
        while True:
            deliveries = await self.node.take()
            for delivery in deliveries:
                self.delivering.add(delivery)
            self.delivering.send()
            while self.delivering.blocked:
                self.room = trio.Event()
                await self.room.wait()
