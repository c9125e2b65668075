"""Places that a filter gives to events: what it needs to answer the same again, whatever happens between."""

from __future__ import annotations

import hashlib
import inspect
import threading
from typing import Protocol

import attrs

from voeflow._event import Event


class Places(Protocol):
    """What a filter remembers of the events it was asked about; for one whose answer hangs on earlier events.

    A filter whose method is `matches(self, event, places)` is given this beside the event. It is kept in the
    node's store, for each filter's table apart, and for as long as `retention` says. In a dry run, by
    `voeflow test`, it begins empty and is forgotten at the end.
    """

    def take(self, key: str, event: Event, *, limit: int = 1) -> int | None:
        """Give an event a place under a key, if one is left. It blocks: `matches` has to be a plain `def`.

        The first event that asks gets place 1. An event that has a place is given the same again, however
        often it asks, and after a crash or a power cut too: the place is on disk when this returns.

        Args:
            key: what events have in common, as the name of a burst; of any length, from anybody.
            event: the event.
            limit: how many places there are.

        Returns:
            The event's place, from 1 to `limit`; None where other events have them all.

        Raises:
            StoreError: the store cannot be read or written; where a filter lets it pass, the question is
                asked again later.
        """
        ...


class PlaceKeeper(Protocol):
    """Where places are kept; see `Places.take`."""

    def take_place(self, filter_: str, key: bytes, event: bytes, limit: int) -> int | None:
        """Give an event, by its digest, a place under a key, by its digest too."""
        ...


class PlacesInMemory:
    """Places that nobody needs later: those of a dry run."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, bytes], dict[bytes, int]] = {}
        self._lock = threading.Lock()

    def take_place(self, filter_: str, key: bytes, event: bytes, limit: int) -> int | None:
        """See `Places.take`."""
        with self._lock:
            taken = self._taken.setdefault((filter_, key), {})
            if event not in taken and len(taken) < limit:
                taken[event] = len(taken) + 1
            return taken.get(event)


@attrs.frozen(eq=False, repr=False)
class PlacesOf:
    """The places of one filter's table; see `Places`."""

    _filter: str
    _keeper: PlaceKeeper

    def take(self, key: str, event: Event, *, limit: int = 1) -> int | None:
        """See `Places.take`."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        return self._keeper.take_place(self._filter, digest, event.digest, limit)


def wants_places(matches: object) -> bool:
    """Whether a filter's method, bound or not, has a parameter `places`."""
    assert callable(matches)
    try:
        return "places" in inspect.signature(matches).parameters
    except (TypeError, ValueError):  # of something in C, which has none of ours
        return False
