"""Which events a subcommand of `voeflow events` is about: the options for it, and what they select."""

from __future__ import annotations

import functools
import sys
from array import array
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import click

from voeflow._answers import Filters
from voeflow._command._pipelines import BAD_PIPELINE, fail
from voeflow._command._progress import progress
from voeflow._errors import EventError, FilterError, StoreError
from voeflow._event import ROLES
from voeflow._feed import reread
from voeflow._quantities import parse_seconds
from voeflow._routing import read_when
from voeflow._store_reader import StoreReader
from voeflow._store_records import StoredEvent
from voeflow._store_select import Selection, find, select, select_dead, select_seqs
from voeflow._tables import Pipeline
from voeflow._text import printable

#: The exit status when nothing was found.
NOTHING = 1


@attrs.frozen
class Chosen:
    """What the selection options say.

    Attributes:
        selection: what the store itself can look for; it sets no limit.
        where: a condition over the pipeline's filters, or None.
        dead: whether only dead letters are meant.
        limit: how many are meant at most, the newest, or None.
    """

    selection: Selection
    where: str | None
    dead: bool
    limit: int | None


#: What no option at all means.
EVERYTHING = Chosen(Selection(), where=None, dead=False, limit=None)


def _read_moment(_: click.Context, option: click.Parameter, text: str | None) -> float | None:
    """Read a time in UTC, or how long ago, as seconds since 1970."""
    if text is None:
        return None
    try:
        ago = parse_seconds(text.removesuffix("ago").strip())
    except ValueError:
        pass
    else:
        return (datetime.now(UTC) - timedelta(seconds=ago)).timestamp()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f'expected a time such as "2026-11-24T01:30" (UTC) or "2 hours", got "{text}"', param=option
        ) from None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


_OPTIONS = (
    click.option("--role", type=click.Choice(ROLES), help="Only events of this role."),
    click.option("--author", help="Only events of this AuthorIVORN; * stands for anything."),
    click.option("--ivorn", help="Only events of this IVORN; * stands for anything."),
    click.option(
        "--since",
        callback=_read_moment,
        help="Only those received since then: a time in UTC, or how long ago.",
    ),
    click.option("--until", callback=_read_moment, help="Only those received before then."),
    click.option("--where", help="Only events for which this holds, over the pipeline's filters, as `when`."),
    click.option("--dead", is_flag=True, help="Only deliveries that were given up."),
    click.option("--limit", type=click.IntRange(min=1), help="At most this many, the newest."),
)


def selection_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a subcommand the options that select events, and hand it what they say as `chosen`."""

    @functools.wraps(function)
    def with_chosen(
        *,
        role: str | None,
        author: str | None,
        ivorn: str | None,
        since: float | None,
        until: float | None,
        where: str | None,
        dead: bool,
        limit: int | None,
        **others: Any,
    ) -> None:
        selection = Selection(role=role, author=author, ivorn=ivorn, since=since, until=until)
        function(chosen=Chosen(selection, where, dead, limit), **others)

    for option in reversed(_OPTIONS):
        with_chosen = option(with_chosen)
    return with_chosen


def open_store(pipeline: Pipeline) -> StoreReader:
    """Open the pipeline's store for reading, or say why not and exit."""
    try:
        return StoreReader.open(pipeline.node.store)
    except StoreError as error:
        fail(str(error), NOTHING)


def found_or_exit(store: StoreReader, ivorn: str) -> list[StoredEvent]:
    """Find the events of an IVORN, newest first, or say that there is none and exit."""
    found = find(store, ivorn)
    if not found:
        click.echo(
            f"no event {printable(ivorn)} in {store.path}; `voeflow events list` tells the IVORNs there are",
            err=True,
        )
        sys.exit(NOTHING)
    return found


def whole_or_exit(store: StoreReader, stored: StoredEvent) -> StoredEvent:
    """Give an event with what is kept beside it, or say that it has left the store and exit."""
    whole = store.complete(stored)
    if whole is None:
        click.echo(f"event {printable(stored.ivorn)} has just left {store.path}", err=True)
        sys.exit(NOTHING)
    return whole


def condition(pipeline: Pipeline, where: str | None) -> Callable[[StoreReader, StoredEvent], bool]:
    """Give what `--where` asks, as a function of an event and the store that has it."""
    if where is None:
        return lambda _, __: True
    when, mistakes = read_when("--where", where, pipeline.filters)
    if when is None:
        fail(str(mistakes[0]).replace("--where.when", "--where"), BAD_PIPELINE)

    @functools.lru_cache(maxsize=1)
    def filters(store: StoreReader) -> Filters:
        return Filters(pipeline.filters, pipeline.node.filter_timeout, store)

    def holds(store: StoreReader, stored: StoredEvent) -> bool:
        import trio

        whole = store.complete(stored)
        if whole is None:
            return False
        try:
            return trio.run(filters(store).hold, when, reread(whole))
        except (EventError, FilterError) as error:
            click.echo(f"{printable(stored.ivorn)}: left out: {error}", err=True)
            return False

    return holds


def choose(pipeline: Pipeline, store: StoreReader, chosen: Chosen, sink: str | None = None) -> array[int]:
    """Give the positions in the log of the events that are chosen, oldest first, in 8 bytes each.

    Args:
        pipeline: whose filters `--where` names.
        store: where to look.
        chosen: what the options say.
        sink: of dead letters, those of this sink; None for all.

    Raises:
        StoreError: the store cannot be read.
    """
    holds = condition(pipeline, chosen.where)
    selection = attrs.evolve(chosen.selection, sink=sink)
    seqs: Iterator[int]
    if chosen.dead:
        seqs = (letter.event.seq for letter in select_dead(store, selection) if holds(store, letter.event))
    elif chosen.where is not None:
        seqs = (event.seq for event in select(store, selection) if holds(store, event))
    else:
        seqs = select_seqs(store, selection)
    found = array("q")
    at = store.last_seq()
    with progress("looking", at) as tell:
        for seq in seqs:
            if len(found) == chosen.limit:
                break
            if not found or found[-1] != seq:  # it may be a dead letter of several sinks
                found.append(seq)
            tell(at - seq)
            at = seq
    found.reverse()
    return found
