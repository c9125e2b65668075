"""Sinks for tests, over a real store, and the events that they are offered."""

from __future__ import annotations

from support.samples import voevent
from voeflow import Event
from voeflow._answers import Envelope, Filters
from voeflow._entry import to_store
from voeflow._observers import Observers
from voeflow._policy import Policy
from voeflow._sink import Sink
from voeflow._store import Store
from voeflow._when import parse_when


def envelopes(number: int, first: int = 1) -> list[Envelope]:
    """Make events as they are offered to a sink."""
    return [
        Envelope(seq, Event.parse(voevent(f"ivo://org.example/a#{seq}")))
        for seq in range(first, first + number)
    ]


def resumed(store: Store) -> Sink:
    """Give the sink `out` as a start of the node has it."""
    return Sink(
        "out",
        Policy(parse_when(None), None, 5, 30.0),
        store.open_sinks(["out"])["out"],
        store.last_seq(),
        store=store,
        filters=Filters({}, 1.0),
        observers=Observers({}),
    )


def stored(store: Store, number: int) -> None:
    """Store events."""
    store.append([to_store(each.event, None) for each in envelopes(number)])
