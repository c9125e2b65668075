"""`vtp-receive`: takes events from authors (VTP 2.0, sections 4.1 and 7.2)."""

from __future__ import annotations

from typing import ClassVar

import attrs
import trio

import voeflow

from ._allow import read_allow
from ._authors import Authors, Manner
from ._binding import Binding, Grant, are_ivoids, read_grants
from ._crowd import Crowd
from ._options import above_zero, at_least, some_time
from ._partials import Partials
from ._port import NO_CLIENT_CA, Port
from ._rates import Rates
from ._serve import open_port, take


@attrs.frozen
class VTPReceive(Port):
    """Take events from authors, who use `voeflow send` or comet-sendvo, and answer each when it is on disk.

    An event is acknowledged when it is safe, or was seen before; it is refused, with the reason, when it is
    no VOEvent or, unless `validate` says otherwise, breaks the grammar of its own version. When the store
    cannot write, the connection closes without an answer, which tells the author to try again.

    An author may send many events on one connection and need not wait for one receipt before it sends the
    next; receipts come in the order of the events. The connection closes `linger` after the last receipt.

        [transports.authors]
        plugin = "vtp-receive"
        listen = "0.0.0.0:8098"
        allow  = ["127.0.0.0/8", "::1", "145.238.0.0/16"]
        [[transports.authors.bind]]
        peers   = ["145.238.0.0/16"]
        authors = ["ivo://obspm.gepi/*"]

    `authors` and `bind` say who may speak for whom: without either, everybody for everybody. With
    `tls = { certificate, key, client_ca }` TLS is spoken, and peers can be known by their certificates.
    """

    needs: ClassVar[tuple[str, ...]] = ("ivoid",)

    authors: tuple[str, ...] = attrs.field(
        default=(),
        validator=are_ivoids,
        metadata={
            "one_or_many": True,
            "help": "the AuthorIVORNs that everybody here may use, each in full or the beginning of one and"
            " a *; all, if there is no `bind` either",
        },
    )
    bind: tuple[Binding, ...] = attrs.field(
        default=(),
        metadata={
            "help": "tables that say which authors some peers may use besides: networks or certificates as in"
            " `allow`, and AuthorIVORNs"
        },
    )

    @bind.validator
    def _check_bind(self, _: attrs.Attribute[tuple[Binding, ...]], bind: tuple[Binding, ...]) -> None:
        named = any(read_allow(each.peers).wants_certificates for each in bind)
        if named and (self.tls is None or self.tls.client_ca is None):
            raise ValueError(NO_CLIENT_CA)

    validate: voeflow.Validation = attrs.field(
        default="schema",
        metadata={
            "help": "schema refuses what breaks its own version's grammar, wellformed takes and marks it"
        },
    )
    idle_timeout: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(20.0),
        validator=above_zero,
        metadata={
            "help": "how long an author may be silent, and how long one frame may take, before it is cut off"
        },
    )
    first_byte_timeout: voeflow.Seconds | None = attrs.field(
        default=None,
        validator=some_time,
        metadata={"help": "how long it may be silent at first; `idle_timeout` if left out"},
    )
    frame_timeout: voeflow.Seconds | None = attrs.field(
        default=None,
        validator=some_time,
        metadata={"help": "how long one frame may take, from its first byte; `idle_timeout` if left out"},
    )
    linger: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(1.0),
        metadata={
            "help": "how long the connection stays open after the last receipt, in case the author goes on"
        },
    )
    max_in_hand: int = attrs.field(
        default=64,
        validator=at_least(1),
        metadata={"help": "how many events of one connection may be on their way to disk at once"},
    )

    event_rate: float = attrs.field(
        default=200.0,
        validator=at_least(0),
        metadata={
            "help": "how many events a second one address may send in the long run; more have to wait; 0 for"
            " no limit; this machine is not counted"
        },
    )
    event_burst: int = attrs.field(
        default=2000,
        validator=at_least(1),
        metadata={"help": "how many events it may send at once before that"},
    )
    max_partial: voeflow.Bytes = attrs.field(
        default=voeflow.Bytes(64 * 2**20),
        validator=at_least(1),
        metadata={
            "help": "how much unfinished events may take in memory; above it the address with the most "
            "loses a connection"
        },
    )

    @property
    def grants(self) -> tuple[Grant, ...]:
        """What is granted to whom; nothing lets everybody say everything."""
        return read_grants(self.authors, self.bind)

    @property
    def wants_certificates(self) -> bool:
        """Whether anything hangs on a client's certificate."""
        bound = any(each.peers is not None and each.peers.wants_certificates for each in self.grants)
        return bound or self.admitted.wants_certificates

    async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[object]) -> None:
        """Take connections until cancelled.

        Raises:
            OSError: an address cannot be listened on.
        """
        manner = Manner(
            validate=self.validate,
            idle_timeout=self.idle_timeout,
            first_byte_timeout=self.first_byte_timeout,
            frame_timeout=self.frame_timeout,
            linger=self.linger,
            max_in_hand=self.max_in_hand,
            grants=self.grants,
        )
        rates = Rates(self.event_rate, self.event_burst)
        partials = Partials(node.name, max(self.max_partial, node.max_event))
        authors = Authors(node, manner, Crowd(self.max_connections), partials, rates)
        door, listeners = await open_port(node.name, self, authors.crowd)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(authors.run)
            # At once, as it closes the listeners in the end: where this waited, it could be cancelled.
            await take(door, listeners, authors.poller, authors.enter, task_status=task_status)
