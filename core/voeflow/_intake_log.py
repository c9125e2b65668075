"""What the log says of intake: a line for each event while there are few, else sums."""

from __future__ import annotations

import time
from collections.abc import Sequence

import structlog
import trio

from voeflow._answers import Envelope
from voeflow._entry import Entry
from voeflow._errors import StoreError
from voeflow._event import Event
from voeflow._node_api import Submission
from voeflow._quota import Quota

log = structlog.get_logger()

#: So many accepted events in a second have a line each; the rest of that second is told in one. A line takes
#: as long as reading a packet.
LINES_A_SECOND = 20

#: Up to this many refusals of what one peer sends have a line each in the log in a time, in seconds; the rest
#: is counted. A frame of four bytes is enough for a refusal, and a peer can send thousands of them a second.
REFUSALS_A_PEER, REFUSAL_INTERVAL = 20, 60.0

#: Notices of one topic that are refused by one mapping, or that none knows, have one line in the log in this
#: time, in seconds, and so has what else of a topic is refused; the rest is counted.
NOTICE_INTERVAL = 3600.0

#: The least time between two complaints about the store, in seconds.
COMPLAINT_INTERVAL = 60.0


class IntakeLog:
    """Says what has become of packets, and whether the store can write."""

    def __init__(self) -> None:
        self._lines = Quota(LINES_A_SECOND, 1.0)
        self._refusals = Quota(REFUSALS_A_PEER, REFUSAL_INTERVAL)
        self._notices = Quota(1, NOTICE_INTERVAL)
        self._unsaid = 0
        self._last: Event | None = None  # of those
        self._more = trio.lowlevel.ParkingLot()
        self._complained = -COMPLAINT_INTERVAL
        self._failing = False
        self._log = log.bind()  # which costs a tenth of a line

    async def run(self) -> None:
        """Tell in sum what had no line of its own, a second later, until cancelled."""
        try:
            while True:
                while not self._unsaid:
                    await self._more.park()
                await trio.sleep(1.0)
                self._tell_unsaid()
        finally:
            self._tell_unsaid()

    def accepted(self, accepted: Sequence[Envelope], duplicates: int) -> None:
        """Tell of a batch that has been stored."""
        now = trio.current_time()
        for envelope in accepted:
            event = envelope.event
            if self._lines.ask("accepted", now) is None:
                self._unsaid += 1
                self._last = event
                continue
            facts = {"role": event.role, "source": event.source}
            if not event.valid:
                facts["defect"] = str(event.defects[0])
            self._log.info("event accepted", ivorn=event.ivorn, **facts)
        if self._unsaid:
            self._more.unpark()
        if duplicates:
            self._log.debug("duplicates acknowledged", number=duplicates)

    def refused(self, entry: Entry, submission: Submission) -> None:
        """Tell of what was refused."""
        host = entry.peer.rpartition(":")[0]  # each of its connections has another port
        if entry.about or entry.where:  # a topic with what nobody knows has it by the thousand
            topic = sorted(entry.about.items()) or entry.peer
            unsaid = self._notices.ask(f"{entry.source} {topic}", time.monotonic())
        else:
            unsaid = self._refusals.ask(f"{entry.source} {host}", time.monotonic())
        if unsaid is not None:
            log.warning(
                "notice refused" if entry.about else "event refused",
                source=entry.source,
                peer=entry.peer,
                ivorn=submission.ivorn,
                reason=submission.reason,
                **entry.about,
                **({"where": entry.where} if entry.where else {}),
                **({"refused_meanwhile": unsaid} if unsaid else {}),
            )

    def recovered(self) -> None:
        """Say that the store can write, if it could not."""
        if self._failing:
            self._failing = False
            log.info("the store can write again: events are taken")

    def complain(self, error: StoreError, number: int) -> None:
        """Say that the store cannot write; `number` is how many packets that concerns."""
        self._failing = True
        now = time.monotonic()
        if now - self._complained >= COMPLAINT_INTERVAL:
            self._complained = now
            log.error(
                "the store cannot write: no receipts are sent, authors will try again",
                reason=str(error),
                events=number,
            )

    def _tell_unsaid(self) -> None:
        if self._unsaid and self._last is not None:
            log.info("events accepted", number=self._unsaid, last=self._last.ivorn, source=self._last.source)
        self._unsaid, self._last = 0, None
