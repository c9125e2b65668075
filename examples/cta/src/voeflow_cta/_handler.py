"""The `ctao-window` handler: writes when to observe, and a picture of the night, beside the packet."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import attrs

import voeflow

from ._observing import Observing
from ._trigger import folder_of, trigger_of
from ._windows import Outcome, judge

#: The file that says what holds for a trigger now.
_NOW = "now.json"


@attrs.frozen(kw_only=True)
class ObservationWindow(Observing):
    """Write when a CTAO site can observe an event, with a plot of the night, beside the packet.

    All that is told of one trigger comes into one folder of `directory`: for each event its packet, a JSON
    file with the window and why, and a PNG with the altitudes of the position, the Sun and the Moon.
    `now.json` says what holds now: the window by the latest event of the trigger, or that it was retracted,
    in whatever order they came. Hand it the same options as `ctao-observable`, and retractions too.

        [handlers.window]
        plugin = "ctao-window"
        directory = "windows"
        telescope = "lst"
        when = "alert or retraction"
    """

    directory: Path = attrs.field(metadata={"help": "where the folders of the triggers are made"})
    plot: bool = attrs.field(default=True, metadata={"help": "draw the night as a PNG"})

    def start(self) -> None:
        """See at the start that the directory can be written to, and load what draws."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        if not os.access(self.directory, os.W_OK):
            raise PermissionError(13, "no permission to write here", str(self.directory))
        if self.plot:
            from . import _plot  # noqa: F401 - matplotlib takes a second to load: not with the first alert

    def handle(self, event: voeflow.Event) -> None:
        """Write the files. The same event again writes the same names."""
        folder = self.directory / folder_of(event)
        folder.mkdir(exist_ok=True, mode=0o750)
        stem = f"{_order(event):%Y%m%dT%H%M%S}.{event.digest.hex()[:16]}"
        _write(folder / f"{stem}.xml", event.raw)
        retracted = [cited.ivorn for cited in event.citations if cited.kind == "retraction"]
        facts: dict[str, Any] = {
            "trigger": trigger_of(event),
            "ivorn": event.ivorn,
            "role": event.role,
            "written": _order(event).isoformat(),
        }
        if retracted:
            facts["retracts"] = retracted
        elif event.position is not None:
            facts |= self._window(event, folder / f"{stem}.png")
        else:
            facts |= {"observable": False, "reason": "no position"}
        _write(folder / f"{stem}.json", _json(facts))
        _write(folder / _NOW, _json(_what_holds(folder)))

    def _window(self, event: voeflow.Event, picture: Path) -> dict[str, Any]:
        assert event.position is not None
        begin = self.moment()
        sky, limits = self.sky(event.position, begin), self.limits(self.waited(event, begin))
        outcome = judge(sky, begin, limits)
        if unfit := self.unfit(event, begin):
            outcome = Outcome(False, unfit)
        window = outcome.window and [
            (begin + timedelta(minutes=minute)).isoformat(timespec="minutes") for minute in outcome.window
        ]
        if self.plot:
            from ._plot import draw_night

            title = f"{voeflow.printable(trigger_of(event), 60)} from {self.place.name}"
            draw_night(picture, title, sky, begin, limits, outcome)
        return {
            "observable": outcome.possible,
            "reason": outcome.reason,
            "window": window,
            "site": self.place.name,
            "telescope": self.telescope,
            "judged": begin.isoformat(timespec="seconds"),
            "ra": event.position.ra,
            "dec": event.position.dec,
            "error": event.position.error,
        }


def _order(event: voeflow.Event) -> datetime:
    """When the author wrote it, by which what is told of a trigger has its order."""
    return (event.date or event.received).astimezone(UTC)


def _what_holds(folder: Path) -> dict[str, Any]:
    """Say what holds for a trigger, from all that is in its folder."""
    told = [json.loads(path.read_text()) for path in sorted(folder.glob("*T*.json"))]
    retractions = [each for each in told if "retracts" in each]
    gone = {ivorn for each in retractions for ivorn in each["retracts"]}
    standing = [each for each in told if "retracts" not in each and each["ivorn"] not in gone]
    if not standing or (retractions and retractions[-1]["written"] >= standing[-1]["written"]):
        return {"state": "retracted" if retractions else "unknown", "by": retractions[-1]["ivorn"]}
    return {"state": "standing", **standing[-1], "events": len(told)}


def _json(facts: dict[str, Any]) -> bytes:
    return (json.dumps(facts, indent=2) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o640)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
