"""How far a subscriber has come in what one broker sends: the place from which it resumes."""

from __future__ import annotations

from datetime import datetime

import attrs

import voeflow

from ._options import utcnow
from ._resume import Resume, Stage, read_time, write_time

_NONE = "-"


@attrs.define(eq=False)
class Place:
    """The place in one broker's events up to which this node holds them all.

    It is the node's bookmark under the name of the remote: each has its own, since another broker has the
    same events in another order, and what one sent after an event the other may have sent before it.

    Nothing counts before the broker has said where it begins. What it sent before that, while our answer to
    its `authenticate` was on its way, lies beyond what we miss.

    Attributes:
        node: keeps the bookmark.
        remote: its name.
        after: the digest of the last event held.
        since: up to when everything is held, by our own clock. It stands still while the broker sends what we
            missed, which came to it long before it comes to us.
        first: whether there was nothing to recall: this connection begins with what is new.
        stage: what the broker said last on this connection.
    """

    node: voeflow.Node
    remote: str
    after: bytes | None = None
    since: datetime | None = None
    first: bool = False
    stage: Stage | None = attrs.field(default=None, init=False)

    @classmethod
    async def recall(cls, node: voeflow.Node, remote: str) -> Place:
        """Recall the place for a new connection.

        For a remote that was never subscribed to it is the time up to which another one was followed, as
        those tried in turn are taken to be brokers of the same events. Where there is none either it is now,
        and that is noted, so that from the first attempt on nothing is missed.

        Raises:
            StoreError: the bookmarks cannot be had, or none can be noted.
        """
        bookmarks = await node.bookmarks()
        if (own := bookmarks.get(remote)) is not None:
            return cls(node, remote, *_read(own))
        others = [since for each in bookmarks.values() if (since := _read(each)[1]) is not None]
        if others:
            return cls(node, remote, since=max(others))
        place = cls(node, remote, since=utcnow(), first=True)
        place._note()
        await node.bookmarks()  # so that it is on disk before the broker sends anything
        return place

    def resume(self) -> Resume:
        """Give what is named to the broker."""
        return Resume(self.after, None if self.first else self.since, self.node.max_event)

    def told(self, stage: Stage) -> None:
        """Note what the broker says of where it is."""
        self.stage = stage
        if stage == "live":
            self.since = utcnow()
            self._note()

    def hold(self, digest: bytes, stage: Stage) -> None:
        """Note that an event of this digest is held, and all before it; it came at this stage."""
        self.after = digest
        if stage == "live":
            self.since = utcnow()
        self._note()

    def _note(self) -> None:
        after = self.after.hex() if self.after is not None else _NONE
        since = write_time(self.since) if self.since is not None else _NONE
        self.node.bookmark(self.remote, f"{after} {since}")


def _read(bookmark: str) -> tuple[bytes | None, datetime | None]:
    after, _, since = bookmark.partition(" ")
    return None if after == _NONE else bytes.fromhex(after), read_time(since)
