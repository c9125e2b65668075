"""`kafka-consume`: events and notices from topics of a Kafka cluster, as a member of a consumer group."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import attrs
import trio

import voeflow
from voeflow_transports.vtp._options import at_least

from ._client import CONSUMER_REFUSES, Value, check_installed, check_settings, consumer_config
from ._engine import Commit, Terms, consume
from ._message import understand
from ._start import read_start
from ._topics import subscription

_FOREIGN = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)


@attrs.frozen
class KafkaConsume:
    """Take events and notices from topics of a Kafka cluster, with other nodes of one group or alone.

    A message that is XML is taken as an event; any other as a notice, of which a mapping makes an event.
    Nodes that name one group share the partitions, and take over those of a node that ends or dies. An offset
    is committed only when the event is in this node's store, so that no event is lost; one may come twice,
    and is then known.

        [transports.alerts]
        plugin  = "kafka-consume"
        servers = "kafka.example.org:9092"
        topics  = ["alerts.voevent", "survey.*"]
        start   = "1 hour ago"
    """

    source: ClassVar[bool] = True

    servers: tuple[str, ...] = attrs.field(
        metadata={"one_or_many": True, "help": "HOST:PORT of one broker or more of the cluster"}
    )
    topics: tuple[str, ...] = attrs.field(
        metadata={
            "one_or_many": True,
            "help": 'topics by name or pattern: "a.b", "a.*", or a regular expression as "re:^a\\\\..*"',
        },
    )
    group: str = attrs.field(
        default="",
        metadata={
            "help": "the consumer group; if left out, one of this node's IVOID and this table's name, for "
            "this table alone"
        },
    )
    start: str = attrs.field(
        default="latest",
        metadata={
            "help": 'where to begin if the group is new: "latest", "earliest" or a time as "1 hour ago"'
        },
    )
    commit: Commit = attrs.field(
        default="stored",
        metadata={
            "help": "when an offset is committed: once the event is stored here, or delivered to every sink"
        },
    )
    look_back: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(0.0),
        validator=at_least(0),
        metadata={
            "help": "how far to read back in a partition that is taken over: what was dealt with by another"
            " node of the group is then known when it comes again; at most 20,000 messages of each"
        },
    )
    mapping: str = attrs.field(
        default="",
        metadata={
            "help": "the one mapping for notices; those that fit the topic if left out",
            "names": "mapping",
        },
    )
    validate: voeflow.Validation = attrs.field(
        default="schema",
        metadata={
            "help": "schema refuses what breaks its own version's grammar, wellformed takes and marks it"
        },
    )
    max_message: voeflow.Bytes = attrs.field(
        default=voeflow.Bytes(4 * 2**20),
        validator=at_least(1),
        metadata={"help": "the longest message that is taken; a longer one is kept with what is refused"},
    )
    settings: Mapping[str, Value] = attrs.field(
        factory=dict,
        repr=False,
        metadata={"help": "any settings of librdkafka, as security.protocol; text may be a secret's file"},
    )

    @servers.validator
    def _check_servers(self, _: Any, servers: tuple[str, ...]) -> None:
        check_servers(servers)

    @topics.validator
    def _check_topics(self, _: Any, topics: tuple[str, ...]) -> None:
        subscription(topics)

    @start.validator
    def _check_start(self, _: Any, start: str) -> None:
        read_start(start)

    @settings.validator
    def _check_settings(self, _: Any, settings: Mapping[str, Value]) -> None:
        check_settings(settings, CONSUMER_REFUSES)

    def __attrs_post_init__(self) -> None:
        """See that there is a client for Kafka.

        Raises:
            ValueError: there is none.
        """
        check_installed()

    async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[None]) -> None:
        """Consume until cancelled.

        Raises:
            StartError: there is neither a group nor an IVOID to name one after.
        """
        terms = Terms(
            servers=self.servers,
            config=consumer_config(self.servers, self.group or default_group(node), self.settings),
            topics=subscription(self.topics),
            start=read_start(self.start),
            understand=partial(understand, mapping=self.mapping),
            commit=self.commit,
            validate=self.validate,
            max_message=self.max_message,
            look_back=self.look_back,
        )
        await consume(node, terms, task_status=task_status)


def check_servers(servers: tuple[str, ...]) -> None:
    """See that each is HOST:PORT.

    Raises:
        ValueError: one is not, or there is none.
    """
    if not servers:
        raise ValueError("expected at least one broker, as kafka.example.org:9092")
    for server in servers:
        host, _, port = server.rpartition(":")
        if not host or "," in server or "/" in server or not port.isascii() or not port.isdigit():
            raise ValueError(f"expected HOST:PORT, as kafka.example.org:9092, got {server!r}")


def default_group(node: voeflow.Node) -> str:
    """Name the group of a table that names none: its own, on this node only.

    Raises:
        StartError: the node has no IVOID.
    """
    if not node.ivoid:
        raise voeflow.StartError(
            f"transports.{node.name}",
            "give it a `group`, or the pipeline an `ivoid`: it goes on after a restart by the group's name",
        )
    return _FOREIGN.sub(".", f"voeflow.{node.ivoid.removeprefix('ivo://')}.{node.name}")
