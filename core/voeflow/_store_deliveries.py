"""Looking into the event store: how far the deliveries of one event are, and what filters said about it."""

from __future__ import annotations

from contextlib import closing
from typing import Literal

import attrs

from voeflow._store_format import explained
from voeflow._store_reader import StoreReader
from voeflow._store_records import StoredVerdict


@attrs.frozen
class DeliveryState:
    """How far the delivery of one event to one sink is.

    Attributes:
        sink: the sink's name.
        state: `delivered`, `not wanted` (the sink's `when` or `sources` left it out), `done` (one of these
            two, before the store kept which), `waiting` (it failed and is to be tried again, or is to be
            handed over again), `dead` (it was given up), or `to come`.
        attempts: how many failed, where it waits or is dead; where it was delivered, how many that took.
        at: when it was delivered, is tried again, or was given up, in seconds since 1970, UTC; else None,
            also where that is as soon as may be.
        reason: why the last attempt failed, or empty.
    """

    sink: str
    state: Literal["delivered", "not wanted", "done", "waiting", "dead", "to come"]
    attempts: int = 0
    at: float | None = None
    reason: str = ""


def deliveries_of(store: StoreReader, seq: int) -> list[DeliveryState]:
    """Say for each sink in use how far the delivery of one event is, by the sinks' names.

    A sink that was added to the pipeline after the event came in is left out: the event is not its business.

    Raises:
        StoreError: the store cannot be read.
    """
    with explained(store.path, "read"), closing(store.connect()) as connection:
        rows = connection.execute(
            """SELECT name, cursor, told, deliveries.attempts, due, reason, dead, asked.seq, at,
            delivered.attempts FROM sinks
            LEFT JOIN deliveries ON deliveries.sink = sinks.id AND deliveries.seq = ?1
            LEFT JOIN delivered ON delivered.sink = sinks.id AND delivered.seq = ?1
            LEFT JOIN asked ON asked.sink = sinks.id AND asked.seq = ?1
            WHERE active AND (first <= ?1 OR dead IS NOT NULL OR asked.seq IS NOT NULL) ORDER BY name""",
            (seq,),
        ).fetchall()
    return [_delivery_state(seq, *row) for row in rows]


def verdicts_of(store: StoreReader, seq: int) -> list[StoredVerdict]:
    """Give what filters said about one event, by the filters' names.

    Raises:
        StoreError: the store cannot be read.
    """
    with explained(store.path, "read"), closing(store.connect()) as connection:
        rows = connection.execute(
            "SELECT filter, holds, reason FROM verdicts WHERE seq = ? ORDER BY filter", (seq,)
        ).fetchall()
    return [StoredVerdict(seq, name, bool(holds), reason) for name, holds, reason in rows]


def _delivery_state(
    seq: int,
    sink: str,
    cursor: int,
    told: int,
    attempts: int | None,
    due: float | None,
    reason: str | None,
    dead: int | None,
    asked: int | None,
    at: float | None,
    took: int | None,
) -> DeliveryState:
    if asked is not None:
        return DeliveryState(sink, "waiting", attempts or 0, None, reason or "")
    if dead is not None:
        return DeliveryState(sink, "dead" if dead else "waiting", attempts or 0, due or None, reason or "")
    if at is not None:
        return DeliveryState(sink, "delivered", took or 0, at)
    if seq > cursor:
        return DeliveryState(sink, "to come")
    return DeliveryState(sink, "not wanted" if seq >= told else "done")
