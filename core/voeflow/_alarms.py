"""A node that hears nothing says so: alarms over the silence of its sources, raised and cleared.

An alarm is a line in the log and an event of the node's own, which goes to its sinks as any event does. What
is to be told is in the store before it is told, so that it is told once whatever happens in between: an event
that is submitted again after a crash has the same bytes, and is a duplicate.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import attrs
import structlog
import trio

from voeflow import _wall
from voeflow._bookmarks import Bookmarks
from voeflow._errors import StoreError
from voeflow._hearing import BOOKMARKS, Alarm, Ear, Heard, load_all
from voeflow._node_api import Submission
from voeflow._quantities import show_seconds
from voeflow._silence import Silence, show_moment, tell_heard, tell_silent, tell_unwatched
from voeflow._tables import Pipeline

log = structlog.get_logger()

#: How often what was heard is noted for the store, where something was, in seconds.
NOTE_INTERVAL = 2.0

#: How often a silence that goes on is noted, in seconds: what a `kill -9` takes of it, an alarm is late.
SILENCE_INTERVAL = 10.0


class Alarms:
    """The ears of a node's transports, and the alarms over those that hear nothing.

    Args:
        bookmarks: where what was heard is kept.
        submit: takes an event of the node's own.
    """

    def __init__(self, bookmarks: Bookmarks, submit: Callable[[bytes], Awaitable[Submission]]) -> None:
        self._bookmarks = bookmarks
        self._submit = submit
        self._ivoid = ""
        self._ears: dict[str, Ear] = {}
        self._noted: dict[str, tuple[Heard, float]] = {}  # with its `silent` as zero, and when
        self._woken = trio.Event()
        self._scope = trio.CancelScope()

    async def recall(self) -> None:
        """Go on from what the store has of every source that there ever was.

        Raises:
            StoreError: it cannot be read.
        """
        for source, heard in load_all(await self._bookmarks.of(BOOKMARKS)).items():
            self.ear(source).recall(heard)

    def ear(self, transport: str) -> Ear:
        """Give the ear of a transport, the same one whenever it is started."""
        return self._ears.setdefault(transport, Ear(transport, self._wake))

    def watch(self, pipeline: Pipeline) -> None:
        """Watch the sources of a pipeline from now on, and no others."""
        self._ivoid = pipeline.node.ivoid
        for name, ear in self._ears.items():
            table = pipeline.transports.get(name)
            if table is not None and table.plugin.is_source:
                ear.watch(table.plugin.name, table.silent_after)
            else:
                ear.leave()
        self._wake()

    def rest(self) -> None:
        """Watch no more: the sources are about to be stopped."""
        self._scope.cancel()

    async def run(self) -> None:
        """Raise and clear alarms, until cancelled or told to rest."""
        try:
            with self._scope:
                while True:
                    self._woken = trio.Event()
                    for ear in list(self._ears.values()):
                        await self._see_to(ear)
                    self._note(SILENCE_INTERVAL)
                    with trio.move_on_after(min([NOTE_INTERVAL, *self._times_left()])):
                        await self._woken.wait()
        finally:
            self._note(0.0)  # what is stopped may be cancelled, and is written with the last of all

    def _wake(self) -> None:
        self._woken.set()

    def _times_left(self) -> list[float]:
        """Give how long each source may yet be silent, in seconds."""
        return [
            max(0.0, ear.silent_after - ear.silence)
            for ear in self._ears.values()
            if ear.silent_after is not None and ear.alarm is None and not ear.unsent
        ]

    async def _see_to(self, ear: Ear) -> None:
        if not ear.unsent:  # else what came before is to be told first
            if ear.alarm is None:
                if ear.silent_after is not None and ear.silence >= ear.silent_after:
                    await self._raise(ear)
            elif ear.broken is not None or ear.silent_after is None:
                await self._clear(ear, ear.alarm)
        if ear.unsent:
            await self._send(ear)

    async def _raise(self, ear: Ear) -> None:
        silence = self._silence(ear, ear.silence)
        ivorn = silence.ivorn("silent")
        ear.alarm = Alarm(ivorn=ivorn, since=silence.now)
        log.error(
            "source is silent",
            source=ear.source,
            plugin=ear.plugin,
            last_heard=show_moment(silence.heard.last),
            last_event=show_moment(silence.heard.event),
            silent_after=show_seconds(ear.silent_after or 0.0),
        )
        await self._compose(ear, partial(tell_silent, silence, ivorn))

    async def _clear(self, ear: Ear, alarm: Alarm) -> None:
        broken, ear.alarm, ear.broken = ear.broken, None, None
        if broken is None:
            log.warning(
                "silent source is no longer watched", source=ear.source, alarm=show_moment(alarm.since)
            )
            await self._compose(ear, partial(tell_unwatched, self._silence(ear, ear.silence), alarm))
        else:
            log.warning(
                "source is heard again",
                source=ear.source,
                peer=ear.heard.peer,
                silent_for=show_seconds(broken),
                alarm=show_moment(alarm.since),
            )
            await self._compose(ear, partial(tell_heard, self._silence(ear, broken), alarm))

    def _silence(self, ear: Ear, lasted: float) -> Silence:
        return Silence(
            ivoid=self._ivoid,
            source=ear.source,
            plugin=ear.plugin,
            silent_after=ear.silent_after,
            lasted=lasted,
            heard=ear.heard,
            now=_wall.now(),
        )

    async def _compose(self, ear: Ear, make: Callable[[], bytes]) -> None:
        """Make an event, which is to be sent; a node that has lost its IVOID can send none."""
        if self._ivoid:
            try:
                ear.unsent = (await trio.to_thread.run_sync(make)).decode()
            except ValueError as error:  # an IVOID that no IVORN can be made of: it is too long
                log.error("no event tells of it", source=ear.source, reason=str(error))

    async def _send(self, ear: Ear) -> None:
        """Bring what is to be told into the store; where it cannot be written, that is tried again."""
        self._bookmarks.note(BOOKMARKS, ear.source, ear.heard.dump())
        if not await self._bookmarks.save():
            return
        try:
            submission = await self._submit(ear.unsent.encode())
        except StoreError:  # which intake has told
            return
        if submission.outcome == "refused":
            log.error("no event tells of it", source=ear.source, reason=submission.reason)
        ear.unsent = ""
        self._wake()  # there may be more to tell by now

    def _note(self, interval: float) -> None:
        """Note for the store what was heard since the last time, and silences that were noted long ago."""
        now = trio.current_time()
        for source, ear in self._ears.items():
            heard = ear.heard
            facts = attrs.evolve(heard, silent=0.0)
            noted, when = self._noted.get(source, (Heard(), 0.0))
            if facts != noted or (ear.listening and now - when >= interval):
                self._bookmarks.note(BOOKMARKS, source, heard.dump())
                self._noted[source] = facts, now
