"""`vtp-broadcast`: sends events to subscribers (VTP 2.0, sections 4.2, 5 and 7.3)."""

from __future__ import annotations

from typing import ClassVar

import attrs
import structlog
import trio

import voeflow

from ._addresses import SUBSCRIBERS_PORT, Address
from ._broadcaster import Broadcaster
from ._catch_up import CatchUp
from ._connection import Connection
from ._crowd import network_of
from ._door import TOLD_EVERY
from ._fanout import FanOut
from ._filtering import Filtering
from ._machine import FiltersBrought, Found, Receipt, ResumeAsked, Unreadable
from ._options import above_zero, at_least, read_listens, utcnow
from ._partials import Partials
from ._poller import Poller
from ._port import LISTEN, MOST, Port, listen_first
from ._pulse import Pulse
from ._serve import serve
from ._sparingly import Sparingly
from ._subscription import Subscription

log = structlog.get_logger()

#: The longest time without traffic that VTP 2.0 allows a broker, in seconds (section 5).
LONGEST_SILENCE = 90.0

#: What the unfinished frames of all subscribers may take in memory, in bytes. Theirs are short.
_MOST_PARTIAL = 16 * 2**20

#: How many subscribers at one address are told within `TOLD_EVERY` to have come or gone; the rest is counted.
_LINES = 20

#: How long all subscribers together are given at the end to take what waits for them, in seconds: what was
#: handed to one counts as delivered.
_FAREWELL = 2.0

#: What a subscriber may send in one frame besides its filters, in bytes.
_MESSAGE_SIZE = 2**16


def _check_interval(_: object, __: attrs.Attribute[voeflow.Seconds], value: float) -> None:
    if not 0 < value <= LONGEST_SILENCE:
        raise ValueError(
            f"expected above 0 s and at most {LONGEST_SILENCE:g} s, which is the longest silence that "
            f"VTP 2.0 allows a broker, got {voeflow.show_seconds(value)}"
        )


@attrs.frozen(field_transformer=listen_first)
class VTPBroadcast(Port):
    """Send events to whoever subscribes: Comet, pygcn, `voeflow listen`, or another node.

    Every subscriber gets the bytes that were received. One that brings XPath filters, as Comet's `--filter`
    does, gets the events for which any of them holds. Nobody waits for a slow subscriber: one that takes too
    little, answers nothing or falls silent is dropped, and told in the log; it may come back.

        [transports.public]
        plugin = "vtp-broadcast"
        listen = "0.0.0.0:8099"
        allow  = ["0.0.0.0/0", "::/0"]          # everybody
        when   = "not test"

    With `tls = { certificate, key, client_ca }` TLS is spoken here, and `allow` may name certificates.
    """

    sink: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("ivoid",)

    listen: tuple[Address, ...] = attrs.field(
        default=(str(SUBSCRIBERS_PORT),), converter=read_listens, metadata=LISTEN
    )
    max_connections: int = attrs.field(default=5000, validator=at_least(1), metadata=MOST)
    alive_interval: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(60.0),
        validator=_check_interval,
        metadata={"help": "how often each subscriber is sent an iamalive; at most 90 s"},
    )
    alive_patience: int = attrs.field(
        default=2,
        validator=at_least(1),
        metadata={
            "help": "how many iamalive in a row a subscriber may leave without a word before it is dropped"
        },
    )
    test_interval: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(3600.0),
        metadata={"help": 'how often every subscriber is sent a test event; "0" for never'},
    )
    max_unsent: voeflow.Bytes = attrs.field(
        default=voeflow.Bytes(4 * 2**20),
        validator=at_least(1),
        metadata={"help": "how much may wait for a subscriber that takes too little, before it is dropped"},
    )
    max_unacknowledged: int = attrs.field(
        default=10_000,
        validator=at_least(1),
        metadata={"help": "how many events in a row a subscriber may leave unanswered before it is dropped"},
    )
    max_filters: int = attrs.field(
        default=16,
        validator=at_least(0),
        metadata={"help": "how many XPath filters a subscriber may bring; what is above it is left out"},
    )
    max_filter_length: int = attrs.field(
        default=2000,
        validator=at_least(1),
        metadata={"help": "how many characters one filter may have; a longer one is left out"},
    )
    max_filter_time: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(1.0),
        validator=above_zero,
        metadata={
            "help": "how much processor time one filter may take for a batch of events before it is barred, "
            "and how much the filters of one address may, beyond what is usual, in an hour"
        },
    )

    resume: bool = attrs.field(
        default=True,
        metadata={"help": "send a subscriber that asks for it, as another node does, what it missed"},
    )
    resume_reach: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(30 * 86400.0),
        validator=above_zero,
        metadata={"help": "how far back that may go; it never goes further than the node's retention"},
    )
    catch_up: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(120.0),
        metadata={
            "help": "how long after a start every subscriber is sent what was not sent at the end before; "
            '"0" for never'
        },
    )

    async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[object]) -> None:
        """Serve subscribers until cancelled.

        Raises:
            OSError: an address cannot be listened on.
            StoreError: the node's log cannot be read.
        """
        filtering = Filtering(self.max_filters, self.max_filter_length)
        fan_out = FanOut(node, filtering, self.max_filter_time)
        catch_up = CatchUp(node, fan_out, self.resume_reach)
        await catch_up.look_back(self.catch_up)
        poller, pulse = Poller(), Pulse(self.alive_interval)
        partials = Partials(node.name, _MOST_PARTIAL)
        told = Sparingly(TOLD_EVERY, most=_LINES)
        async with trio.open_nursery() as nursery:

            async def attend(connection: Connection) -> None:
                machine = self._machine(node)
                subscription = Subscription(connection, machine, self.max_unsent, poller, partials)
                _tell(told, "subscriber connected", node, connection)
                try:
                    await self._attend(subscription, fan_out, catch_up, pulse, nursery)
                finally:
                    partials.note(connection, 0)
                what = "subscriber dropped" if machine.fault else "subscriber left"
                _tell(told, what, node, connection, machine.fault)

            listeners = await nursery.start(serve, node.name, self, poller, attend)
            nursery.start_soon(poller.run)
            nursery.start_soon(pulse.run)
            nursery.start_soon(fan_out.run)
            if self.test_interval:
                nursery.start_soon(fan_out.send_test_events, self.test_interval)
            task_status.started(listeners)

    def _machine(self, node: voeflow.Node) -> Broadcaster:
        return Broadcaster(
            clock=utcnow,
            limit=_MESSAGE_SIZE + 4 * self.max_filters * self.max_filter_length,
            ivoid=node.ivoid,
            opened=trio.current_time(),
            alive_interval=self.alive_interval,
            alive_patience=self.alive_patience,
            max_unacknowledged=self.max_unacknowledged,
        )

    async def _attend(
        self,
        subscription: Subscription,
        fan_out: FanOut,
        catch_up: CatchUp,
        pulse: Pulse,
        nursery: trio.Nursery,
    ) -> None:
        fan_out.subscriptions[subscription] = None
        try:
            subscription.open()
            pulse.add(subscription)
            subscription.past = past = catch_up.past()
            nursery.start_soon(catch_up.greet if self.resume else catch_up.give, subscription, past)
            while everything := await subscription.see():
                for found in everything:
                    if isinstance(found, ResumeAsked):
                        if self.resume and not subscription.asked:
                            subscription.asked = True
                            nursery.start_soon(catch_up.resume, subscription, found.resume)
                    else:
                        await _see(found, subscription, fan_out)
                subscription.go_on()
        except trio.Cancelled:
            await subscription.say_farewell(_FAREWELL)
            raise
        finally:
            del fan_out.subscriptions[subscription]
            pulse.remove(subscription)
            subscription.connection.close()


async def _see(found: Found, subscription: Subscription, fan_out: FanOut) -> None:
    about = {"transport": fan_out.node.name, "peer": subscription.connection.peer}
    match found:
        case FiltersBrought(expressions):
            if expressions or subscription.filters:
                await fan_out.asking.set_filters(subscription, expressions)
        case Receipt(accepted=False):
            log.info(
                "event refused by a subscriber",
                **about,
                ivorn=voeflow.printable(found.origin or ""),
                reason=voeflow.printable(found.reason or "none given"),
            )
        case Unreadable():
            log.debug("unreadable message", **about, reason=voeflow.printable(found.reason))


def _tell(told: Sparingly, what: str, node: voeflow.Node, connection: Connection, fault: str = "") -> None:
    more = told.due(f"{what} {network_of(connection.host)}", trio.current_time())
    if more is None:
        return
    about: dict[str, object] = {"transport": node.name, "peer": connection.peer}
    if connection.certificate is not None:
        about["certificate"] = str(connection.certificate)
    if more:
        about["unsaid"] = more
    if fault:
        log.warning(what, **about, reason=fault)
    else:
        log.info(what, **about)
