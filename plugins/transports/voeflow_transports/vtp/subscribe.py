"""`vtp-subscribe`: takes events from another broker (VTP 2.0, sections 4.2, 5 and 7.4)."""

from __future__ import annotations

import random

import attrs
import trio

import voeflow

from ._addresses import SUBSCRIBERS_PORT, Address, read_remote
from ._backoff import BackOff
from ._follow import Persistence, follow
from ._options import above_zero, at_least
from ._place import Place
from ._session import Manner
from ._tls import TLS_OPTION, ClientTLS, client_tls

#: The waits of a subscriber that tries again: each twice the last, give or take a quarter.
FACTOR, JITTER = 2.0, 0.25


def read_remotes(remote: tuple[str, ...]) -> tuple[Address, ...]:
    """Read the addresses of a `remote` option.

    Raises:
        ValueError: one is no address, or there is none.
    """
    if not remote:
        raise ValueError("expected at least one broker to subscribe to")
    return tuple(read_remote(each, SUBSCRIBERS_PORT) for each in remote)


@attrs.frozen
class VTPSubscribe:
    """Subscribe to another broker: Comet, another node, or any other that speaks VTP.

    Every event is acknowledged once it is on disk, also one that is no VOEvent or was seen before, since some
    brokers drop a subscriber that refuses one. Where the connection ends it is made again, after waits that
    grow up to `reconnect_max`, and a broker that is a node like this one then first sends what was missed.
    Several remotes are tried in turn; one at a time is subscribed to.

        [transports.upstream]
        plugin = "vtp-subscribe"
        remote = "broker.example.org:8099"
        xpath  = ['//Who[AuthorIVORN="ivo://obspm.gepi/svom"]']

    With `tls = true` the broker has to show a certificate for the remote's host name that an authority which
    this machine trusts has signed; `tls = { ca = "observatory.pem" }` trusts another instead. The files are
    read again for each connection.
    """

    remote: tuple[Address, ...] = attrs.field(
        converter=read_remotes,
        metadata={
            "one_or_many": True,
            "help": "the broker, HOST[:PORT], [IPv6][:PORT] or unix:/path; several are tried in turn",
        },
    )
    tls: bool | ClientTLS = attrs.field(default=False, metadata=TLS_OPTION)
    xpath: tuple[voeflow.XPath, ...] = attrs.field(
        default=(),
        metadata={
            "one_or_many": True,
            "help": "asked of the broker: it sends the events for which any of these holds",
        },
    )
    identity: str = attrs.field(
        default="", metadata={"help": "a URI that tells the broker who this is; the node's ivoid if left out"}
    )
    validate: voeflow.Validation = attrs.field(
        default="wellformed",
        metadata={
            "help": "schema refuses what breaks its own version's grammar, wellformed takes and marks it"
        },
    )
    nak: bool = attrs.field(
        default=False,
        metadata={"help": "answer what is refused with a nak; Comet ends the subscription on one"},
    )
    alive_patience: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(150.0),
        validator=above_zero,
        metadata={
            "help": "how long the broker may be silent before it is given up; it should speak every 90 s"
        },
    )
    connect_timeout: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(20.0),
        validator=above_zero,
        metadata={"help": "how long a connection may take to be made"},
    )
    reconnect_min: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(1.0),
        validator=above_zero,
        metadata={"help": "the first wait before the connection is made again; it doubles each time"},
    )
    reconnect_max: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(300.0),
        validator=above_zero,
        metadata={"help": "the longest wait before the connection is made again"},
    )
    proven_after: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(10.0),
        metadata={"help": "how long a connection has to last before the waits begin with the first again"},
    )
    max_in_hand: int = attrs.field(
        default=64,
        validator=at_least(1),
        metadata={"help": "how many events may be on their way to disk at once"},
    )

    resume: bool = attrs.field(
        default=True,
        metadata={"help": "ask the broker for what was missed; another node gives it, others pass over that"},
    )

    async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[object]) -> None:
        """Follow the broker until cancelled; a broker that is not there yet keeps no node from starting."""
        task_status.started()
        manner = Manner(
            identity=self.identity or node.ivoid,
            filters=tuple(each.expression for each in self.xpath),
            nak=self.nak,
            alive_patience=self.alive_patience,
            max_event=node.max_event,
            max_in_hand=self.max_in_hand,
        )

        async def submit(raw: bytes, peer: str) -> voeflow.Submission:
            return await node.submit(raw, validate=self.validate, peer=peer)

        async def recall(remote: str) -> Place:
            return await Place.recall(node, remote)

        await follow(
            node.name,
            self.remote,
            manner,
            Persistence(connect_timeout=self.connect_timeout, proven_after=self.proven_after),
            BackOff(self.reconnect_min, FACTOR, self.reconnect_max, JITTER, random.random),
            submit,
            recall if self.resume else None,
            heard=node.heard,
            tls=client_tls(self.tls),
        )
