"""The handler `occultation-calendar`: an entry in a calendar for each occultation that the site can see."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import attrs
import structlog

import voeflow

from ._entry import Entry, describe, newest, read, revise, said_by, write
from ._path import NoPathError
from ._site import ShadowPath

log = structlog.get_logger()

#: How many entries are looked at when the node starts.
ENTRIES_MAX = 10_000


@attrs.frozen
class OccultationCalendar(ShadowPath):
    """Write a calendar entry for each occultation that a site can see, and keep it up to date.

    Each is a file of its own in `directory`, as calendar servers and programs such as vdirsyncer take them,
    with a UID that stays. An alert that supersedes another revises its entry (`SEQUENCE`); one that retracts
    it, or whose path has moved away, marks it `CANCELLED`. So give this handler every prediction, and not
    only what a filter lets pass: it has to see an update that says so. An alert that is older than what is
    written changes nothing.

        [handlers.calendar]
        plugin       = "occultation-calendar"
        directory    = "calendar"
        location     = "Observatoire de Haute-Provence"
        latitude     = 43.9308
        longitude    = 5.7133
        max_distance = 60
        min_drop     = 0.5
        when         = "predictions"
    """

    directory: Path = attrs.field(
        default=Path("calendar"), metadata={"help": "where the entries are written, a file for each"}
    )
    location: str = attrs.field(default="", metadata={"help": "the site's name, for the entries"})
    min_drop: float = attrs.field(
        default=0.0, metadata={"help": "the least Magnitude_Drop that is worth an entry, in magnitudes"}
    )
    lead: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(300.0),
        metadata={"help": "how long before and after the middle of the occultation an entry lasts"},
    )
    alarm: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(3600.0),
        metadata={"help": 'how long before its start a calendar reminds of it; "0" for never'},
    )
    _turn: threading.Lock = attrs.field(init=False, repr=False, eq=False, factory=threading.Lock)
    _uids: dict[str, set[str]] = attrs.field(init=False, repr=False, eq=False, factory=dict)

    def start(self) -> None:
        """Make the directory, and see which alerts the entries in it are about."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for path in sorted(self.directory.glob("*.ics"))[:ENTRIES_MAX]:
            if (entry := _read(path)) is not None:
                self._remember(entry)

    def handle(self, event: voeflow.Event) -> None:
        """Write, revise or cancel the entry that an event is about.

        Raises:
            OSError: it cannot be written.
        """
        with self._turn:
            linked = self._linked(event)
            for entry in revise(linked, self._said(event, linked)):
                self._write(entry)
                log.info(
                    "calendar entry written",
                    ivorn=event.ivorn,
                    sequence=entry.sequence,
                    cancelled=entry.cancelled,
                )

    def _said(self, event: voeflow.Event, linked: Sequence[Entry]) -> Entry | None:
        """Give what an event by itself makes of an occultation; None where it is of no concern."""
        cited = _cited(event)
        old = newest(linked)
        if any(citation.kind == "retraction" for citation in event.citations):
            # Also where there is no entry: what is retracted may still be to come.
            moment = (event.time or event.received).replace(microsecond=0)
            words = ("Occultation", voeflow.printable(event.ivorn, 300))
            if old is None:
                return said_by(event, cited, "the prediction was retracted", moment, moment, words)
            words = (old.summary, old.description)
            return said_by(event, cited, "the prediction was retracted", old.start, old.end, words)
        try:
            found = self.closest(event)
        except NoPathError as error:
            log.warning("a prediction without a path", ivorn=event.ivorn, reason=str(error))
            return None
        drop = next((p.number for p in (*event.params, *_grouped(event)) if p.name == "Magnitude_Drop"), 0.0)
        cancelled = ""
        if found.distance > self.max_distance:
            cancelled = f"the path has moved away: now {found.distance:.0f} km from the site"
        elif not drop >= self.min_drop:
            cancelled = f"the magnitude drop is {drop:g} now"
        if cancelled and old is None and not cited:
            return None
        span = timedelta(seconds=self.lead)
        start, end = (moment.replace(microsecond=0) for moment in (found.time - span, found.time + span))
        return said_by(event, cited, cancelled, start, end, describe(event, found.distance, found.time))

    def _linked(self, event: voeflow.Event) -> list[Entry]:
        """Find the entries that an event, or one that it cites, is about; there may be several, until now."""
        ivorns = (*_cited(event), event.ivorn)
        uids = {uid for ivorn in ivorns for uid in self._uids.get(ivorn, ())}
        found = [_read(self._file(uid, True)) or _read(self._file(uid, False)) for uid in sorted(uids)]
        return [entry for entry in found if entry is not None]

    def _remember(self, entry: Entry) -> None:
        for ivorn in entry.ivorns:
            self._uids.setdefault(ivorn, set()).add(entry.uid)

    def _write(self, entry: Entry) -> None:
        content = write(
            entry,
            location=self.location,
            latitude=self.latitude,
            longitude=self.longitude,
            alarm=self.alarm,
        )
        _write_whole(self._file(entry.uid, entry.shown), content)
        self._remember(entry)
        if entry.shown:
            self._file(entry.uid, False).unlink(missing_ok=True)

    def _file(self, uid: str, shown: bool) -> Path:
        """Give an entry's file; one that has never been shown is out of sight of calendars."""
        return self.directory / f"{'' if shown else '.'}{uid.partition('@')[0]}.ics"


def _read(path: Path) -> Entry | None:
    """Read an entry; None where there is none, or another program's."""
    try:
        return read(path.read_bytes())
    except (OSError, ValueError, KeyError):
        return None


def _cited(event: voeflow.Event) -> tuple[str, ...]:
    return tuple(c.ivorn.strip() for c in event.citations if c.kind in ("supersedes", "retraction"))


def _grouped(event: voeflow.Event) -> list[voeflow.Param]:
    return [param for group in event.groups for param in group.params]


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file so that under its name there is at any instant the old content or the new."""
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
