"""`vtp-receive`: takes events from authors (VTP 2.0, sections 4.1 and 7.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import attrs
import structlog
import trio

import voeflow

from ._addresses import AUTHORS_PORT, Address
from ._allow import check_open, read_allow
from ._connection import Connection
from ._crowd import network_of
from ._machine import Packet
from ._options import above_zero, at_least, read_listens, utcnow
from ._partials import Partials
from ._receiver import Receiver
from ._serve import TOLD_EVERY, serve
from ._sparingly import Sparingly

log = structlog.get_logger()

_Answer = voeflow.Submission | voeflow.StoreError

#: How many authors at one address are told within `TOLD_EVERY` to have been cut off; the rest is counted.
_CUT_OFF_LINES = 20

#: How long a closing connection waits for the author to close too, in seconds.
_FAREWELL = 1.0


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
        told = Sparingly(TOLD_EVERY)
        cut_off = Sparingly(TOLD_EVERY, most=_CUT_OFF_LINES)

        partials = Partials(node.name, max(self.max_partial, node.max_event))

        async def attend(connection: Connection) -> None:
            node.heard(connection.peer)
            try:
                await self._attend(connection, node, told, cut_off, partials)
            finally:
                partials.note(connection, 0)

        await serve(
            node.name,
            self.listen,
            read_allow(self.allow),
            self.max_connections,
            attend,
            task_status=task_status,
        )

    async def _attend(
        self,
        connection: Connection,
        node: voeflow.Node,
        told: Sparingly,
        cut_off: Sparingly,
        partials: Partials,
    ) -> None:
        machine = Receiver(
            clock=utcnow,
            limit=node.max_event,
            ivoid=node.ivoid,
            opened=trio.current_time(),
            idle_timeout=self.idle_timeout,
            linger=self.linger,
        )
        ended = False  # whether the author has ended its stream
        while not machine.over:
            data = None
            with trio.move_on_at(machine.deadline):
                data = await connection.receive()
            if data is None:
                machine.tick(trio.current_time())
                continue
            ended = not data
            found = machine.receive(data, trio.current_time())
            partials.note(connection, machine.held)
            packets = [each.raw for each in found if isinstance(each, Packet)]
            for first in range(0, len(packets), self.max_in_hand):
                some = packets[first : first + self.max_in_hand]
                if not _answer(machine, await self._submit(some, node, connection.peer), node, told):
                    break
                await self._send(machine, connection)
                if connection.unsent:
                    break
            await self._send(machine, connection)
        if (
            machine.fault
            and (more := cut_off.due(network_of(connection.host), trio.current_time())) is not None
        ):
            log.warning(
                "author cut off",
                transport=node.name,
                peer=connection.peer,
                reason=machine.fault,
                unsaid=more,
            )
        if not ended:
            await connection.finish(_FAREWELL)

    async def _send(self, machine: Receiver, connection: Connection) -> None:
        """Send what is owed; nothing more is done for an author that does not read its receipts."""
        connection.send_nowait(machine.outbox())
        if connection.unsent:
            with trio.move_on_after(self.idle_timeout):
                await connection.flush()
            if connection.unsent:
                machine.end("does not read its receipts")

    async def _submit(self, packets: Sequence[bytes], node: voeflow.Node, peer: str) -> list[_Answer]:
        """Submit packets, all at once, so that one commit can serve them; give the answers in their order."""
        answers: list[_Answer | None] = [None] * len(packets)

        async def submit(place: int, begun: trio.Event) -> None:
            begun.set()
            try:
                answers[place] = await node.submit(packets[place], validate=self.validate, peer=peer)
            except voeflow.StoreError as error:
                answers[place] = error

        if len(packets) == 1:
            await submit(0, trio.Event())
        else:
            async with trio.open_nursery() as nursery:
                for place in range(len(packets)):
                    begun = trio.Event()
                    nursery.start_soon(submit, place, begun)
                    await begun.wait()  # tasks run in no order, and events are to be stored in theirs
        return [answer for answer in answers if answer is not None]


def _answer(machine: Receiver, answers: Sequence[_Answer], node: voeflow.Node, told: Sparingly) -> bool:
    """Answer packets in order, until one that the store did not take: then all is over (section 7.1)."""
    now = trio.current_time()
    for answer in answers:
        if isinstance(answer, voeflow.StoreError):
            if (more := told.due("store", now)) is not None:
                log.error("authors get no receipts", transport=node.name, reason=str(answer), unsaid=more)
            machine.end()
            return False
        if answer.outcome == "refused" or answer.ivorn is None:
            machine.reject(answer.ivorn, answer.reason, now)
        else:
            machine.accept(answer.ivorn, now)
    return True
