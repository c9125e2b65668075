"""`forward`: sends events on to another broker, as an author does (VTP 2.0, sections 4.1 and 7.1)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar

import attrs
import structlog
import trio

import voeflow

from ._addresses import AUTHORS_PORT, Address, read_remote
from ._backoff import BackOff
from ._connection import reason_of
from ._options import above_zero
from ._secured import Secured
from ._submit import Outcome, UnreachableError, submit_all
from ._tls import TLS_OPTION, ClientTLS, client_tls

log = structlog.get_logger()

#: The waits before a broker that cannot be reached is tried again: each twice the last, give or take a
#: quarter.
_FIRST_WAIT, _FACTOR, _JITTER = 1.0, 2.0, 0.25

#: The waits before an event is sent again that a broker gave no receipt for: each twice the last, in seconds.
_FIRST_AGAIN, _LONGEST_AGAIN = 5.0, 300.0

#: What a nak says where a broker held an event against the schema of another version; the second is Comet's.
_OF_A_SCHEMA = ("schema", "validation root")


def read_broker(remote: str) -> Address:
    """Read the `remote` option.

    Raises:
        ValueError: it is no address.
    """
    return read_remote(remote, AUTHORS_PORT)


@attrs.frozen
class Forward:
    """Send events on to another broker, as their author would: to the port where it takes authors' events.

    For a broker that does not subscribe to this one: it may be behind a firewall, or be Comet or a public one
    that collects events of many. The bytes are those received. An event is delivered when the broker has
    acknowledged it, or says that it has it already. One that it refuses (a nak) is refused for good: a dead
    letter at once, with the broker's reason. While the broker cannot be reached events wait in the store, in
    their order, however long. One to which it gives no receipt is tried again, after waits that grow to 5
    minutes, for `give_up_after`; the others go on meanwhile. Events that wait go over one connection.

    What comes back from there is known here for a duplicate, so two brokers that send to one another send
    each event once. To send a broker what did not come from it, name the other `sources`.

        [transports.onward]
        plugin  = "forward"
        remote  = "broker.example.org:8098"
        sources = ["authors"]
        when    = "not test"
    """

    sink: ClassVar[bool] = True

    remote: Address = attrs.field(
        converter=read_broker,
        metadata={"help": "the broker, HOST[:PORT], [IPv6][:PORT] or unix:/path; port 8098 if left out"},
    )
    tls: bool | ClientTLS = attrs.field(default=False, metadata=TLS_OPTION)
    timeout: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(30.0),
        validator=above_zero,
        metadata={"help": "how long it may take over a connection, and over each receipt"},
    )
    reconnect_max: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(60.0),
        validator=above_zero,
        metadata={"help": "the longest wait before a broker is tried again that cannot be reached"},
    )
    give_up_after: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(86400.0),
        validator=above_zero,
        metadata={"help": "how long an event is sent again that the broker gives no receipt for"},
    )

    async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[object]) -> None:
        """Send until cancelled; a broker that is not there yet keeps no node from starting."""
        task_status.started()
        back_off = BackOff(_FIRST_WAIT, _FACTOR, self.reconnect_max, _JITTER, random.random)
        sender = _Sender(self, node.name, back_off)
        while True:
            await sender.send(await node.take())


@attrs.define
class _Unanswered:
    """An event that the broker gives no receipt for.

    Attributes:
        since: when it was sent for the first time, in seconds of the event loop's clock.
        wait: how long to wait before it is sent again, in seconds.
    """

    since: float
    wait: float = _FIRST_AGAIN


@attrs.define(eq=False)
class _Sender:
    """Sends what a sink takes, batch by batch."""

    options: Forward
    name: str
    back_off: BackOff
    _unanswered: dict[str, _Unanswered] = attrs.field(factory=dict, init=False)
    _away: bool = attrs.field(default=False, init=False)

    async def send(self, deliveries: Sequence[voeflow.Delivery]) -> None:
        """Send some events, in order; wait for the broker as long as it cannot be reached."""
        left = list(deliveries)

        def tell(_: int, outcome: Outcome) -> None:
            self._settle(left.pop(0), outcome)
            self._answered(outcome)

        while left:
            batch = tuple(left)

            async def load(number: int, batch: tuple[voeflow.Delivery, ...] = batch) -> bytes:
                await trio.lowlevel.checkpoint()
                return batch[number].event.raw

            try:
                secured = await self._secured()
                await submit_all(self.options.remote, len(batch), load, self.options.timeout, tell, secured)
            except UnreachableError as error:
                wait = self.back_off.wait()
                log.warning(
                    "events wait for a broker that cannot be reached",
                    transport=self.name,
                    remote=str(self.options.remote),
                    reason=str(error),
                    again_in=voeflow.show_seconds(wait),
                )
                self._away = True
                await trio.sleep(wait)

    async def _secured(self) -> Secured | None:
        """Read the files that TLS needs; they may have been renewed."""
        tls = client_tls(self.options.tls)
        if tls is None:
            return None
        try:
            return await trio.to_thread.run_sync(tls.towards, self.options.remote.name)
        except OSError as error:
            raise UnreachableError(f"no TLS with it: {reason_of(error)}") from error

    def _answered(self, outcome: Outcome) -> None:
        if outcome.kind == "unanswered":
            return
        self.back_off.reset()
        if self._away:
            self._away = False
            log.info("the broker takes events again", transport=self.name, remote=str(self.options.remote))

    def _settle(self, delivery: voeflow.Delivery, outcome: Outcome) -> None:
        if outcome.kind == "unanswered":
            self._put_off(delivery, outcome)
            return
        self._unanswered.pop(delivery.id, None)
        if outcome.kind == "accepted":
            delivery.done()
        else:
            delivery.give_up(f"{self.options.remote} refused it: {_reason(delivery.event, outcome)}")

    def _put_off(self, delivery: voeflow.Delivery, outcome: Outcome) -> None:
        """Have an event that was given no receipt sent again: a temporary failure (VTP 2.0, section 7.1)."""
        now = trio.current_time()
        known = self._unanswered.setdefault(delivery.id, _Unanswered(now))
        reason = f"{self.options.remote} {outcome.note}"
        if outcome.closed:
            size = len(delivery.event.raw)
            reason += f": is this address allowed there, and is the packet ({size} bytes) below its limit?"
        if now - known.since >= self.options.give_up_after:
            del self._unanswered[delivery.id]
            delivery.give_up(f"{reason} (tried for {voeflow.show_seconds(now - known.since)})")
            return
        log.warning(
            "no receipt",
            transport=self.name,
            ivorn=delivery.event.ivorn,
            reason=reason,
            again_in=voeflow.show_seconds(known.wait),
        )
        wait, known.wait = known.wait, min(known.wait * 2, _LONGEST_AGAIN)
        delivery.later(wait, reason)


def _reason(event: voeflow.Event, outcome: Outcome) -> str:
    note = voeflow.printable(outcome.note, 500)
    if event.version not in ("", "2.0") and any(each in note.lower() for each in _OF_A_SCHEMA):
        note += f" (it is VOEvent {event.version}, and the broker may take 2.0 only)"
    return note
