"""Which tables of a pipeline are at work, and what one pipeline has in common with another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import attrs

from voeflow._policy import Policy
from voeflow._tables import FilterTable, HandlerTable, Pipeline, TransportTable

#: How often a delivery that a transport failed is tried again, and the first wait, in seconds.
TRANSPORT_RETRIES, TRANSPORT_RETRY_WAIT = 5, 5.0


def policy_of(table: HandlerTable | TransportTable) -> Policy:
    """Give what a table says of the events it wants and of its failures."""
    if isinstance(table, HandlerTable):
        return Policy(table.when, table.sources, table.retries, table.retry_wait, table.give_up_after)
    return Policy(table.when, table.sources, TRANSPORT_RETRIES, TRANSPORT_RETRY_WAIT)


def is_sink(table: HandlerTable | TransportTable) -> bool:
    """Whether events go out to a table."""
    return isinstance(table, HandlerTable) or table.is_sink


def tables_of(pipeline: Pipeline) -> dict[str, HandlerTable | TransportTable]:
    """Give every table that has a part, in the order in which they are started."""
    sinks = [table for table in pipeline.transports.values() if table.is_sink]
    sources = [table for table in pipeline.transports.values() if not table.is_sink]
    tables: list[HandlerTable | TransportTable] = [*sinks, *pipeline.handlers.values(), *sources]
    return {table.name: table for table in tables}


def keep_unchanged(old: Pipeline, new: Pipeline) -> Pipeline:
    """Give `new` with the tables of `old` wherever they say the same, so that these go on as they are."""
    return attrs.evolve(
        new,
        transports=_kept(old.transports, new.transports),
        filters=_kept(old.filters, new.filters, _reads_the_same),
        handlers=_kept(old.handlers, new.handlers),
    )


_Table = TypeVar("_Table", TransportTable, FilterTable, HandlerTable)


def _kept(
    old: Mapping[str, _Table], new: Mapping[str, _Table], same: Callable[[object, object], bool] | None = None
) -> Mapping[str, _Table]:
    tables = {}
    for name, table in new.items():
        before = old.get(name)
        keep = before is not None and (before.plugin, before.keys) == (table.plugin, table.keys)
        if before is not None and keep and same is not None:
            keep = same(before.instance, table.instance)
        tables[name] = before if before is not None and keep else table
    return tables


def _reads_the_same(before: object, now: object) -> bool:
    """Whether two filters of the same keys are one: what they read from files may have changed since.

    Only those that are values are compared, by what makes them equal. One that can change keeps what it has
    learnt.
    """
    is_value = type(now).__hash__ is not None and type(now).__eq__ is not object.__eq__
    return not is_value or before == now
