"""`gcn`: NASA's General Coordinates Network, over its Kafka."""

from __future__ import annotations

import os
import re
from functools import partial
from typing import Any, ClassVar, Literal

import attrs
import trio

import voeflow
from voeflow_transports.vtp._options import at_least

from . import _message
from ._client import CONSUMER_REFUSES, Value, check_installed, check_settings, consumer_config
from ._engine import Commit, Terms
from ._gcn_credentials import WHERE, ClientCredential, find_client
from ._gcn_topics import HEARTBEAT, remedy, topics_of
from ._group import own_group
from ._heartbeat import consume_with_heartbeat
from ._login import credential_of
from ._message import Message, Refused, SignOfLife, Understood
from ._start import read_start
from ._telling import Remedies
from ._topics import subscription
from ._trust import trust
from .consume import check_servers

#: The longest message that GCN's brokers take.
_MAX_MESSAGE = 4 * 2**20

#: What librdkafka says of a topic that is not there. It comes as the content of a message that is none, and
#: programs that do not look for errors have sent it on as one.
_NO_TOPIC = re.compile(rb"Subscribed topic not available: ([A-Za-z0-9._-]{1,249}): ")

_REFUSES = {
    **CONSUMER_REFUSES,
    "sasl.oauthbearer.client.id": "write it as the option `client_id`",
    "sasl.oauthbearer.client.secret": "write it as the option `client_secret`",
}


@attrs.frozen
class Gcn:
    """Take alerts from NASA's General Coordinates Network (GCN): VOEvents, and notices that are JSON.

    `notices` names them by the type of GCN Classic (`SWIFT_BAT_GRB_POS_ACK`, `FERMI_GBM_*`) or by mission
    (`svom.*`, `einstein_probe.wxt.alert`); gravitational waves are `igwn.gwalert`. A message that is XML is
    taken as an event; any other as a notice, of which a mapping makes an event.

    GCN wants a client id and secret: get one at https://gcn.nasa.gov/quickstart. What is left out here is
    taken from the environment: GCN_KAFKA_CLIENT_ID and GCN_KAFKA_CLIENT_SECRET, or what gcn-kafka reads.

        [transports.gcn]
        plugin        = "gcn"
        client_id     = "${GCN_KAFKA_CLIENT_ID}"
        client_secret = { file = "gcn-secret" }
        notices       = ["SWIFT_BAT_GRB_POS_ACK", "FERMI_GBM_*", "svom.*", "igwn.gwalert"]
    """

    source: ClassVar[bool] = True

    notices: tuple[str, ...] = attrs.field(
        default=(),
        metadata={
            "one_or_many": True,
            "help": 'types of notices as "SWIFT_BAT_GRB_POS_ACK", or missions as "svom.*"; "*" is all',
        },
    )
    topics: tuple[str, ...] = attrs.field(
        default=(),
        metadata={"one_or_many": True, "help": "topics by their full name or a pattern, beside the notices"},
    )
    client_id: str = attrs.field(
        default="", metadata={"help": "the id from https://gcn.nasa.gov/quickstart; see above"}
    )
    client_secret: voeflow.Secret | None = attrs.field(
        default=None, metadata={"help": "the secret that belongs to the id"}
    )
    domain: Literal["gcn.nasa.gov", "test.gcn.nasa.gov", "dev.gcn.nasa.gov"] = attrs.field(
        default="gcn.nasa.gov", metadata={"help": "which of GCN's networks; each has credentials of its own"}
    )
    group: str = attrs.field(
        default="",
        metadata={
            "help": "the consumer group, for nodes that share the work; if left out, one of this table's own"
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
        default=voeflow.Bytes(_MAX_MESSAGE),
        validator=at_least(1),
        metadata={"help": "the longest message that is taken; a longer one is kept with what is refused"},
    )
    servers: tuple[str, ...] = attrs.field(
        default=(),
        metadata={
            "one_or_many": True,
            "help": "HOST:PORT of other brokers than the domain's own, for trials",
        },
    )
    settings: dict[str, Value] = attrs.field(
        factory=dict,
        repr=False,
        metadata={"help": "any settings of librdkafka beside those that voeflow makes"},
    )

    @notices.validator
    def _check_notices(self, _: Any, notices: tuple[str, ...]) -> None:
        topics_of(notices)

    @topics.validator
    def _check_topics(self, _: Any, topics: tuple[str, ...]) -> None:
        if topics or not self.notices:
            subscription(topics)

    @servers.validator
    def _check_servers(self, _: Any, servers: tuple[str, ...]) -> None:
        if servers:
            check_servers(servers)

    @start.validator
    def _check_start(self, _: Any, start: str) -> None:
        read_start(start)

    @settings.validator
    def _check_settings(self, _: Any, settings: dict[str, Value]) -> None:
        # What is about logging in is not tried: librdkafka would ask for a token at once.
        check_settings({n: v for n, v in settings.items() if n in _REFUSES or not _about_login(n)}, _REFUSES)

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
        own = await own_group(node, "voeflow-")
        find = partial(find_client, self.client_id, self.client_secret, os.environ)
        task_status.started()
        credential = await credential_of(find, node.name)
        servers = self.servers or (f"kafka.{self.domain}:9092",)
        terms = Terms(
            servers=servers,
            config=consumer_config(servers, self.group or own, {**self._login(credential), **self.settings}),
            topics=self._wanted(),
            heartbeat=HEARTBEAT,
            start=read_start(self.start),
            understand=partial(understand, mapping=self.mapping),
            commit=self.commit,
            validate=self.validate,
            max_message=self.max_message,
            remedies=Remedies(
                credentials=f"see that the client id and secret from {credential.source} are for"
                f" {self.domain} and still good, or {WHERE}",
                certificate="set ssl.ca.location and https.ca.location in `settings` to the file of"
                " certificates that this machine trusts",
                topic=about_topic,
                permission="the credential needs the scope gcn.nasa.gov/kafka-public-consumer: " + WHERE,
                reach=f"see that a firewall lets connections through to {', '.join(servers)}",
                tokens=f"see that a firewall lets connections through to https://auth.{self.domain}",
            ),
        )
        await consume_with_heartbeat(node, terms, own)

    def _wanted(self) -> tuple[str, ...]:
        return subscription((*topics_of(self.notices), *self.topics))

    def _login(self, credential: ClientCredential) -> dict[str, Any]:
        """Give the settings to log in: librdkafka asks for tokens itself, and anew before one expires."""
        return {
            **trust(os.environ),
            "security.protocol": "SASL_SSL",
            "sasl.mechanisms": "OAUTHBEARER",
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.client.id": credential.client_id,
            "sasl.oauthbearer.client.secret": credential.client_secret.reveal(),
            "sasl.oauthbearer.token.endpoint.url": f"https://auth.{self.domain}/oauth2/token",
        }


def about_topic(name: str) -> str:
    """Say what to do about one of the topics that GCN does not have."""
    if name == HEARTBEAT:
        return "without it events alone are signs of life, for `silent_after`"
    return remedy([name])


def understand(message: Message, *, mapping: str = "") -> Understood:
    """Say what a message of GCN is.

    Args:
        message: the message.
        mapping: the one mapping that notices are for; empty for those whose topics fit.
    """
    if message.topic == HEARTBEAT:
        return SignOfLife()
    if found := _NO_TOPIC.match(message.value or b""):
        topic = found[1].decode()
        return Refused(f"no notice, but word that GCN has no topic {topic}: {remedy([topic])}")
    return _message.understand(message, mapping=mapping)


def _about_login(name: str) -> bool:
    return name == "security.protocol" or name.startswith("sasl.")
