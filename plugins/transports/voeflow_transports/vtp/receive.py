"""`vtp-receive`: takes events from authors (VTP 2.0, sections 4.1 and 7.2)."""

from __future__ import annotations

from typing import ClassVar

import attrs
import trio

import voeflow

from ._addresses import AUTHORS_PORT, Address
from ._allow import check_open, read_allow
from ._authors import Authors, Manner
from ._crowd import Crowd
from ._listeners import open_listeners
from ._options import above_zero, at_least, read_listens
from ._partials import Partials
from ._serve import take


@attrs.frozen
class VTPReceive:
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
    """

    needs: ClassVar[tuple[str, ...]] = ("ivoid",)

    listen: tuple[Address, ...] = attrs.field(
        default=(str(AUTHORS_PORT),),
        converter=read_listens,
        metadata={
            "one_or_many": True,
            "help": "HOST:PORT, [IPv6]:PORT or unix:/path; a port alone is open to this machine only",
        },
    )
    allow: tuple[str, ...] = attrs.field(
        default=(),
        metadata={
            "one_or_many": True,
            "help": "the networks that may connect; this machine alone if left out",
        },
    )

    @allow.validator
    def _check_allow(self, _: attrs.Attribute[tuple[str, ...]], allow: tuple[str, ...]) -> None:
        check_open(self.listen, read_allow(allow))

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
    linger: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(1.0),
        metadata={
            "help": "how long the connection stays open after the last receipt, in case the author goes on"
        },
    )
    max_connections: int = attrs.field(
        default=1000,
        validator=at_least(1),
        metadata={"help": "how many authors may be connected; above it the address with the most gives way"},
    )
    max_in_hand: int = attrs.field(
        default=64,
        validator=at_least(1),
        metadata={"help": "how many events of one connection may be on their way to disk at once"},
    )

    max_partial: voeflow.Bytes = attrs.field(
        default=voeflow.Bytes(64 * 2**20),
        validator=at_least(1),
        metadata={
            "help": "how much unfinished events may take in memory; above it the address with the most "
            "loses a connection"
        },
    )

    async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[object]) -> None:
        """Take connections until cancelled.

        Raises:
            OSError: an address cannot be listened on.
        """
        listeners = await open_listeners(self.listen)
        crowd = Crowd(self.max_connections)
        manner = Manner(
            validate=self.validate,
            idle_timeout=self.idle_timeout,
            linger=self.linger,
            max_in_hand=self.max_in_hand,
        )
        partials = Partials(node.name, max(self.max_partial, node.max_event))
        authors = Authors(node, manner, crowd, partials)
        async with trio.open_nursery() as nursery:
            await nursery.start(authors.run)
            await take(
                node.name, listeners, read_allow(self.allow), crowd, authors.enter, task_status=task_status
            )
