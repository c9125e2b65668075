"""What a node writes to its store beside the events: what sinks have done, and what may go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import structlog
import trio

from voeflow import _wall
from voeflow._answers import Filters
from voeflow._errors import StoreError
from voeflow._sink import Sink
from voeflow._store import Store, Waiting

log = structlog.get_logger()

#: How often progress is written, in seconds: what a `kill -9` within it forgets is delivered again.
SAVE_INTERVAL = 0.2

#: How often the store is searched for what is to be handed over again, in seconds; as long as there is some,
#: each time that progress is written.
REPLAY_INTERVAL = 1.0

#: How often the store is searched for what has outlived its retention, in seconds.
PRUNE_INTERVAL = 60.0

#: How many events go in one step of pruning, and the pause between steps, in seconds, in which intake has
#: the store to itself.
PRUNE_STEP, PRUNE_PAUSE = 200, 0.05

#: The least time between two complaints, in seconds.
COMPLAINT_INTERVAL = 60.0


async def save_progress(store: Store, sinks: Sequence[Sink], filters: Filters) -> bool:
    """Write what `sinks` have done since the last time, and why filters said so; False if that failed."""
    progress = [(sink, done) for sink in sinks if (done := sink.progress()) is not None]
    reasons = filters.reasons()
    if not progress and not reasons:
        return True
    try:
        await trio.to_thread.run_sync(store.save_progress, [done for _, done in progress], reasons)
    except (StoreError, trio.Cancelled) as error:
        # A cancellation comes before the thread has begun, never between: nothing was written.
        for sink, done in progress:
            sink.restore(done)
        if isinstance(error, trio.Cancelled):
            raise
        log.debug("progress could not be written", reason=str(error))
        return False
    return True


class Replays:
    """What somebody asked to be handed over again: looked for now and then, and passed to the sinks.

    Args:
        store: where it was asked for.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._next_look = 0.0
        self._served: frozenset[str] = frozenset()  # the sinks for which there was some at the last look

    async def take_up(self, sinks: Sequence[Sink]) -> None:
        """Look, unless a look a moment ago found nothing.

        To be called once progress is written: what was taken up before would else be taken up again.
        """
        if trio.current_time() < self._next_look:
            return
        wishes = [sink.wish() for sink in sinks if sink.room]
        try:
            found = await trio.to_thread.run_sync(self._look, wishes)
        except StoreError as error:
            log.debug("the store cannot be read for what is asked for", reason=str(error))
            found = {}
        for sink in sinks:
            if rows := found.get(sink.name):
                sink.take_up(rows)
                if sink.name not in self._served:
                    log.info("handing events over again, as asked", sink=sink.name)
        full = {sink.name for sink in sinks} - {name for name, _, _ in wishes}
        self._served = frozenset(found) | (self._served & full)
        self._next_look = trio.current_time() + (0.0 if self._served else REPLAY_INTERVAL)

    def _look(self, wishes: Sequence[tuple[str, int, int]]) -> dict[str, list[Waiting]]:
        if not self._store.anything_asked():
            return {}
        found = {wish[0]: self._store.asked(*wish) for wish in wishes}
        return {name: rows for name, rows in found.items() if rows}


async def save_often(save: Callable[[], Awaitable[bool]], interval: float | None = None) -> None:
    """Keep the store's record of what sinks have done no older than an interval, until cancelled.

    Args:
        save: writes it, and says whether that went well.
        interval: in seconds; `SAVE_INTERVAL` if None.
    """
    complained = -COMPLAINT_INTERVAL
    while True:
        await trio.sleep(SAVE_INTERVAL if interval is None else interval)
        if not await save() and trio.current_time() - complained >= COMPLAINT_INTERVAL:
            complained = trio.current_time()
            log.error("the store cannot write what was delivered: after a crash it would be delivered again")


async def prune(store: Store, retention: Callable[[], float]) -> None:
    """Let go, in small steps, of what is older than `retention()` seconds and owed to no sink."""
    while True:
        pruned = 0
        try:
            pruned = await trio.to_thread.run_sync(store.prune, _wall.now() - retention(), PRUNE_STEP)
        except StoreError as error:
            log.warning("the store cannot be pruned", reason=str(error))
        await trio.sleep(PRUNE_PAUSE if pruned else PRUNE_INTERVAL)
