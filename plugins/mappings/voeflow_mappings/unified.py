"""Notices of GCN's unified schema: `gcn.notices.*`.

The schema is github.com/nasa-gcn/gcn-schema: a core of fields that mean the same for all missions, and what
each adds. One mapping serves all, so that it also serves the missions that come; what one mission means by a
field of its own is in `_missions`. docs/reference/notices.md has the tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from voeflow import (
    Contact,
    EventError,
    Group,
    Inference,
    Mapped,
    Notice,
    Param,
    Params,
    Position,
    Why,
    compose,
)

from . import _missions
from ._params import Budget, flat_params, make_params
from ._reading import Fields, Time, clean, is_number
from ._sequence import Earlier, Place, cited, compact, from_compact
from ._skymaps import sky_map
from ._unified_words import CLASS, FIELDS

#: GCN's own authority, as in the VOEvents of its classic notices.
AUTHORITY = "ivo://nasa.gsfc.gcn"

#: Where the time of making a notice may be, best first. Some missions give none: then that of the event.
_DATES = ("alert_datetime", "datetime_of_notice", "trigger_time", "observation_stop", "observation_start")
#: Where the time of the event may be.
_TIMES = ("trigger_time", "observation_start")

#: `alert_tense` (Alert.schema.json): the role of the packet (VOEvent 2.0, section 3.1.2). A trigger on
#: command tells of the instrument, not of the sky. What is not known is taken for an observation, to be seen.
_ROLES = {
    "test": "test",
    "injection": "test",
    "mock": "test",
    "planned": "prediction",
    "commanded": "utility",
}
#: Words in `alert_type`, and in the names of schemas and topics, that say the same.
_TEST_TYPES = frozenset({"test", "injected"})

#: How a packet cites those before it, by `alert_type`; others cite none. `subsequent` is a new burst.
_CITES = {"update": "supersedes", "retraction": "retraction"}
_CITING = {"supersedes": "There is news of the event", "retraction": "The event is taken back"}
_RANKS = {"update": 1, "retraction": 2}

#: Not among the Params: what is elsewhere in the packet, or beside it.
_ELSEWHERE = frozenset({"$schema", "ra", "dec", "description", "healpix_file", "skymap", "classification"})
_MAPS = {"healpix_file": "healpix.fits", "skymap": "skymap.fits"}

#: What follows the event's name in an IVORN: type, record number, time, and the notice's digest.
_SUFFIX = re.compile(r"([A-Za-z]+)(?:_(\d{1,9}))?_([0-9TZ.]+)_[0-9a-f]{8}", re.ASCII)
_NOT_LOCAL = re.compile(r"[^A-Za-z0-9.+-]+")
#: The greatest length of a name, in an IVORN and elsewhere, and the most names of one kind.
_MAX_PART = 60
_MAX_NAMES = 50


def map_notice(notice: Notice, earlier: Earlier) -> Mapped | None:
    """Make a VOEvent of a notice; None of what is not of the schema.

    Raises:
        EventError: it is of the schema, and something in it is missing or wrong.
    """
    found = notice.json
    schema = found.get("$schema") if isinstance(found, dict) else None
    source = _missions.source(notice.topic, schema if isinstance(schema, str) else "")
    return None if source is None else _map(notice, Fields.of(found), source, earlier)


def _map(notice: Notice, fields: Fields, source: _missions.Source, earlier: Earlier) -> Mapped:
    date = _first(fields, _DATES)
    if date is None:
        raise EventError(f"$: expected a time in one of {', '.join(_DATES)}, got none")
    seen = _first(fields, _TIMES)
    names, ids = fields.texts("event_name"), fields.texts("id")
    alert_type = fields.text("alert_type")
    instrument = " ".join(fields.texts("instrument"))
    mission = source.mission or fields.text("mission") or "unknown"
    record = _record(fields)

    stream = f"{AUTHORITY}/{_part(mission)}"
    event = f"{stream}#{_part(instrument) or source.kind}_"
    own_name = _part((ids or names or ("",))[0])
    if own_name:
        event += f"{own_name}_"
    said = _plain(alert_type)
    place = (date.moment, _RANKS.get(said, 0), record or 0)
    # A later record of a notice that says no type is an update of the one before.
    kind = _CITES.get(said or ("update" if (record or 0) > 1 else ""), "")
    suffix = [
        re.sub("[^A-Za-z]", "", alert_type)[:_MAX_PART] or "notice",
        *([] if record is None else [str(record)]),
        compact(date.moment),
        notice.digest.hex()[:8],
    ]
    budget = Budget()
    params, groups = _what(fields, budget)
    packet = compose(
        ivorn=event + "_".join(suffix),
        author=stream,
        date=date.text,
        role=_role(fields, said, source),
        contact=Contact(short_name=mission[:_MAX_PART]),
        description=fields.text("description")[:10_000] or _told(mission, instrument, alert_type),
        params=[*params, *budget.note()],
        groups=groups,
        position=_position(fields),
        time=None if seen is None else seen.text,
        time_error=_time_error(fields) if seen is not None else None,
        coord_system="UTC-ICRS-TOPO",
        observatory=mission[:_MAX_PART],
        why=_why(fields, names),
        citations=cited(earlier(event), place, _place_in(event), kind) if kind and own_name else (),
        citations_description=_CITING.get(kind, ""),
    )
    maps = tuple(
        each for name, file in _MAPS.items() for each in sky_map(notice, fields.values.get(name), file)
    )
    return Mapped(packet, maps)


def _first(fields: Fields, names: tuple[str, ...]) -> Time | None:
    """The first of several times that is there. All are looked at, so that a bad one does not pass."""
    times = [fields.time(name) for name in names]
    return next((time for time in times if time is not None), None)


def _record(fields: Fields) -> int | None:
    record = fields.number("record_number")
    return int(record) if record is not None and record.is_integer() and 0 <= record < 1e9 else None


def _plain(word: str) -> str:
    """Give a word of the schema, however it is written: `TEST` must not pass for the real thing."""
    return word.strip().lower()


def _role(fields: Fields, alert_type: str, source: _missions.Source) -> str:
    if source.test or alert_type in _TEST_TYPES:
        return "test"
    return _ROLES.get(_plain(fields.text("alert_tense")), "observation")


def _told(mission: str, instrument: str, alert_type: str) -> str:
    told = f"{mission} {instrument}".strip() + " notice" + (f": {alert_type}" if alert_type else "")
    return told[:1000]


def _position(fields: Fields) -> Position | None:
    ra, dec = fields.number("ra", 0, 360), fields.number("dec", -90, 90)
    if ra is None and dec is None:
        return None
    if ra is None or dec is None:
        raise fields.wrong("ra" if ra is None else "dec", "a number, as there is the other coordinate")
    return Position(ra, dec, _error(fields, ra, dec), "ICRS")


def _error(fields: Fields, ra: float, dec: float) -> float | None:
    """The radius of a circle that contains the error region: of an ellipse the longer axis."""
    region = fields.values.get("ra_dec_error")
    if isinstance(region, list):
        if not 1 <= len(region) <= 3 or not all(map(is_number, region)) or min(region[:2]) < 0:
            raise fields.wrong(
                "ra_dec_error", "a radius, or one to three numbers: semi-axes and position angle"
            )
        return float(max(region[:2]))
    axes = [
        axis
        for name in ("ra_dec_error", "position_a_error", "position_b_error")
        if (axis := fields.number(name, 0)) is not None
    ]
    return max(axes) if axes else _missions.radius_of_corners(fields, ra, dec)


def _time_error(fields: Fields) -> float | None:
    """Of an error that differs before and after, the larger."""
    error = fields.values.get("trigger_time_error")
    if isinstance(error, list):
        if not all(is_number(each) for each in error):
            raise fields.wrong("trigger_time_error", "a number, or a list of two")
        return max((abs(float(each)) for each in error), default=None)
    number = fields.number("trigger_time_error")
    return None if number is None else abs(number)


def _why(fields: Fields, names: tuple[str, ...]) -> Why | None:
    importance = fields.number("importance")
    if importance is not None and not 0 <= importance <= 1:
        importance = None
    inferences = [
        Inference(float(probability), names=(clean(name)[:_MAX_PART],))
        for name, probability in _classes(fields).items()
        if is_number(probability) and 0 <= probability <= 1
    ]
    if importance is None and not names and not inferences:
        return None
    return Why(
        importance,
        names=tuple(name[:_MAX_PART] for name in names[:_MAX_NAMES]),
        inferences=tuple(inferences[:_MAX_NAMES]),
        description=""
        if importance is None
        else "The importance is the score that the notice has under this name",
    )


def _classes(fields: Fields) -> dict[str, Any]:
    classes = fields.child("classification")
    return {} if classes is None else {key: value for key, value in classes.values.items() if key}


def _what(fields: Fields, budget: Budget) -> tuple[list[Param], list[Group]]:
    values = dict(fields.values)
    has_error = any(values.get(name) is not None for name in ("ra_dec_error", "position_a_error"))
    if has_error and values.get("containment_probability") is None:
        values["containment_probability"] = 0.9  # what the schema says it then is
    params, groups = make_params(values, FIELDS, budget, without=_ELSEWHERE)
    classes = _classes(fields)
    members = Params(flat_params(classes, dict.fromkeys(classes, CLASS), budget))
    if members:
        groups.append(Group("classification", "classification", members))
    return params, groups


def _part(text: str) -> str:
    """What may be one part of an IVORN, between the underscores or slashes."""
    return _NOT_LOCAL.sub("-", text).strip("-.")[:_MAX_PART]


def _place_in(event: str) -> Callable[[str], Place | None]:
    def place(ivorn: str) -> Place | None:
        """Where a packet is in the sequence of `event`; None where it is of another."""
        found = _SUFFIX.fullmatch(ivorn.removeprefix(event))
        moment = from_compact(found[3]) if found else None
        return (moment, _RANKS.get(_plain(found[1]), 0), int(found[2] or 0)) if found and moment else None

    return place
