"""Everything that a pipeline's tables set to work, and how one pipeline becomes another while it works."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import structlog
import trio

from voeflow._alarms import Alarms
from voeflow._answers import Envelope, Filters
from voeflow._bookkeeping import Replays, save_progress
from voeflow._bookmarks import Bookmarks
from voeflow._changes import is_sink, keep_unchanged, policy_of, tables_of
from voeflow._errors import StartError, StoreError
from voeflow._intake import Intake
from voeflow._notices import Notices
from voeflow._observers import Observers
from voeflow._parts import Part
from voeflow._renewal import renew
from voeflow._routing import OWN_SOURCE
from voeflow._sink import Sink
from voeflow._store import Store
from voeflow._supervisor import run_transport
from voeflow._tables import HandlerTable, Pipeline, TransportTable
from voeflow._transport_node import NodeOfTransport
from voeflow._workers import run_handler, start_handlers

log = structlog.get_logger()


class Works:
    """The sinks, filters, handlers and transports of a running node.

    Args:
        pipeline: what they are made of.
        store: where events are kept.
        observers: the plugins that watch.
        nursery: where their tasks run.

    Attributes:
        pipeline: the pipeline that is at work.
        intake: what sources submit to.
        notices: what they submit notices to.
        filters: what sinks ask.
        sinks: by name.
        alarms: over sources that hear nothing.
        opened: set when everything has started, and events are taken.
    """

    def __init__(self, pipeline: Pipeline, store: Store, observers: Observers, nursery: trio.Nursery) -> None:
        self.pipeline = pipeline
        self.filters = Filters(pipeline.filters, pipeline.node.filter_timeout, store)
        bounds = pipeline.node
        self.intake = Intake(
            store, self._offer, observers, bounds.max_event, bounds.max_depth, bounds.max_attributes
        )
        self.notices = Notices(pipeline.mappings, store, self.intake, pipeline.node.filter_timeout)
        self.sinks: dict[str, Sink] = {}
        self.opened = trio.Event()
        self._store = store
        self._bookmarks = Bookmarks(store)
        self.alarms = Alarms(
            self._bookmarks, partial(self.intake.submit, source=OWN_SOURCE, validate="schema")
        )
        self._replays = Replays(store)
        self._observers = observers
        self._nursery = nursery
        self._saving = trio.Lock()
        self._parts: dict[str, Part] = {}
        self._latest = store.last_seq()

    async def start(self) -> None:
        """Start every table: handlers get ready first, then sinks, and sources last.

        Raises:
            StartError: one cannot be started.
        """
        await start_handlers(self.pipeline.handlers.values())
        tables = tables_of(self.pipeline).values()
        await self._open_sinks(tables)
        for sink in self.sinks.values():
            if (behind := self._latest - sink.position) or sink.waiting:
                log.info("sink goes on where it was", sink=sink.name, behind=behind, waiting=sink.waiting)
        await self.alarms.recall()
        for table in tables:
            await self._start(table, self.pipeline)
        self.alarms.watch(self.pipeline)

    async def save(self) -> bool:
        """Write what sinks have done and how far sources have come to the store; see what to do again.

        Returns:
            Whether it could be written.
        """
        async with self._saving:
            saved = await save_progress(self._store, list(self.sinks.values()), self.filters)
            if saved:
                await self._replays.take_up(list(self.sinks.values()))
            return await self._bookmarks.save() and saved

    async def stop_sources(self) -> None:
        """End the transports that only bring events in."""
        self.alarms.rest()
        for part in list(self._parts.values()):
            if isinstance(part.table, TransportTable) and not part.table.is_sink:
                await part.end()

    async def wait_idle(self) -> None:
        """Wait until every sink has done what it can do now; replays wait for the next start."""
        for sink in self.sinks.values():
            sink.drain()
        while busy := self.busy:
            await busy[0].wait_idle()

    @property
    def busy(self) -> list[Sink]:
        """The sinks that have something to do now."""
        return [sink for sink in self.sinks.values() if not sink.idle]

    @property
    def delivered_up_to(self) -> int:
        """The position up to which every event is done with at every sink."""
        return min((sink.settled_up_to for sink in self.sinks.values()), default=self._latest)

    async def become(self, pipeline: Pipeline) -> None:
        """Work by another pipeline from now on; what it has in common with the present one goes on untouched.

        Raises:
            StartError: it cannot be: a key changed that only a restart can change, or something new cannot be
                started. All goes on as before.
        """
        old = self.pipeline
        if pipeline.node.store != old.node.store:
            raise StartError("store", "another store takes a restart of the node")
        pipeline = keep_unchanged(old, pipeline)
        before, after = tables_of(old), tables_of(pipeline)
        added = [table for name, table in after.items() if name not in before]
        changed = [name for name, table in after.items() if name in before and self._differs(pipeline, table)]
        anew = (*added, *(after[name] for name in changed))
        await start_handlers(table for table in anew if isinstance(table, HandlerTable))
        new = await self._open_sinks([*before.values(), *added])
        await self._start_all_or_none(pipeline, added, new)
        self.pipeline = pipeline
        self.alarms.watch(pipeline)
        self.intake.max_event = pipeline.node.max_event
        self.intake.max_depth = pipeline.node.max_depth
        self.intake.max_attributes = pipeline.node.max_attributes
        self.notices.timeout = pipeline.node.filter_timeout
        # Until its part has ended, a sink may ask what the old pipeline has it ask.
        self.filters.replace({**old.filters, **pipeline.filters}, pipeline.node.filter_timeout)
        failed = [name for name in changed if not await self._replace(before[name], after[name])]
        removed = [name for name in before if name not in after]
        for name in removed:
            await self._end(name)
        await self._close_sinks(after)
        self.filters.replace(pipeline.filters, pipeline.node.filter_timeout)
        begun = {table.name for table in anew}
        await renew(table for name, table in pipeline.transports.items() if name not in begun)
        log.info(
            "pipeline reloaded",
            changed=[name for name in changed if name not in failed],
            added=[table.name for table in added],
            removed=removed,
            unchanged=len(after) - len(added) - len(changed),
            filters=sorted(
                name
                for name in old.filters.keys() | pipeline.filters.keys()
                if old.filters.get(name) is not pipeline.filters.get(name)
            ),
            **({"failed": failed} if failed else {}),
        )

    def _differs(self, pipeline: Pipeline, table: HandlerTable | TransportTable) -> bool:
        """Whether a table that is at work already is to be started anew."""
        here, there = self.pipeline.node, pipeline.node
        given = (here.ivoid, here.max_event) == (there.ivoid, there.max_event)
        part = self._parts.get(table.name)  # none where a change left nothing that could start
        return part is None or part.table is not table or (isinstance(table, TransportTable) and not given)

    async def _start_all_or_none(
        self, pipeline: Pipeline, tables: Sequence[HandlerTable | TransportTable], new: Sequence[str]
    ) -> None:
        started = []
        try:
            for table in tables:
                await self._start(table, pipeline)
                started.append(table.name)
        except StartError:
            for name in started:
                await self._parts.pop(name).end()
            await self._close_sinks(tables_of(self.pipeline))
            await self._forget(new)
            raise

    async def _forget(self, sinks: Sequence[str]) -> None:
        """Have the store forget sinks that did not start: else they would get what came until they do."""
        try:
            await trio.to_thread.run_sync(self._store.forget_sinks, sinks)
        except StoreError as error:
            log.warning("the store cannot forget sinks", sinks=list(sinks), reason=str(error))

    async def _replace(self, old: HandlerTable | TransportTable, new: HandlerTable | TransportTable) -> bool:
        """End the part of a table that has changed, and start the new one.

        The new one may need what the old one holds, a port say, so it cannot be tried before. If it does not
        start then the old one goes on, and that is told.

        Returns:
            Whether the new one has started.
        """
        await self._end(old.name)
        try:
            await self._start(new, self.pipeline)
        except StartError as error:
            try:
                await self._start(old, self.pipeline)
            except StartError as again:
                log.error(
                    "a changed table cannot start, nor can the old one: it rests until the next reload",
                    reason=str(error),
                    old=str(again),
                )
            else:
                log.error("a changed table cannot start: the old one goes on", reason=str(error))
            return False
        return True

    async def _end(self, name: str) -> None:
        part = self._parts.pop(name, None)
        if part is None:
            return
        if isinstance(part.table, HandlerTable):
            await part.leave(self.pipeline.node.drain)
        else:
            await part.end()
        if (sink := self.sinks.get(part.table.name)) is not None:
            sink.rewind()

    async def _start(self, table: HandlerTable | TransportTable, pipeline: Pipeline) -> None:
        part = Part(table)
        sink = self.sinks[table.name] if is_sink(table) else None
        if sink is not None:
            sink.policy = policy_of(table)
        if isinstance(table, HandlerTable):
            assert sink is not None
            await part.start(
                self._nursery, f"handlers.{table.name}", partial(run_handler, table, sink, part.leaving)
            )
        else:
            settings = pipeline.node
            node = NodeOfTransport(
                table.name,
                settings.ivoid,
                settings.max_event,
                self.intake,
                self.notices,
                self.opened,
                sink,
                self._store,
                self._bookmarks,
                self.alarms.ear(table.name),
                lambda: self.delivered_up_to,
            )
            await part.start(
                self._nursery, f"transports.{table.name}", partial(run_transport, table, node, sink)
            )
        self._parts[table.name] = part

    async def _open_sinks(self, tables: Iterable[HandlerTable | TransportTable]) -> list[str]:
        """Let the store know which sinks there are, and make those that are new.

        Returns:
            Those that the store did not know.
        """
        wanted = {table.name: table for table in tables if is_sink(table)}
        states = await trio.to_thread.run_sync(self._store.open_sinks, list(wanted))
        for name in wanted.keys() - self.sinks.keys():
            # What comes in between is past the state that the store gave: the sink reads it from there.
            self.sinks[name] = Sink(
                name,
                policy_of(wanted[name]),
                states[name],
                self._latest,
                store=self._store,
                filters=self.filters,
                observers=self._observers,
            )
        return [name for name, state in states.items() if state.new]

    async def _close_sinks(self, tables: Mapping[str, HandlerTable | TransportTable]) -> None:
        """Let go of the sinks that are none of `tables`; the store keeps their places."""
        gone = [name for name in self.sinks if name not in tables or not is_sink(tables[name])]
        if not gone:
            return
        async with self._saving:  # or a save under way could tell of a sink that the store no longer knows
            await save_progress(self._store, [self.sinks.pop(name) for name in gone], self.filters)
            try:
                await self._open_sinks(tables.values())
            except StoreError as error:  # it knows at the next start; until then it keeps what these are owed
                log.warning("the store cannot let go of sinks", sinks=gone, reason=str(error))

    def _offer(self, envelopes: Sequence[Envelope]) -> None:
        self._latest = envelopes[-1].seq
        for sink in self.sinks.values():
            sink.offer(envelopes)
