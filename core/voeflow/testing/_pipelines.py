"""A whole pipeline over some events: what reached each sink."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import attrs
import trio

from voeflow._errors import VoeflowError
from voeflow._event import Event
from voeflow._hookspecs import hookimpl
from voeflow._names import nearest
from voeflow._node import RunningNode
from voeflow._node_api import Delivery, Node, Submission, Validation
from voeflow._observers import Observers
from voeflow._tables import Pipeline, TransportTable
from voeflow._text import printable
from voeflow.testing._events import moment_of
from voeflow.testing._node import SAVE_INTERVAL, Hand, read_pipeline, readable_log
from voeflow.testing._simulation import BEGINNING, PATIENCE, run_simulated

#: How long an event may take to reach its sinks, in seconds of simulated time.
WITHIN = 6 * 3600.0


@attrs.frozen
class Failure:
    """An attempt to deliver an event that failed.

    Attributes:
        sink: the name of the sink's table.
        event: the event.
        reason: what went wrong.
        attempt: which attempt it was, counted from 1.
        dead: whether it was the last.
    """

    sink: str
    event: Event
    reason: str
    attempt: int
    dead: bool

    def __str__(self) -> str:
        return f"{self.sink}: {printable(self.event.ivorn)}: {self.reason} (attempt {self.attempt})"


@attrs.frozen
class Outcome:
    """What became of events in a pipeline.

    Attributes:
        reached: the events that reached each sink, by the sink's name, in the order in which they did.
        submissions: the node's answer to each event that was submitted: accepted, duplicate or refused.
        failures: the attempts to deliver that failed, also those after which another went well.
    """

    reached: Mapping[str, tuple[Event, ...]]
    submissions: tuple[Submission, ...]
    failures: tuple[Failure, ...]

    def __getitem__(self, sink: str) -> tuple[Event, ...]:
        """The events that reached one sink.

        Raises:
            KeyError: the pipeline has no sink of that name.
        """
        try:
            return self.reached[sink]
        except KeyError:
            hint = nearest(sink, self.reached, "sinks")
            raise KeyError(f"the pipeline has no sink {sink!r}: {hint}") from None

    def ivorns(self, sink: str) -> list[str]:
        """The IVORNs of the events that reached one sink, in the order in which they did.

        Raises:
            KeyError: the pipeline has no sink of that name.
        """
        return [event.ivorn for event in self[sink]]


class UndeliveredError(VoeflowError):
    """Events that did not reach a sink which should have had them, or of which that cannot be told.

    Attributes:
        outcome: what became of all events all the same.
    """

    def __init__(self, outcome: Outcome, problem: str) -> None:
        super().__init__(outcome, problem)
        self.outcome = outcome
        self._problem = problem

    def __str__(self) -> str:
        told = [str(failure) for failure in self.outcome.failures[-5:]]
        return "\n  ".join([self._problem, *told])


def run_pipeline(
    pipeline: str | Path,
    events: Iterable[Event | bytes],
    *,
    live: Collection[str] = (),
    directory: Path | None = None,
    plugins: Sequence[object] = (),
    environ: Mapping[str, str] | None = None,
    start: datetime | str = BEGINNING,
    within: float = WITHIN,
    may_fail: bool = False,
) -> Outcome:
    """Run a pipeline over events, and say what reached each sink.

    For example::

        outcome = run_pipeline(PIPELINE, [make_event("near"), make_event("far")])
        assert outcome.ivorns("slew") == ["ivo://org.example/testing#near"]

    It is a real node with a store of its own, in simulated time: the pipeline is read and checked, events
    are judged and stored, and filters asked, as by `voeflow run`. But nothing goes in or out: no transport
    is started, and in the place of each handler stands one that is content with every event; only the
    handlers named in `live` do their work. Retries are waited for, which takes no time.

    Call it from an ordinary test, not from an `async` one: it runs an event loop of its own.

    Args:
        pipeline: the pipeline, as text or as a file.
        events: the events, or packets, in the order in which they come in. An event whose `source` names a
            source of the pipeline comes in through that, all others through its first one, and are judged as
            strictly as its `validate` says.
        live: the names of the handlers that are to do their work.
        directory: what the relative paths of a pipeline given as text are relative to; a directory that is
            then removed if left out.
        plugins: modules or objects with hook implementations, besides what is installed.
        environ: the environment that the pipeline's strings refer to; this process's, if left out.
        start: what the clock shows at the beginning, with a time zone, or as text in UTC; events are
            received then.
        within: how long an event may take to reach its sinks, in seconds of simulated time.
        may_fail: whether the outcome is to be given though an event did not reach a sink that wanted it.

    Returns:
        What became of the events.

    Raises:
        voeflow.PipelineError: the pipeline has mistakes.
        voeflow.StartError: a live handler cannot start.
        UndeliveredError: a filter gave no answer, or a live handler did not handle an event, until it was
            given up or the time was over.
        ValueError: `live` names no handler of the pipeline.
    """
    with tempfile.TemporaryDirectory() as scratch, readable_log():
        place = Path(scratch) if directory is None else directory
        record = _Record()
        read, observers = read_pipeline(pipeline, place, [record, *plugins], environ)
        for name in live:
            if name not in read.handlers:
                raise ValueError(
                    f"live: no handler is named {name!r}: {nearest(name, read.handlers, 'handlers')}"
                )
        pipe = _with_stand_ins(read, frozenset(live), Path(scratch) / "store.db")
        sources = {
            name: _strictness(table) for name, table in read.transports.items() if table.plugin.is_source
        }
        return run_simulated(
            lambda: _run(pipe, observers, list(events), sources, record, within, may_fail=may_fail),
            moment_of("start", start),
            PATIENCE,
            heed_the_world=True,
        )


async def _run(
    pipeline: Pipeline,
    observers: Observers,
    events: Sequence[Event | bytes],
    sources: Mapping[str, Validation],
    record: _Record,
    within: float,
    *,
    may_fail: bool,
) -> Outcome:
    node = RunningNode(pipeline, observers, save_interval=SAVE_INTERVAL)
    submissions: list[Submission] = []
    done = False
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: node.run(task_status=task_status))
        for each in events:
            raw, named = (each.raw, each.source) if isinstance(each, Event) else (each, "")
            source = named if named in sources else next(iter(sources), "")
            validate = sources.get(source, "schema")
            submissions.append(await node.submit(raw, source=source, validate=validate))
        last = max((each.position or 0 for each in submissions), default=0)
        with trio.move_on_after(within):
            while node.delivered_up_to < last:  # noqa: ASYNC110 - that nothing is wanted is told to nobody
                await trio.sleep(1.0)
            done = True
        node.stop()
    names = [*(n for n, table in pipeline.transports.items() if table.is_sink), *pipeline.handlers]
    outcome = Outcome(
        {name: tuple(record.reached.get(name, ())) for name in names},
        tuple(submissions),
        tuple(record.failures),
    )
    if not may_fail and (not done or any(failure.dead for failure in record.failures)):
        problem = "given up" if done else f"not delivered within {within:g} s of simulated time"
        raise UndeliveredError(outcome, f"events were {problem}:")
    return outcome


def _strictness(table: TransportTable) -> Validation:
    """How strictly a source has its packets judged, by its option `validate`, if it has one."""
    return "schema" if getattr(table.instance, "validate", "") == "schema" else "wellformed"


def _with_stand_ins(pipeline: Pipeline, live: frozenset[str], store: Path) -> Pipeline:
    """Put what neither brings in nor sends out in the place of everything that is not `live`."""

    def stand_in(table: TransportTable) -> TransportTable:
        instance = _Taker() if table.is_sink else Hand()
        return attrs.evolve(table, instance=instance, silent_after=None)

    return attrs.evolve(
        pipeline,
        node=attrs.evolve(pipeline.node, store=store),
        transports={name: stand_in(table) for name, table in pipeline.transports.items()},
        handlers={
            name: table if name in live else attrs.evolve(table, instance=_Content())
            for name, table in pipeline.handlers.items()
        },
    )


@attrs.frozen
class _Content:
    """A handler that is content with every event."""

    async def handle(self, _: Event) -> None:
        await trio.lowlevel.checkpoint()


@attrs.frozen
class _Taker:
    """A sink that takes every event."""

    sink: ClassVar[bool] = True

    async def run(self, node: Node, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        while True:
            deliveries: Sequence[Delivery] = await node.take()
            for delivery in deliveries:
                delivery.done()


class _Record:
    """An observer that keeps what became of events."""

    def __init__(self) -> None:
        self.reached: dict[str, list[Event]] = {}
        self.failures: list[Failure] = []

    @hookimpl
    def event_delivered(self, event: Event, sink: str) -> None:
        self.reached.setdefault(sink, []).append(event)

    @hookimpl
    def delivery_failed(self, event: Event, sink: str, reason: str, attempt: int, dead: bool) -> None:
        self.failures.append(Failure(sink, event, reason, attempt, dead))
