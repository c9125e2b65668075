"""The node as one of its transports sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import attrs
import trio

from voeflow import _wall
from voeflow._bookmarks import Bookmarks
from voeflow._entry import Entry
from voeflow._hearing import Ear
from voeflow._history import read_history
from voeflow._intake import Intake
from voeflow._node_api import MAX_REASON, Answer, Check, Delivery, History, Submission, Validation
from voeflow._notice import Notice
from voeflow._notices import Notices
from voeflow._sink import Sink
from voeflow._store import Store
from voeflow._text import printable

#: How many deliveries a transport takes at once, at most.
TAKEN_AT_ONCE = 256


@attrs.define(eq=False, repr=False)
class NodeOfTransport:
    """The node as one transport sees it; see `voeflow.Node`."""

    name: str
    ivoid: str
    max_event: int
    _intake: Intake
    _notices: Notices
    _open: trio.Event
    _sink: Sink | None
    _store: Store
    _bookmarks: Bookmarks
    _ear: Ear
    _delivered_up_to: Callable[[], int]

    async def submit(
        self,
        raw: bytes,
        *,
        validate: Validation = "schema",
        peer: str = "",
        where: str = "",
        check: Check | None = None,
    ) -> Submission:
        """See `voeflow.Node.submit`; waits until the whole node is ready."""
        _check_types("submit", self.name, (raw, bytes), (peer, str), (where, str))
        self._ear.note_arrival(peer)
        await self._open.wait()
        submission = await self._intake.submit(
            raw, source=self.name, validate=validate, peer=peer, where=where, check=check
        )
        self._ear.note_answer(submission.outcome)
        return submission

    def submit_nowait(
        self,
        raw: bytes,
        answered: Callable[[Sequence[Answer]], None],
        *,
        validate: Validation = "schema",
        peer: str = "",
        check: Check | None = None,
    ) -> None:
        """See `voeflow.Node.submit_nowait`; nothing is answered before the whole node is ready."""
        _check_types("submit_nowait", self.name, (raw, bytes), (peer, str))
        self._ear.note_arrival(peer)
        self._intake.take_nowait(
            Entry(
                raw,
                self.name,
                validate,
                peer,
                "",
                _wall.utcnow(),
                check=check,
                answered=answered,
                noted=self._ear.note_answer,
            )
        )

    async def submit_notice(
        self,
        notice: Notice,
        *,
        mapping: str = "",
        peer: str = "",
        where: str = "",
        check: Check | None = None,
    ) -> Submission:
        """See `voeflow.Node.submit_notice`; waits until the whole node is ready."""
        _check_types("submit_notice", self.name, (notice, Notice), (mapping, str), (peer, str), (where, str))
        self._ear.note_arrival(peer)
        await self._open.wait()
        submission = await self._notices.submit(
            notice, source=self.name, mapping=mapping, peer=peer, where=where, check=check
        )
        self._ear.note_answer(submission.outcome)
        return submission

    async def refuse(self, raw: bytes, reason: str, *, peer: str = "", where: str = "") -> Submission:
        """See `voeflow.Node.refuse`; waits until the whole node is ready."""
        _check_types("refuse", self.name, (raw, bytes), (reason, str), (peer, str), (where, str))
        self._ear.note_arrival(peer)
        await self._open.wait()
        reason = printable(reason, MAX_REASON) or "the transport cannot take it"
        submission = await self._intake.refuse(raw, reason, source=self.name, peer=peer, where=where)
        self._ear.note_answer(submission.outcome)
        return submission

    async def take(self) -> Sequence[Delivery]:
        """See `voeflow.Node.take`."""
        return await self._as_sink().take(TAKEN_AT_ONCE)

    def bookmark(self, name: str, value: str) -> None:
        """See `voeflow.Node.bookmark`."""
        _check_types("bookmark", self.name, (name, str), (value, str))
        try:
            (name + value).encode()
        except UnicodeEncodeError:
            raise ValueError(
                f"bookmark() of transports.{self.name}: expected text that can be written as UTF-8, "
                f"got {name!r} and {value!r}"
            ) from None
        self._bookmarks.note(self.name, name, value)

    async def bookmarks(self) -> Mapping[str, str]:
        """See `voeflow.Node.bookmarks`."""
        return await self._bookmarks.of(self.name)

    def heard(self, peer: str = "") -> None:
        """See `voeflow.Node.heard`."""
        self._ear.note_sign(peer)

    @property
    def delivered_up_to(self) -> int:
        """See `voeflow.Node.delivered_up_to`."""
        return self._delivered_up_to()

    @property
    def position(self) -> int:
        """See `voeflow.Node.position`."""
        return self._as_sink().position

    async def history(self, after: int, upto: int) -> History:
        """See `voeflow.Node.history`."""
        return await read_history(self._store, self._as_sink(), after, upto)

    async def find(self, digest: bytes) -> int | None:
        """See `voeflow.Node.find`."""
        return await trio.to_thread.run_sync(self._store.find, digest)

    async def position_at(self, moment: datetime) -> int:
        """See `voeflow.Node.position_at`."""
        return await trio.to_thread.run_sync(self._store.position_at, moment.timestamp())

    def _as_sink(self) -> Sink:
        if self._sink is None:
            raise TypeError(f"transports.{self.name} is no sink: its class has to say `sink = True`")
        return self._sink


def _check_types(method: str, name: str, *given: tuple[object, type]) -> None:
    """See that a plugin submits what can be stored: it shares a batch with the packets of others.

    Raises:
        TypeError: it does not.
    """
    for value, kind in given:
        if not isinstance(value, kind):
            expected = ", ".join(each.__name__ for _, each in given)
            got = ", ".join(type(each).__name__ for each, _ in given)
            raise TypeError(f"{method}() of transports.{name}: expected {expected}, got {got}")
