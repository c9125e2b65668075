"""The threads of intake: they read packets and store them, in the order in which these came.

There are two, for as long as a node runs: waking one takes less than starting one, and there is no more to
gain from a third, since Python itself runs in one at a time. The second is woken where there is more than one
packet to see to. Both read, a few packets each; whoever has read the oldest that are not stored yet stores
them, with whatever has been read besides, in one commit. So a packet that comes alone goes straight through,
and what comes while the disk is being waited for is read meanwhile, and shares the next commit.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue

import trio

from voeflow._batch import Batch
from voeflow._entry import Entry
from voeflow._errors import StoreError
from voeflow._grammar import prepare
from voeflow._store import Store

#: How many packets share one commit at most. Beyond this the share of the fsync is small against the parsing,
#: and the first of the batch would wait for the last.
MAX_BATCH = 128

#: How many packets one thread reads before it looks whether there is something to store: some milliseconds'
#: worth, so that the other has work, too.
_AT_ONCE = 32

_THREADS = 2


class IntakeThreads:
    """Reads and stores packets, in threads of its own.

    Attributes:
        store: where events are kept.
        read: adds packets that it reads to a batch; in a thread.
        hand_on: is called on the event loop with what has been stored, in order.
        unfinished: how many packets were put and not handed on.
        bytes_waiting: how many bytes these hold.
    """

    def __init__(
        self, store: Store, read: Callable[[Batch, Sequence[Entry]], None], hand_on: Callable[[Batch], None]
    ) -> None:
        self.store = store
        self.read = read
        self.hand_on = hand_on
        self.unfinished = 0
        self.bytes_waiting = 0
        self._waiting: SimpleQueue[Entry | Batch | None] = SimpleQueue()
        self._calls: SimpleQueue[None] = SimpleQueue()  # the second thread
        self._resting = False  # whether that waits for a call
        self._taking = threading.Lock()
        self._taken: deque[Batch] = deque()  # in order, and not stored yet
        self._turn = threading.Lock()  # to store
        self._stored: deque[Batch] = deque()  # in order, and not handed on yet
        self._ended = False
        self._tripped = trio.Event()
        self._fault: Exception | None = None

    def put(self, entry: Entry) -> None:
        """Have a packet read and stored, whatever waits already."""
        self.unfinished += 1
        self.bytes_waiting += entry.size
        self._waiting.put(entry)
        if self.unfinished > 1 and self._resting:
            self._resting = False
            self._calls.put(None)

    def put_read(self, batch: Batch) -> None:
        """Have stored what has been read already; only while nothing is unfinished, so that order is kept."""
        self.unfinished += len(batch.entries)
        self.bytes_waiting += batch.size
        batch.ready = True
        self._waiting.put(batch)

    async def run(self) -> None:
        """Work until cancelled; then what has been read is stored and handed on, and what waits is let go.

        Raises:
            Exception: whatever `hand_on` raised.
        """
        token = trio.lowlevel.current_trio_token()
        limiter = trio.CapacityLimiter(_THREADS)
        _running.set(_running.get(frozenset()) | {self})
        try:
            async with trio.open_nursery() as nursery:
                for work in (self._work, self._help):
                    nursery.start_soon(
                        partial(trio.to_thread.run_sync, work, token, limiter=limiter), name="intake"
                    )
                try:
                    await self._tripped.wait()
                finally:
                    self._ended = True
                    self._waiting.put(None)
                    self._calls.put(None)
        finally:
            _running.set(_running.get() - {self})
        if self._fault is not None:
            raise self._fault

    def _work(self, token: trio.lowlevel.TrioToken) -> None:
        """Read and store until all is over; the first thread."""
        prepare()
        while self._read_some(token, wait=True):
            pass

    def _help(self, token: trio.lowlevel.TrioToken) -> None:
        """Read and store when called; the second thread."""
        while not self._ended:
            self._resting = True
            if self._waiting.empty():  # else something came before that could be seen
                self._calls.get()
            while self._read_some(token, wait=False):
                pass

    def _read_some(self, token: trio.lowlevel.TrioToken, *, wait: bool) -> bool:
        """Read some packets, and store what can be.

        Returns:
            Whether there were any; where that is waited for, there are none when all is over.
        """
        with self._taking:
            taken = self._take(wait=wait)
            if taken is None:
                return False
            batch, entries = taken
            self._taken.append(batch)
        if entries:
            self.read(batch, entries)
            batch.ready = True
        # Who has the turn looks again once it has let it go: so nobody needs to wait for it here.
        while self._is_ready() and self._turn.acquire(blocking=False):
            try:
                self._keep()
            finally:
                self._turn.release()
            token.run_sync_soon(self._hand_on, idempotent=True)
        return True

    def _take(self, *, wait: bool) -> tuple[Batch, list[Entry]] | None:
        """Take what is next: a batch, and what is to be read for it; None if there is nothing."""
        if not wait and self._waiting.empty():
            return None
        first = self._waiting.get()
        if self._ended:
            self._waiting.put(None)  # for the first thread, if it was the second that took it
            return None
        if isinstance(first, Batch):
            return first, []
        more = [self._waiting.get() for _ in range(min(_AT_ONCE - 1, self._waiting.qsize()))]
        if None in more:  # all is over since that was asked
            self._waiting.put(None)
        return Batch(), [entry for entry in (first, *more) if isinstance(entry, Entry)]

    def _is_ready(self) -> bool:
        """Whether the oldest that has been taken can be stored."""
        try:
            return self._taken[0].ready
        except IndexError:  # there is none, or none any more
            return False

    def _keep(self) -> None:
        """Store what can be, in one commit; by whose turn it is."""
        whole = Batch()
        while self._is_ready() and len(whole.entries) + len(self._taken[0].entries) <= MAX_BATCH:
            whole.add(self._taken.popleft())
        if not whole.entries:  # the other was faster
            return
        try:
            whole.places = self.store.append(whole.events, whole.refusals)
        except StoreError as error:
            whole.failure = error
        self._stored.append(whole)

    def _hand_on(self) -> None:
        """Hand on what has been stored; on the event loop."""
        try:
            while self._stored:
                batch = self._stored.popleft()
                self.unfinished -= len(batch.entries)
                self.bytes_waiting -= batch.size
                self.hand_on(batch)
        except Exception as error:  # noqa: BLE001 - `run` raises it: raised here, it would abort all of trio
            self._fault = error
            self._tripped.set()


#: Those that run in an event loop.
_running: trio.lowlevel.RunVar[frozenset[IntakeThreads]] = trio.lowlevel.RunVar("running intakes")


def idle_threads() -> int:
    """Give how many threads of this event loop's intakes wait for something to do."""
    return sum(_THREADS for each in _running.get(frozenset()) if not each.unfinished)
