"""Notices on their way in: recognised, or made events of by the mappings, and given to intake."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import attrs
import structlog
import trio

from voeflow import _wall
from voeflow._entry import Entry, ask_source
from voeflow._errors import EventError
from voeflow._event import Event
from voeflow._feed import reread
from voeflow._intake import Intake
from voeflow._mapping import Fault, ask
from voeflow._mapping_plugins import MappingPlugin, to_ask
from voeflow._node_api import Check, Submission
from voeflow._notice import Notice
from voeflow._quota import Quota
from voeflow._store import Store

log = structlog.get_logger()

#: How many notices may occupy threads of one mapping: one at a time is asked, the others are those over which
#: it took too long. A mapping that hangs in all of them gives no more answers, and no other notices.
THREADS_A_MAPPING = 4

#: Up to this many faults of one mapping have a line each in the log in a time, in seconds; the rest is
#: counted.
FAULTS_A_MAPPING, FAULT_INTERVAL = 5, 60.0


@attrs.frozen(eq=False, repr=False)
class _Known:
    """An event that a notice has made before, as it came in this time."""

    event: Event
    seq: int


@attrs.define(eq=False, repr=False)
class _Turn:
    """What keeps the notices of one mapping apart."""

    lock: trio.Lock = attrs.field(factory=trio.Lock)
    threads: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(THREADS_A_MAPPING))


class Notices:
    """Takes notices from every source; those of one mapping one at a time, from the question to the commit.

    So a mapping that asks what came earlier is told of all that it made itself, and one that hangs holds up
    no other.

    Args:
        mappings: what there is, in the order of asking.
        store: where events are kept.
        intake: what takes the events.
        timeout: how long a mapping may take over one notice, in seconds.

    Attributes:
        timeout: as given; it may change while the node runs.
    """

    def __init__(
        self, mappings: Sequence[MappingPlugin], store: Store, intake: Intake, timeout: float
    ) -> None:
        self.timeout = timeout
        self._mappings = mappings
        self._store = store
        self._intake = intake
        self._turns = {plugin.name: _Turn() for plugin in mappings}
        self._faults = Quota(FAULTS_A_MAPPING, FAULT_INTERVAL)

    async def submit(
        self,
        notice: Notice,
        *,
        source: str,
        mapping: str = "",
        peer: str = "",
        where: str = "",
        check: Check | None = None,
    ) -> Submission:
        """Submit one notice; see `Node.submit_notice`.

        Raises:
            StoreError: the store cannot be read or written now.
            LookupError: there is no mapping of that name.
        """
        entry = Entry(notice.content, source, "schema", peer, where, _wall.utcnow(), check=check)
        faults: list[str] = []
        asked = to_ask(self._mappings, notice.topic, mapping)
        for plugin in asked:
            async with self._turns[plugin.name].lock:
                answer = await self._ask(plugin, notice, entry)
                if isinstance(answer, Event):
                    entry.event, entry.notice = answer, notice.digest
                    return await self._intake.take(entry)
            if isinstance(answer, _Known):
                return self._intake.recognise(answer.event, answer.seq)
            if isinstance(answer, EventError):
                return await self._refuse(entry, notice, str(answer), plugin.name)
            if isinstance(answer, Fault):
                self._tell_fault(plugin, notice, answer, where)
                faults.append(f"the mapping {plugin.name} {answer.reason}")
        return await self._refuse(entry, notice, _why_not(notice.topic, asked, faults))

    async def _ask(
        self, plugin: MappingPlugin, notice: Notice, entry: Entry
    ) -> Event | _Known | EventError | Fault | None:
        try:
            with trio.fail_after(self.timeout):
                return await trio.to_thread.run_sync(
                    partial(self._look, plugin, notice, entry, self._intake.max_event),
                    abandon_on_cancel=True,
                    limiter=self._turns[plugin.name].threads,
                )
        except trio.TooSlowError:
            return Fault(f"gave no answer within {self.timeout:g} s")

    def _look(
        self, plugin: MappingPlugin, notice: Notice, entry: Entry, max_event: int
    ) -> Event | _Known | EventError | Fault | None:
        """See whether a notice is known, or else ask a mapping about it; in a worker thread."""
        if (known := self._store.find_notice(notice.digest)) is not None:
            came = attrs.evolve(known, source=entry.source, received=entry.received.timestamp())
            with suppress(EventError):  # its bytes are damaged: what is made anew is known by its digest
                return _Known(reread(came).event, known.seq)
        made = ask(
            plugin,
            notice,
            self._store.earlier,
            source=entry.source,
            received=entry.received,
            max_event=max_event,
        )
        objection = ask_source(entry, made) if isinstance(made, Event) else None
        return made if objection is None else objection

    async def _refuse(self, entry: Entry, notice: Notice, reason: str, mapping: str = "") -> Submission:
        entry.refused = reason
        entry.about = {"topic": notice.topic, **({"mapping": mapping} if mapping else {})}
        return await self._intake.take(entry)

    def _tell_fault(self, plugin: MappingPlugin, notice: Notice, fault: Fault, where: str) -> None:
        if (unsaid := self._faults.ask(plugin.name, time.monotonic())) is not None:
            log.error(
                "a mapping failed: the next one is asked",
                mapping=plugin.name,
                plugin=plugin.distribution,
                topic=notice.topic,
                reason=fault.reason,
                **({"where": where} if where else {}),
                **({"failed_meanwhile": unsaid} if unsaid else {}),
            )


def _why_not(topic: str, asked: Sequence[MappingPlugin], faults: Sequence[str]) -> str:
    """Say why a notice was refused that no mapping has taken."""
    if faults:
        return "; ".join(faults)
    if not asked:
        return (
            f"no mapping is installed for the topic {topic!r}"
            if topic
            else "no mapping takes what has no topic"
        )
    return f"not known to {' or '.join(plugin.name for plugin in asked)}"
