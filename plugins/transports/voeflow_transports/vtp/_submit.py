"""Submitting events to a broker, as an author (VTP 2.0, sections 4.1 and 7.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

import attrs
import trio

import voeflow

from ._addresses import Address
from ._author import Author
from ._connection import Connection, connect, reason_of
from ._machine import Receipt, Unreadable
from ._options import utcnow
from ._secured import Secured

#: How many events may be without a receipt on one connection. A broker that takes one at a time never sees a
#: second before it has closed the connection, which tells us.
WINDOW = 32

#: What a receipt may weigh, in bytes; a broker has no more to say.
_MAX_RECEIPT = 2**20

#: What Comet says in a nak to an event that it has, where VTP 2.0 asks for an ack (section 6.3).
_KNOWN = "previously seen"

#: What the broker did that ended the connection before a receipt.
_CLOSED = "closed the connection without a receipt"


class UnreachableError(Exception):
    """A broker that cannot be reached: why."""


@attrs.frozen
class Outcome:
    """What became of an event that was submitted.

    Attributes:
        kind: `accepted`; `refused`, for good; or `unanswered`: a temporary failure, after which the event may
            be sent again (VTP 2.0, section 7.1).
        note: why, or empty.
        closed: whether the broker ended the connection instead of answering. Brokers do so, without a word,
            to whom they do not admit and on a packet that is too long for them.
    """

    kind: Literal["accepted", "refused", "unanswered"]
    note: str = ""
    closed: bool = False


async def submit_all(
    address: Address,
    count: int,
    load: Callable[[int], Awaitable[bytes]],
    timeout: float,
    told: Callable[[int, Outcome], None],
    secured: Secured | None = None,
) -> None:
    """Submit events in order, over one connection if the broker allows it, and else over one for each.

    Whether it does shows only when it closes a connection with events under way. These are then sent again;
    one that the broker has taken already is a duplicate to it.

    Args:
        address: the broker.
        count: how many events there are.
        load: gives the packet of each, by its number from 0.
        timeout: how many seconds the broker has to take a connection, and for each receipt.
        told: is called with the number and the outcome of each event, once and in order.
        secured: how TLS is spoken with it, or None.

    Raises:
        UnreachableError: the broker cannot be reached; what was not told by then was not taken.
    """
    answered, window = 0, WINDOW

    def tell(outcome: Outcome) -> None:
        nonlocal answered
        number, answered = answered, answered + 1
        told(number, outcome)

    while answered < count:
        first = answered
        last = count if window > 1 else first + 1
        machine = Author(clock=utcnow, limit=_MAX_RECEIPT, timeout=timeout)
        connection = await _reach(address, timeout, secured)
        try:
            await _converse(connection, machine, load, range(first, last), window, tell)
        finally:
            connection.close()
        if answered == first:  # not one receipt, though it had the connection to itself
            fault = machine.fault or _CLOSED
            tell(Outcome("unanswered", fault, fault.startswith(_CLOSED)))
        elif answered < last:
            window = 1


async def _reach(address: Address, timeout: float, secured: Secured | None) -> Connection:
    try:
        with trio.fail_after(timeout):
            return await connect(address.host, address.port, address.path, secured)
    except trio.TooSlowError:
        raise UnreachableError(f"it did not answer in {voeflow.show_seconds(timeout)}") from None
    except OSError as error:
        raise UnreachableError(reason_of(error)) from error


async def _converse(
    connection: Connection,
    machine: Author,
    load: Callable[[int], Awaitable[bytes]],
    numbers: range,
    window: int,
    tell: Callable[[Outcome], None],
) -> None:
    """Send events on one connection and tell their outcomes in order, until all have one or it ends."""
    sent = numbers.start
    while (sent < numbers.stop or machine.unanswered) and not machine.over:
        # The first receipt is waited for: by then most brokers that take one event at a time have closed.
        most = window if sent - machine.unanswered > numbers.start else 1
        while sent < numbers.stop and machine.unanswered < most:
            machine.send(await load(sent), trio.current_time())
            sent += 1
        data = None
        try:
            connection.send_nowait(machine.outbox())
            with trio.move_on_at(machine.deadline):
                await connection.flush()
                data = await connection.receive()
        except (OSError, trio.ClosedResourceError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            machine.end(f"{_CLOSED} ({why})")
            return
        if data is None:
            machine.tick(trio.current_time())
            continue
        for found in machine.receive(data, trio.current_time()):
            if isinstance(found, Receipt | Unreadable):
                tell(_outcome(found))


def _outcome(found: Receipt | Unreadable) -> Outcome:
    if isinstance(found, Unreadable):
        return Outcome("unanswered", f"answered what cannot be read: {found.reason}")
    if found.accepted:
        return Outcome("accepted")
    if _KNOWN in found.reason.lower():
        return Outcome("accepted", "the broker has seen it before")
    return Outcome("refused", found.reason or "no reason given")
