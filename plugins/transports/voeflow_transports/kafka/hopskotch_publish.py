"""`hopskotch-publish`: events from the node into a topic of SCiMMA's Hopskotch."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import attrs
import trio

import voeflow

from ._client import PRODUCER_REFUSES, Value, check_installed, check_settings, producer_config
from ._delivering import Delivering
from ._hop_envelope import headers_for
from ._telling import Telling
from .consume import check_servers
from .hopskotch import ANYBODY, SERVERS, login, login_settings, remedies
from .produce import check_topic, produce


@attrs.frozen
class HopskotchPublish:
    """Write events into a topic of SCiMMA's Hopskotch, so that hop-client reads them as VOEvents.

    A message has the event's bytes as they came, its IVORN as key, and hop-client's headers: `_format`, `_id`
    (always the same for the same packet), `_sender`, and `_test` for events of the role test, which others
    then pass over unless they ask for tests. An event is delivered when Hopskotch has acknowledged it.

    The user and password are found as for `hopskotch`, and need the permission to write to the topic.

        [transports.to_hopskotch]
        plugin = "hopskotch-publish"
        topic  = "my-observatory.alerts"
        when   = "ours and not tests"
    """

    sink: ClassVar[bool] = True

    topic: str = attrs.field(metadata={"help": "the topic that the events are written to"})
    username: str = attrs.field(default="", metadata={"help": "the name of the credential, as jdoe-1a2b3c4d"})
    password: voeflow.Secret | None = attrs.field(
        default=None, metadata={"help": "the password that belongs to the name"}
    )
    auth_file: Path | None = attrs.field(
        default=None, metadata={"help": "a file of `hop auth`; if left out, where hop-client keeps it"}
    )
    servers: tuple[str, ...] = attrs.field(
        default=SERVERS, metadata={"one_or_many": True, "help": "HOST:PORT of the brokers"}
    )
    settings: dict[str, Value] = attrs.field(
        factory=dict,
        repr=False,
        metadata={"help": "any settings of librdkafka beside those that voeflow makes"},
    )

    @topic.validator
    def _check_topic(self, _: Any, topic: str) -> None:
        check_topic(topic)

    @servers.validator
    def _check_servers(self, _: Any, servers: tuple[str, ...]) -> None:
        check_servers(servers)

    @settings.validator
    def _check_settings(self, _: Any, settings: dict[str, Value]) -> None:
        check_settings({**ANYBODY, **settings}, PRODUCER_REFUSES, producer=True)

    def __attrs_post_init__(self) -> None:
        """See that there is a client for Kafka.

        Raises:
            ValueError: there is none.
        """
        check_installed()

    async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[None]) -> None:
        """Produce until cancelled; without a credential, look for one until there is one."""
        task_status.started()
        credential = await login(node, self.servers, self.username, self.password, self.auth_file)
        delivering = Delivering(
            self.topic,
            producer_config(self.servers, {**login_settings(credential), **self.settings}),
            Telling(node.name, ", ".join(self.servers), remedies(credential)),
            headers_of=partial(headers_for, sender=credential.username),
        )
        await produce(node, delivering, task_status=trio.TASK_STATUS_IGNORED)
