"""Asking filters: once an event, in a thread unless they promise to be quick, never without a bound."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

import attrs
import structlog
import trio

from voeflow._errors import FilterError
from voeflow._event import Event
from voeflow._places import PlaceKeeper, PlacesInMemory, PlacesOf, wants_places
from voeflow._raised import Raised, describe
from voeflow._store_records import StoredVerdict
from voeflow._tables import FilterTable
from voeflow._text import printable
from voeflow._verdict import Verdict
from voeflow._watchdog import at_work
from voeflow._when import When

log = structlog.get_logger()

#: How many events one filter may be asked about at the same time, in threads. A filter that hangs in all of
#: them gives no more answers, and no other filter notices.
THREADS_A_FILTER = 4

#: The greatest length of a filter's reason that is kept, and how many are held until the store has them.
MAX_REASON, MAX_REASONS = 500, 10_000


@attrs.define(eq=False, repr=False)
class Envelope:
    """An event with its place in the store's log and what filters have answered about it so far.

    Attributes:
        seq: the event's position in the store's log; 0 in a dry run.
        event: the event.
        answers: by filter: the verdict, the error that stood in its place, or a question under way.
    """

    seq: int
    event: Event
    answers: dict[str, Verdict | FilterError | trio.Event] = attrs.field(factory=dict)


class Filters:
    """The filters of a pipeline, ready to be asked.

    Args:
        tables: the pipeline's filter tables by name.
        timeout: the longest that one answer may take, in seconds.
        keeper: where places are kept; in memory, for a dry run, if left out.
    """

    def __init__(
        self, tables: Mapping[str, FilterTable], timeout: float, keeper: PlaceKeeper | None = None
    ) -> None:
        self._tables = tables
        self._keeper = keeper or PlacesInMemory()
        self._timeout = timeout
        self._reasons: list[StoredVerdict] = []
        self._limiters = {name: _limiter() for name in tables}
        self._remembering = _remembering(tables)

    def replace(self, tables: Mapping[str, FilterTable], timeout: float) -> None:
        """Ask other filters from now on; a table that is the same one as before keeps its threads."""
        self._limiters = {
            name: self._limiters[name] if table is self._tables.get(name) else _limiter()
            for name, table in tables.items()
        }
        self._tables, self._timeout = tables, timeout
        self._remembering = _remembering(tables)

    def reasons(self) -> list[StoredVerdict]:
        """Give the reasons that filters gave since the last call, to be kept in the store.

        Filters that are asked on the event loop are left out: what they look at is in the packet, so they
        can be asked again at any time, and they are asked about every event.
        """
        reasons, self._reasons = self._reasons, []
        return reasons

    def all_inline(self, when: When) -> bool:
        """Whether `when` asks only filters that are asked on the event loop."""
        return all(getattr(self._tables[name].instance, "inline", False) for name in when.names)

    def in_order(self, when: When) -> bool:
        """Whether `when` asks a filter whose answer hangs on the events that it was asked about before."""
        return not self._remembering.isdisjoint(when.names)

    async def hold(self, when: When, envelope: Envelope) -> bool:
        """Judge a sink's `when` over an event, asking only the filters that decide it.

        Raises:
            FilterError: a filter that decides it gave no answer.
        """
        known: dict[str, bool] = {}
        while isinstance(decided := when.decide(known), str):
            known[decided] = (await self.ask(decided, envelope)).holds
        return decided

    async def ask(self, name: str, envelope: Envelope) -> Verdict:
        """Ask one filter about an event, or recall what it answered.

        Raises:
            FilterError: it raised, answered no bool, or took too long.
        """
        while isinstance(answer := envelope.answers.get(name), trio.Event):
            await answer.wait()  # another sink asks already; if it is stopped in between, we ask ourselves
        if answer is None:
            table = self._tables[name]
            if getattr(table.instance, "inline", False):
                answer = _ask_inline(table, envelope.event)
            else:
                answer = await self._ask_apart(table, envelope)
                self._note(table, envelope, answer)
            envelope.answers[name] = answer
        if isinstance(answer, FilterError):
            raise answer
        return answer

    def _note(self, table: FilterTable, envelope: Envelope, answer: Verdict | FilterError) -> None:
        if not envelope.seq:
            return  # a dry run, which shows the reasons itself
        if isinstance(answer, Verdict) and answer.reason and len(self._reasons) < MAX_REASONS:
            reason = printable(answer.reason, MAX_REASON)
            self._reasons.append(StoredVerdict(envelope.seq, table.name, answer.holds, reason))
            log.info(
                "filter answered",
                filter=table.name,
                ivorn=envelope.event.ivorn,
                holds=answer.holds,
                reason=reason,
            )

    async def _ask_apart(self, table: FilterTable, envelope: Envelope) -> Verdict | FilterError:
        answered = envelope.answers[table.name] = trio.Event()
        matches = table.instance.matches
        asked: tuple[object, ...] = (envelope.event,)
        if table.name in self._remembering:
            asked = (envelope.event, PlacesOf(table.name, self._keeper))
        try:
            with trio.fail_after(self._timeout):
                if inspect.iscoroutinefunction(matches):
                    with at_work(f"filters.{table.name}"):
                        result = await matches(*asked)
                else:
                    result = await trio.to_thread.run_sync(
                        matches,
                        *asked,
                        abandon_on_cancel=True,
                        limiter=self._limiters[table.name],
                    )
        except trio.TooSlowError:
            return FilterError(table.name, f"no answer within {self._timeout:g} s")
        # A plugin's `sys.exit()`, or a panic of its Rust, must not end the node.
        except BaseException as error:  # noqa: BLE001 - cancellation and the like are raised again
            return _raised(table, error)
        finally:
            del envelope.answers[table.name]
            answered.set()
        return _verdict(table, result)


def _remembering(tables: Mapping[str, FilterTable]) -> frozenset[str]:
    return frozenset(name for name, table in tables.items() if wants_places(table.instance.matches))


def _limiter() -> trio.CapacityLimiter:
    return trio.CapacityLimiter(THREADS_A_FILTER)


def _ask_inline(table: FilterTable, event: Event) -> Verdict | FilterError:
    try:
        with at_work(f"filters.{table.name}"):
            return _verdict(table, table.instance.matches(event))
    # A plugin's `sys.exit()`, or a panic of its Rust, must not end the node.
    except BaseException as error:  # noqa: BLE001 - cancellation and the like are raised again
        return _raised(table, error)


#: What most filters answer.
_PLAIN = {True: Verdict(True), False: Verdict(False)}


def _verdict(table: FilterTable, result: object) -> Verdict | FilterError:
    if isinstance(result, bool):
        return _PLAIN[result]
    holds = _truth(result.holds if isinstance(result, Verdict) else result)
    reason = result.reason if isinstance(result, Verdict) else ""
    if holds is not None and isinstance(reason, str):
        return Verdict(holds, reason)
    return FilterError(
        table.name,
        f"matches() of {table.plugin.distribution} answered {_shown(result)}; "
        "it has to answer a bool or a voeflow.Verdict of a bool and a str",
    )


def _truth(value: object) -> bool | None:
    """Give a bool, also for numpy's, which comparing its numbers and Astropy's gives; None for no bool."""
    cls = type(value)
    if cls is bool or (cls.__module__ == "numpy" and cls.__name__ in ("bool", "bool_")):
        return bool(value)
    return None


def _shown(result: object) -> str:
    try:
        return printable(repr(result), 60)
    except BaseException as error:  # a plugin's __repr__ may raise anything
        if Raised.of(error).fault is None:
            raise
        return f"a {type(result).__name__}"


def _raised(table: FilterTable, error: BaseException) -> FilterError:
    """Give the plugin's own fault in what it raised.

    Raises:
        BaseException: what only passed through it: it was cancelled, say.
    """
    raised = Raised.of(error)
    if raised.fault is None or raised.passing is not None:
        raise error
    log.debug("filter raised", filter=table.name, exc_info=error)
    return FilterError(
        table.name,
        printable(
            f"plugin {table.plugin.name} of {table.plugin.distribution} raised {describe(raised.fault)}"
        ),
    )
