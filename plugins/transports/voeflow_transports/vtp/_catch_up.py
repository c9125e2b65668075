"""How a subscriber is given what it missed, from the node's log, until it has what everybody has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog
import trio

import voeflow

from ._fanout import FanOut
from ._frames import frame
from ._options import utcnow
from ._resume import Resume, Stage
from ._subscription import Past, Subscription

log = structlog.get_logger()

#: How much earlier than the time that a subscriber names we begin, where its event is not known: its clock
#: may be wrong, and what it then gets twice it knows for duplicates. The difference of clocks that NTP keeps
#: is far below a second; this is for those without.
MARGIN = timedelta(minutes=5)

#: How many subscribers' pieces of the past may be read and judged at once. Each holds at most 64 events, and
#: 256 KiB or one event; so does each subscriber that has not taken its last piece.
_AT_ONCE = 4

#: How long a subscriber may take over one such piece, or owe receipts for what it missed, in seconds.
_PATIENCE = 120.0

#: How long a subscriber's answer to `authenticate` is waited for before it is given events, in seconds: what
#: a node on a busy machine takes, with some to spare, for one that answers later has events out of order.
#: Comet and other nodes answer at once; pygcn never does, and has its first event this much later at most.
_GREETING = 4.0

_FIRST, _LAST = (moment.replace(tzinfo=UTC) for moment in (datetime.min, datetime.max))


class CatchUp:
    """Gives subscribers what they missed.

    Nobody is kept waiting by it: pieces are read in turns, and what is new is handed on beside it.

    Attributes:
        node: the node, whose log holds the past.
        fan_out: hands on what is new.
        reach: how far back it may go, in seconds.
    """

    def __init__(self, node: voeflow.Node, fan_out: FanOut, reach: float) -> None:
        self.node = node
        self.fan_out = fan_out
        self.reach = reach
        self._begun = 0
        self._left_over = 0
        self._expires = 0.0
        self._turns = trio.CapacityLimiter(_AT_ONCE)

    async def look_back(self, patience: float) -> None:
        """Learn what was left over by the last end of the node; before anything is taken to be handed on.

        Args:
            patience: for how many seconds from now on it is given to whoever connects.

        Raises:
            StoreError: the node's log cannot be read.
        """
        self._begun = self.fan_out.position
        self._left_over = await self.node.position_at(_LAST) if patience else self._begun
        self._expires = trio.current_time() + patience

    def past(self) -> Past:
        """Give the past of a subscriber that connects now: what was left over, if there is any."""
        position = self.fan_out.position
        if self._left_over <= self._begun or trio.current_time() >= self._expires:
            return Past(position)
        return Past(self._begun, until=self._left_over, then=position)

    async def greet(self, subscription: Subscription, past: Past) -> None:
        """Begin to give events to a subscriber that has connected, and may want others first.

        Had it been given what is new before it asks to resume, it would have that twice and out of order.
        """
        with trio.move_on_after(_GREETING):
            await subscription.answered.wait()
        if not subscription.asked:
            await self.give(subscription, past)

    async def resume(self, subscription: Subscription, wish: Resume) -> None:
        """Give a subscriber all since the place that it names, and then what is new.

        It may ask while it is being given what was left over, which goes on when it begins with what is new.
        """
        try:
            stage, position = await self._find(wish)
        except voeflow.StoreError as error:
            self._cannot(subscription, error)
            return
        log.info("subscriber resumes", **self._about(subscription), begins=stage)
        self._tell(subscription, stage)
        past = subscription.past
        if stage != "now":
            await self.give(subscription, Past(position, max_event=wish.max_event, resumed=True))
        elif past is None:
            self._tell(subscription, "live")
        else:
            past.resumed = True
            if not past.begun:
                await self.give(subscription, past)

    async def give(self, subscription: Subscription, past: Past) -> None:
        """Give a subscriber a part of the past, and then what is new; what it was being given is left off."""
        subscription.past, past.begun = past, True
        while subscription.past is past and not subscription.machine.over:
            if past.position >= past.until:
                past.position = max(past.position, past.then)
                upto = self.fan_out.position
            else:
                upto = min(self.fan_out.position, past.until)
            if past.position >= upto:
                # Without an await since the fan-out's position was read: its next batch is for this one too.
                subscription.past = None
                if past.resumed:
                    self._tell(subscription, "live")
                if past.given:
                    log.info("subscriber has what it missed", **self._about(subscription), events=past.given)
                return
            if not await self._wait_for_room(subscription, 1):
                return
            async with self._turns:
                try:
                    history = await self.node.history(past.position, upto)
                    chosen = await self._choose(subscription, past, history.deliveries)
                except (voeflow.StoreError, OSError) as error:
                    self._cannot(subscription, error)
                    return
                position = history.position
                piece = [(frame(each.event.raw), each.event.ivorn) for each in chosen]
                # A parsed event is twenty times as large as its bytes, and thousands may wait for their turn
                # or for room: what they hold meanwhile is bytes, or nothing.
                del history, chosen
            if await self._hand(subscription, past, piece):
                past.position = position
            del piece

    async def _find(self, wish: Resume) -> tuple[Stage, int]:
        """Find where to begin: after the event that is named, or else at the time."""
        found = await self.node.find(wish.after) if wish.after is not None else None
        if found is None and wish.since is None:
            return ("time", await self._reached()) if wish.after is not None else ("now", 0)
        if found is not None:
            return "event", max(found, await self._reached())
        assert wish.since is not None
        since = min(wish.since, utcnow())
        moment = since - MARGIN if since - _FIRST > MARGIN else _FIRST
        return "time", max(await self.node.position_at(moment), await self._reached())

    async def _reached(self) -> int:
        """Give the position before which no subscriber is given anything."""
        return await self.node.position_at(utcnow() - timedelta(seconds=self.reach))

    async def _choose(
        self, subscription: Subscription, past: Past, deliveries: Sequence[voeflow.Delivery]
    ) -> list[voeflow.Delivery]:
        """Leave out what the subscriber's filters do not want, and what is too long for it."""
        fitting = []
        for delivery in deliveries:
            size = len(delivery.event.raw)
            if past.max_event is not None and size > past.max_event:
                about = {**self._about(subscription), "ivorn": voeflow.printable(delivery.event.ivorn)}
                log.warning("event left out: it is too long for this subscriber", **about, bytes=size)
            else:
                fitting.append(delivery)
        if not subscription.filters:
            await trio.lowlevel.checkpoint()
            return fitting
        return await self.fan_out.asking.choose(subscription, fitting)

    async def _hand(
        self, subscription: Subscription, past: Past, events: Sequence[tuple[bytes, str]]
    ) -> bool:
        """Hand frames with their IVORNs to a subscriber, as many at once as it may leave unanswered.

        Returns:
            False if it is no more.
        """
        most = subscription.machine.max_unacknowledged
        for first in range(0, len(events), most):
            piece = events[first : first + most]
            if not await self._wait_for_room(subscription, len(piece)) or subscription.past is not past:
                return False
            subscription.hand(b"".join(each for each, _ in piece), [ivorn for _, ivorn in piece])
            past.given += len(piece)
        return True

    async def _wait_for_room(self, subscription: Subscription, number: int) -> bool:
        with trio.move_on_after(_PATIENCE) as patience:
            await subscription.wait_for_room(number)
        if patience.cancelled_caught:
            subscription.drop(f"was too slow with what it missed: it took above {_PATIENCE:g} s over a piece")
        return not subscription.machine.over

    def _tell(self, subscription: Subscription, stage: Stage) -> None:
        subscription.machine.tell(stage)
        subscription.hand(subscription.machine.outbox())

    def _cannot(self, subscription: Subscription, error: Exception) -> None:
        log.error("a subscriber cannot be given what it missed", transport=self.node.name, reason=str(error))
        subscription.drop("cannot be given what it missed")

    def _about(self, subscription: Subscription) -> dict[str, str]:
        return {"transport": self.node.name, "peer": subscription.connection.peer}
