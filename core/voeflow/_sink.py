"""One sink: what is next for it, new or once more, and whether its filters want it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import attrs
import structlog
import trio

from voeflow import _wall
from voeflow._answers import Envelope, Filters
from voeflow._errors import FilterError, StoreError
from voeflow._feed import READ_AGAIN, Feed, reread_all
from voeflow._ledger import Ledger
from voeflow._node_api import Delivery, Ending, settle_nothing
from voeflow._observers import Observers
from voeflow._outcomes import Outcomes
from voeflow._policy import Policy
from voeflow._store import Store
from voeflow._store_records import Progress, SinkState, Waiting

log = structlog.get_logger()

#: How many deliveries that failed or were asked for again are read from the store at once: some may have sky
#: maps beside them.
READ_AGAIN_AT_ONCE = 32


class Sink:
    """A sink's place in the log, and its next deliveries.

    Args:
        name: the name of its table.
        policy: what it wants.
        state: where it stands, from the store.
        latest: the position of the newest event in the store.
        store: to read on from.
        filters: to judge with.
        observers: the plugins that watch.

    Attributes:
        policy: as given; it may change while the sink is at work.
    """

    def __init__(
        self,
        name: str,
        policy: Policy,
        state: SinkState,
        latest: int,
        *,
        store: Store,
        filters: Filters,
        observers: Observers,
    ) -> None:
        self.name = name
        self.policy = policy
        self._ledger = Ledger.resume(name, state)
        self._feed = Feed(name, state.cursor, latest, store)
        self._outcomes = Outcomes(name, self._ledger, self._feed, observers)
        self._store = store
        self._filters = filters
        self._generation = 0
        self._draining = False
        self._unanswered: dict[int, int] = {}  # how often filters gave no answer, by position
        self._taking = trio.Lock()

    def offer(self, envelopes: Sequence[Envelope]) -> None:
        """Offer new events, in the order of the log. Never waits, never fails."""
        self._feed.offer(envelopes)

    @property
    def position(self) -> int:
        """The position of the last event that was taken from the log, wanted or not."""
        return self._ledger.taken

    @property
    def settled_up_to(self) -> int:
        """The position up to which every event is done with here: delivered, not wanted, or given up."""
        return self._ledger.settled_up_to

    @property
    def waiting(self) -> int:
        """How many deliveries wait to be tried again."""
        return self._ledger.waiting_count

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do now; what waits to be tried again, until it is, does not count."""
        return self._outcomes.idle

    async def wait_idle(self) -> None:
        """Wait until there is nothing to do now."""
        await self._outcomes.wait_idle()

    @property
    def room(self) -> int:
        """How many deliveries that were asked for again can be taken up."""
        return 0 if self._draining else self._ledger.room_again

    def wish(self) -> tuple[str, int, int]:
        """Give what `Store.asked` is to be asked for this sink.

        What is under way stays asked for: more is read by that, so that it is never all that is seen.
        """
        return self.name, self._ledger.cursor, self.room + self._ledger.open_count

    def take_up(self, rows: Iterable[Waiting]) -> None:
        """Take up what `wish` has brought, as far as there is room."""
        for row in rows:
            if self.room:
                self._ledger.take_up(row)
        self._feed.changed.unpark_all()

    def drain(self) -> None:
        """Begin nothing again that was asked for; it waits for the next start."""
        self._draining = True

    def progress(self) -> Progress | None:
        """Give what is to be written to the store since the last call, or None."""
        had_room = self._ledger.has_room
        progress = self._ledger.progress()
        if not had_room:
            self._feed.changed.unpark_all()
        return progress

    def restore(self, progress: Progress) -> None:
        """Take back what `progress` gave: it could not be written."""
        self._ledger.restore(progress)

    def rewind(self) -> None:
        """Hand over again all that is open: who had it is gone and will never settle it."""
        self._generation += 1
        self._ledger.rewind()
        self._feed.rewind(self._ledger.taken)
        self._outcomes.rest()

    async def take(self, limit: int) -> Sequence[Delivery]:
        """Wait for up to `limit` deliveries that the sink wants, oldest first, and open them."""
        while True:
            try:
                self._taking.acquire_nowait()  # which takes no turn of the event loop
            except trio.WouldBlock:
                await self._taking.acquire()
            try:
                pulled = await self._pull(limit)
                in_order = self._filters.in_order(self.policy.when)
                wanted = await self._judge_all(pulled, one_by_one=True) if in_order else []
            finally:
                self._taking.release()
            if not in_order:
                one_by_one = len(pulled) == 1 or self._filters.all_inline(self.policy.when)
                wanted = await self._judge_all(pulled, one_by_one=one_by_one)
            if deliveries := [delivery for delivery in wanted if delivery is not None]:
                return deliveries

    async def _pull(self, limit: int) -> list[tuple[Envelope, Waiting | None]]:
        """Wait for what is due again, or what is next in the log, or else what was asked for again."""
        yielded = False  # whoever takes in a loop lets others have their turn, if not by waiting
        while True:
            due = self._outcomes.next_due()
            if due is not None and due <= (now := _wall.now()):
                if failed := await self._reread(partial(self._ledger.take_due, now), limit):
                    return failed
                due = self._ledger.next_due
            if self._ledger.has_room:
                if self._feed.has_next:
                    if yielded:
                        return self._next(limit)
                    await trio.lowlevel.checkpoint()
                    yielded = True
                    continue
                if self._feed.behind:
                    await self._feed.read_on()
                    self._outcomes.rest()  # if all that lay between has left the store
                    yielded = True
                    continue
                if not self._draining and (again := await self._reread(self._ledger.take_again, limit)):
                    return again
            if due is None:
                await self._feed.changed.park()
            else:
                with trio.move_on_after(max(0.0, due - _wall.now())):
                    await self._feed.changed.park()
            yielded = True

    def _next(self, limit: int) -> list[tuple[Envelope, Waiting | None]]:
        """Take what is next in the log and in memory."""
        taken: list[tuple[Envelope, Waiting | None]] = [
            (envelope, None)
            for envelope in self._feed.pop(limit)
            if self._ledger.take(envelope.seq, envelope.event.size)
        ]
        if not taken:
            self._outcomes.rest()  # if all of it was done with before
        return taken

    async def _reread(
        self, take: Callable[[], Waiting | None], limit: int
    ) -> list[tuple[Envelope, Waiting | None]]:
        """Read the events of waiting deliveries, as many as `take` gives and `limit` allows."""
        rows: dict[int, Waiting] = {}
        while len(rows) < min(limit, READ_AGAIN_AT_ONCE) and (row := take()) is not None:
            rows[row.seq] = row
        if not rows:
            return []
        try:
            envelopes = await trio.to_thread.run_sync(self._read, list(rows))
        except StoreError as error:
            log.error("the store cannot be read", sink=self.name, reason=str(error))
            self._outcomes.put_back(rows.values(), due=_wall.now() + READ_AGAIN)
            return []
        except trio.Cancelled:
            self._outcomes.put_back(rows.values(), due=0.0)
            raise
        for gone in rows.keys() - {envelope.seq for envelope in envelopes}:
            # It has left the store, its retention over, or cannot be parsed any more.
            self._outcomes.settle(gone)
        return [(envelope, rows[envelope.seq]) for envelope in envelopes]

    def _read(self, seqs: Sequence[int]) -> list[Envelope]:
        return reread_all(self._store.get(seqs), self.name)

    async def _judge_all(
        self, pulled: Sequence[tuple[Envelope, Waiting | None]], *, one_by_one: bool
    ) -> list[Delivery | None]:
        wanted: list[Delivery | None] = [None] * len(pulled)
        try:
            if one_by_one:
                for index, (envelope, row) in enumerate(pulled):
                    wanted[index] = await self._judge(envelope, row)
            else:
                async with trio.open_nursery() as nursery:
                    for index, (envelope, row) in enumerate(pulled):
                        nursery.start_soon(self._judge_into, wanted, index, envelope, row)
        except BaseException:  # from the nursery, a cancellation may come in a group
            # Whoever waited for these was cancelled: the next who takes shall have them at once.
            self._outcomes.put_back([row or Waiting(envelope.seq) for envelope, row in pulled], due=0.0)
            raise
        return wanted

    async def _judge_into(
        self, wanted: list[Delivery | None], index: int, envelope: Envelope, row: Waiting | None
    ) -> None:
        wanted[index] = await self._judge(envelope, row)

    async def _judge(self, envelope: Envelope, row: Waiting | None) -> Delivery | None:
        """Give the delivery that is to be made of an event, or None if the sink does not want it (now)."""
        generation = self._generation
        # What was tried before was wanted then; what somebody asked for again is wanted.
        if row is None or (not row.attempts and row.replayed is None):
            try:
                wanted = await self.wants(envelope)
            except FilterError as error:
                self._unanswerable(envelope, row or Waiting(envelope.seq), error)
                return None
            if generation != self._generation:
                return None
            self._unanswered.pop(envelope.seq, None)
            if not wanted:
                self._outcomes.settle(envelope.seq)
                return None

        def settle(delivery: Delivery, ending: Ending) -> None:
            if generation == self._generation:
                self._outcomes.ended(envelope, row, ending, self.policy)

        return self.delivery_of(envelope, 1 if row is None else row.attempts + 1, settle)

    def delivery_of(
        self,
        envelope: Envelope,
        attempt: int = 1,
        settle: Callable[[Delivery, Ending], None] = settle_nothing,
    ) -> Delivery:
        """Make a delivery of an event, one that settles nothing unless it is told how."""
        event = envelope.event
        return Delivery(
            event, f"{event.digest[:16].hex()}.{self.name}", attempt, settle, position=envelope.seq
        )

    async def wants(self, envelope: Envelope) -> bool:
        """Ask whether an event is for this sink, by its `sources` and its `when`.

        Raises:
            FilterError: a filter gave no answer.
        """
        sources = self.policy.sources
        if sources is not None and envelope.event.source not in sources:
            return False
        return await self._filters.hold(self.policy.when, envelope)

    def _unanswerable(self, envelope: Envelope, row: Waiting, error: FilterError) -> None:
        tries = self._unanswered[envelope.seq] = self._unanswered.get(envelope.seq, 0) + 1
        if self._outcomes.failed(envelope, attrs.evolve(row, reason=str(error)), tries, self.policy):
            del self._unanswered[envelope.seq]
