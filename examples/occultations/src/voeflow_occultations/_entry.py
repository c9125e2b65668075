"""An entry of a calendar (RFC 5545), and what an alert makes of it: updated, called off, or left as it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import icalendar

import voeflow

#: The longest text of a packet in an entry, in characters.
TEXT_MAX = 300

#: In the file itself is what is to be known of it when the next alert comes: the state cannot be lost apart.
_STATE = "X-VOEFLOW-STATE"


@attrs.frozen
class Entry:
    """What a calendar says of one occultation.

    Attributes:
        uid: by which calendars know it; the same for all alerts about it (RFC 5545, section 3.8.4.7).
        ivorns: the alerts that it was made of, or that these cite.
        written: when the author wrote the newest of them.
        sequence: how often it was revised (section 3.8.7.4).
        shown: whether a calendar has ever shown it.
        cancelled: why there is nothing to observe any more, or empty.
        start: when to begin, in UTC.
        end: when it is over, in UTC.
        summary: what it is, in a line.
        description: all that is to be known, in lines.
    """

    uid: str
    ivorns: tuple[str, ...]
    written: datetime
    sequence: int
    shown: bool
    cancelled: str
    start: datetime
    end: datetime
    summary: str
    description: str


def uid_of(ivorn: str) -> str:
    """Make a UID of the IVORN of the first alert about an occultation that is known of."""
    return f"{hashlib.sha256(ivorn.strip().lower().encode()).hexdigest()[:32]}@voeflow"


def describe(event: voeflow.Event, distance: float, time: datetime) -> tuple[str, str]:
    """Give the summary and the description of a prediction, out of what its packet says."""

    def said(name: str) -> str:
        found = next((p for p in _params(event) if p.name == name), None)
        return "unknown" if found is None else _text(f"{found.value} {found.unit}".strip())

    summary = f"Occultation of {said('Star_Name')} by {said('Object_Name')}, drop {said('Magnitude_Drop')}"
    lines = [
        f"Central line {distance:.1f} km from the site at {time:%Y-%m-%d %H:%M:%S} UTC",
        f"Star: {said('Star_Name')}, magnitude {said('Star_Magnitude')}",
        f"Magnitude drop: {said('Magnitude_Drop')}",
        f"At most {said('Max_Duration')}",
        f"Diameter {said('Object_Diameter')}, path uncertain by {said('Path_Uncertainty')}",
    ]
    if event.position is not None:
        lines.append(f"RA {event.position.ra:.5f} deg, Dec {event.position.dec:+.5f} deg")
    lines.append(_text(event.ivorn))
    return summary, "\n".join(lines)


def said_by(
    event: voeflow.Event,
    cited: Sequence[str],
    cancelled: str,
    start: datetime,
    end: datetime,
    words: tuple[str, str],
) -> Entry:
    """Give the entry that an alert makes by itself.

    Args:
        event: the alert.
        cited: the IVORNs that it supersedes or retracts.
        cancelled: why there is nothing to observe, or empty.
        start: when to begin.
        end: when it is over.
        words: summary and description.
    """
    ivorns = tuple(dict.fromkeys((*cited, event.ivorn)))
    written = (event.date or event.received).astimezone(UTC)
    return Entry(uid_of(ivorns[0]), ivorns, written, 0, not cancelled, cancelled, start, end, *words)


def newest(entries: Sequence[Entry]) -> Entry | None:
    """Give the entry that the newest alert made."""
    return max(entries, key=lambda entry: entry.written, default=None)


def revise(linked: Sequence[Entry], said: Entry | None) -> list[Entry]:
    """Give the entries that are to be written, now that an alert came in.

    Alerts may come in any order; the newest counts. Where it only now turns out that two entries are about
    one occultation, the first goes on, and the others are called off.

    Args:
        linked: the entries that the alert, or one that it cites, is about.
        said: what it makes of it by itself, or None.
    """
    if said is None or not linked:
        return [] if said is None else [said]
    first = min(linked, key=lambda entry: (not entry.shown, entry.written))
    ivorns = tuple(dict.fromkeys(ivorn for entry in (*linked, said) for ivorn in entry.ivorns))
    # Of two of one time, what was there stays: then an alert that comes again changes nothing.
    best = max((first, *linked, said), key=lambda entry: entry.written)
    changed = []
    if best != first or ivorns != first.ivorns:
        changed.append(
            attrs.evolve(
                best,
                uid=first.uid,
                ivorns=ivorns,
                sequence=first.sequence + (best != first),
                shown=first.shown or best.shown,
            )
        )
    for other in linked:
        if other.uid != first.uid and other.shown and not other.cancelled:
            gone = "it is one with another entry"
            changed.append(
                attrs.evolve(other, cancelled=gone, sequence=other.sequence + 1, written=best.written)
            )
    return changed


def write(entry: Entry, *, location: str, latitude: float, longitude: float, alarm: float) -> bytes:
    """Give an entry as an iCalendar object (RFC 5545, section 3.4).

    Args:
        entry: the entry.
        location: the site's name.
        latitude: of the site in degrees.
        longitude: of the site in degrees, east.
        alarm: how long before its start a calendar reminds of it, in seconds; 0 for never.
    """
    event = icalendar.Event()
    event.add("uid", entry.uid)
    event.add("dtstamp", entry.written)  # of a PUBLISHed one: when it was revised (section 3.8.7.2)
    event.add("sequence", entry.sequence)
    event.add("dtstart", entry.start)
    event.add("dtend", entry.end)
    event.add("summary", f"Cancelled: {entry.summary}" if entry.cancelled else entry.summary)
    reason = f"CANCELLED: {entry.cancelled}\n" if entry.cancelled else ""
    event.add("description", reason + entry.description)
    event.add("status", "CANCELLED" if entry.cancelled else "TENTATIVE")
    event.add("location", location)
    event.add("geo", (latitude, longitude - 360 if longitude > 180 else longitude))
    event.add("categories", ["occultation"])
    event.add(_STATE, json.dumps([entry.written.isoformat(), entry.shown, entry.cancelled, *entry.ivorns]))
    if alarm and not entry.cancelled:
        reminder = icalendar.Alarm()
        reminder.add("action", "DISPLAY")
        reminder.add("description", entry.summary)
        reminder.add("trigger", -timedelta(seconds=alarm))
        event.add_component(reminder)
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//voeflow//occultations//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def read(content: bytes) -> Entry:
    """Read what `write` wrote.

    Raises:
        ValueError: it is something else.
    """
    calendar: Any = icalendar.Calendar.from_ical(content)
    (event,) = calendar.walk("VEVENT")
    written, shown, cancelled, *ivorns = json.loads(str(event[_STATE]))
    return Entry(
        uid=str(event["UID"]),
        ivorns=tuple(ivorns),
        written=datetime.fromisoformat(written),
        sequence=int(event["SEQUENCE"]),
        shown=shown,
        cancelled=cancelled,
        start=event["DTSTART"].dt,
        end=event["DTEND"].dt,
        summary=str(event["SUMMARY"]).removeprefix("Cancelled: "),
        description=str(event["DESCRIPTION"]).split("\n", 1)[-1] if cancelled else str(event["DESCRIPTION"]),
    )


def _params(event: voeflow.Event) -> list[voeflow.Param]:
    return [*event.params, *(param for group in event.groups for param in group.params)]


def _text(text: str) -> str:
    """Give text of a packet as one printable line: it may hold anything."""
    return voeflow.printable(" ".join(text[: 2 * TEXT_MAX].split()), TEXT_MAX)
