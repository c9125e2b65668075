"""What each source of the node last heard, and for how long it has heard nothing.

Silence is measured by the clock of the event loop, which no change of the machine's time moves, and which
stands still while the machine sleeps. Only time in which the node runs counts: it is kept through a restart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import trio

from voeflow import _wall
from voeflow._text import printable

#: Under which source bookmarks of what was heard are kept: no transport can have such a name.
BOOKMARKS = "node:heard"

#: The longest name of a peer that is kept, in characters.
_MAX_PEER = 100


@attrs.frozen(kw_only=True)
class Alarm:
    """An alarm that was raised, and not cleared.

    Attributes:
        ivorn: of the event that raised it.
        since: when it was raised, in seconds since 1970, UTC.
    """

    ivorn: str
    since: float


@attrs.frozen(kw_only=True)
class Heard:
    """What is kept of what a source has heard; times are in seconds since 1970, UTC, None for never.

    Attributes:
        last: when it last heard anything.
        event: when an event last came in, known already or not.
        sign: when it last had another sign of life.
        peer: whom it last heard, as the transport gave it: an address, say; or empty.
        silent: for how many seconds of the node's running time it had heard nothing when this was kept.
        alarm: what was raised over its silence.
        unsent: the packet that is to tell of the alarm or its end and is not yet in the store, or empty.
    """

    last: float | None = None
    event: float | None = None
    sign: float | None = None
    peer: str = ""
    silent: float = 0.0
    alarm: Alarm | None = None
    unsent: str = ""

    def dump(self) -> str:
        """Give it as the text of a bookmark."""
        return json.dumps(attrs.asdict(self), separators=(",", ":"))

    @classmethod
    def load(cls, text: str) -> Heard:
        """Read it from the text of a bookmark; a text of another make gives nothing heard."""
        try:
            kept: dict[str, Any] = json.loads(text)
            alarm = kept.pop("alarm")
            return cls(**kept, alarm=Alarm(**alarm) if alarm is not None else None)
        except (ValueError, TypeError, KeyError, AttributeError):
            return cls()


def load_all(bookmarks: Mapping[str, str]) -> dict[str, Heard]:
    """Read what is kept under `BOOKMARKS`, by the names of sources."""
    return {source: Heard.load(text) for source, text in bookmarks.items()}


class Ear:
    """What one transport hears while the node runs.

    Attributes:
        source: the transport's name.
        wake: called when something is heard while an alarm is on.
        plugin: the name of its plugin.
        silent_after: how long it may hear nothing before an alarm, in seconds; None for as long as it likes.
        listening: whether it is a source of the pipeline at work: else its silence is nobody's matter, and
            begins anew when it is one again.
        alarm: what was raised over its silence.
        unsent: the packet that is to tell of the alarm or its end and is not yet in the store, or empty.
        broken: how long it had heard nothing when that ended, in seconds, while an alarm is on; else None.
    """

    def __init__(self, source: str, wake: Callable[[], None]) -> None:
        self.source = source
        self.wake = wake
        self.plugin = ""
        self.silent_after: float | None = None
        self.listening = True
        self.alarm: Alarm | None = None
        self.unsent = ""
        self.broken: float | None = None
        self._last: float | None = None
        self._event: float | None = None
        self._sign: float | None = None
        self._peer = ""
        self._heard_at: float = trio.current_time()  # by the event loop's clock

    @property
    def silence(self) -> float:
        """For how long it has heard nothing, in seconds of the node's running time."""
        return trio.current_time() - self._heard_at if self.listening else 0.0

    @property
    def heard(self) -> Heard:
        """What is to be kept of it."""
        return Heard(
            last=self._last,
            event=self._event,
            sign=self._sign,
            peer=printable(self._peer, _MAX_PEER),
            silent=round(self.silence, 3),
            alarm=self.alarm,
            unsent=self.unsent,
        )

    def recall(self, heard: Heard) -> None:
        """Go on from what was kept."""
        self._last, self._event, self._sign, self._peer = heard.last, heard.event, heard.sign, heard.peer
        self.alarm, self.unsent = heard.alarm, heard.unsent
        self._heard_at = trio.current_time() - heard.silent

    def watch(self, plugin: str, silent_after: float | None) -> None:
        """Listen for a source of the pipeline at work."""
        if not self.listening:
            self._heard_at = trio.current_time()
        self.listening, self.plugin, self.silent_after = True, plugin, silent_after

    def leave(self) -> None:
        """Listen no more: it is no source of the pipeline at work."""
        self.listening, self.silent_after = False, None

    def note_sign(self, peer: str) -> None:
        """Note a sign of life."""
        self.note_arrival(peer)
        self._sign = self._last

    def note_arrival(self, peer: str) -> None:
        """Note that something was heard, whatever it may be."""
        now = trio.current_time()
        if self.alarm is not None and self.broken is None:
            self.broken = now - self._heard_at
            self.wake()
        self._heard_at = now
        self._last = _wall.now()
        self._peer = peer

    def note_answer(self, outcome: str) -> None:
        """Note what became of what arrived: an event, known or not, or a packet that was refused."""
        if outcome == "refused":
            self._sign = _wall.now()
        else:
            self._event = _wall.now()
