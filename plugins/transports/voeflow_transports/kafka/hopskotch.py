"""`hopskotch`: SCiMMA's Hopskotch, over its Kafka."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import attrs
import trio

import voeflow
from voeflow_transports.vtp._options import at_least

from ._client import CONSUMER_REFUSES, Value, check_installed, check_settings, consumer_config
from ._engine import Commit, Terms
from ._group import own_group
from ._heartbeat import consume_with_heartbeat
from ._hop_credentials import WHERE, Credential, find_credential
from ._hop_envelope import HEARTBEAT, Tests, understand
from ._login import credential_of
from ._start import read_start
from ._telling import Remedies
from ._topics import subscription
from ._trust import trust
from .consume import check_servers

#: Hopskotch's brokers.
SERVERS = ("kafka.scimma.org:9092",)

#: Enough for librdkafka to see whether other settings are right; nobody logs in with it.
ANYBODY = {
    "security.protocol": "SASL_SSL",
    "sasl.mechanisms": "SCRAM-SHA-512",
    "sasl.username": "anybody",
    "sasl.password": "anything",
}


@attrs.frozen
class Hopskotch:
    """Take alerts from SCiMMA's Hopskotch: VOEvents, and notices that are JSON.

    Messages are read as hop-client writes them, of any age: VOEvents that an old one had made JSON of are
    packets again. What is marked as a test (hop-client's `_test`) is dropped, unless `tests` is `"keep"`:
    then a packet so marked, or the event made of a notice, has to be of the role test, or it is refused.

    Hopskotch wants a user and password: get one at https://my.hop.scimma.org. What is left out here is taken
    from HOP_USERNAME and HOP_PASSWORD in the environment, or from where `hop auth` keeps it.

        [transports.hopskotch]
        plugin = "hopskotch"
        topics = ["gcn.circular", "tns"]
    """

    source: ClassVar[bool] = True

    topics: tuple[str, ...] = attrs.field(
        metadata={
            "one_or_many": True,
            "help": 'topics by name or pattern: "a.b", "a.*", or a regular expression as "re:^a\\\\..*"',
        },
    )
    username: str = attrs.field(default="", metadata={"help": "the name of the credential, as jdoe-1a2b3c4d"})
    password: voeflow.Secret | None = attrs.field(
        default=None, metadata={"help": "the password that belongs to the name"}
    )
    auth_file: Path | None = attrs.field(
        default=None, metadata={"help": "a file of `hop auth`; if left out, where hop-client keeps it"}
    )
    tests: Tests = attrs.field(
        default="drop", metadata={"help": "drop passes over what is marked as a test, keep takes it"}
    )
    group: str = attrs.field(
        default="",
        metadata={
            "help": "the consumer group, for nodes that share the work; it has to begin with the username; "
            "if left out, one of this table's own"
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
    mapping: str = attrs.field(
        default="",
        metadata={
            "help": "the one mapping for notices; those that fit the topic if left out",
            "names": "mapping",
        },
    )
    validate: voeflow.Validation = attrs.field(
        default="wellformed",
        metadata={
            "help": "schema refuses what breaks its own version's grammar, wellformed takes and marks it"
        },
    )
    max_message: voeflow.Bytes = attrs.field(
        default=voeflow.Bytes(4 * 2**20),
        validator=at_least(1),
        metadata={"help": "the longest message that is taken; a longer one is kept with what is refused"},
    )
    servers: tuple[str, ...] = attrs.field(
        default=SERVERS, metadata={"one_or_many": True, "help": "HOST:PORT of the brokers"}
    )
    settings: dict[str, Value] = attrs.field(
        factory=dict,
        repr=False,
        metadata={"help": "any settings of librdkafka beside those that voeflow makes"},
    )

    @topics.validator
    def _check_topics(self, _: Any, topics: tuple[str, ...]) -> None:
        subscription(topics)

    @servers.validator
    def _check_servers(self, _: Any, servers: tuple[str, ...]) -> None:
        check_servers(servers)

    @start.validator
    def _check_start(self, _: Any, start: str) -> None:
        read_start(start)

    @settings.validator
    def _check_settings(self, _: Any, settings: dict[str, Value]) -> None:
        check_settings({**ANYBODY, **settings}, CONSUMER_REFUSES)

    def __attrs_post_init__(self) -> None:
        """See that there is a client for Kafka.

        Raises:
            ValueError: there is none.
        """
        check_installed()

    async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[None]) -> None:
        """Consume until cancelled; without a credential, look for one until there is one.

        Raises:
            StoreError: the name of the group cannot be read from the store.
        """
        task_status.started()
        credential = await login(node, self.servers, self.username, self.password, self.auth_file)
        # The broker lets a user into groups that begin with its name only.
        own = await own_group(node, f"{credential.username}-voeflow-")
        terms = Terms(
            servers=self.servers,
            config=consumer_config(
                self.servers, self.group or own, {**login_settings(credential), **self.settings}
            ),
            topics=subscription(self.topics),
            heartbeat=HEARTBEAT,
            start=read_start(self.start),
            understand=partial(understand, tests=self.tests, mapping=self.mapping),
            commit=self.commit,
            validate=self.validate,
            max_message=self.max_message,
            remedies=remedies(credential),
        )
        await consume_with_heartbeat(node, terms, own)


async def login(
    node: voeflow.Node,
    servers: tuple[str, ...],
    username: str,
    password: voeflow.Secret | None,
    auth_file: Path | None,
) -> Credential:
    """Wait for the credential to use with a broker; see `find_credential`."""
    find = partial(find_credential, servers[0], username, password, auth_file, os.environ)
    return await credential_of(find, node.name)


def login_settings(credential: Credential) -> dict[str, Any]:
    """Give librdkafka's settings to log in with a credential."""
    return {**trust(os.environ), **credential.settings()}


def about_topic(name: str) -> str:
    """Say what to do about a topic that Hopskotch does not have."""
    if name == HEARTBEAT:
        return "without it events alone are signs of life, for `silent_after`"
    return "see https://my.hop.scimma.org for the topics that there are"


def remedies(credential: Credential) -> Remedies:
    """Say what to do about what can go wrong at Hopskotch."""
    return Remedies(
        credentials=f"see that the password of {credential.username} from {credential.source} is right, or"
        f" {WHERE}",
        topic=about_topic,
        permission=f"let the topic's owner permit it to {credential.username} at https://my.hop.scimma.org;"
        " a consumer group has to begin with the username and a hyphen",
    )
