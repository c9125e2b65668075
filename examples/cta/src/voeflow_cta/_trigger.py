"""Which burst, wave or neutrino an event is about: the same for all that is told of it."""

from __future__ import annotations

import hashlib
import re

import voeflow

from ._alerts import all_params

#: Where missions write what they call the same thing by in every notice: Swift, Fermi, MAXI and INTEGRAL;
#: SVOM; LVK; IceCube, by the run and the event in it.
_NAMES = (("trigid",), ("burst_id",), ("graceid",), ("trigger_id",), ("run_id", "event_id"))

#: Flags are written as such a number, and say nothing of which event it is.
_NO_ID = re.compile(r"(0x[0-9a-f]*|0*|none|unknown)", re.IGNORECASE)

_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")


def trigger_of(event: voeflow.Event) -> str:
    """Name the trigger: what the author calls it; else the first event that it cites; else itself."""
    params = all_params(event)
    for names in _NAMES:
        values = [params[name].value.strip() for name in names if name in params]
        if len(values) == len(names) and not any(_NO_ID.fullmatch(value) for value in values):
            return f"{event.author or ''} {'-'.join(values)}"
    return event.citations[0].ivorn if event.citations else event.ivorn


def folder_of(event: voeflow.Event) -> str:
    """Give the name of a folder for all that is told of one trigger: never a path, and never another's."""
    trigger = trigger_of(event)
    readable = _UNSAFE.sub("_", re.split(r"[/#? ]", trigger)[-1]).strip("._-")[:60]
    digest = hashlib.sha256(trigger.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{readable or 'trigger'}.{digest}"
