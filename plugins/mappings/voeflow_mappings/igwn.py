"""Gravitational-wave alerts: `igwn.gwalert`, from LIGO, Virgo and KAGRA (LVK).

The notices are described in the IGWN Public Alerts User Guide, "Alert Contents". What they become is what LVK
itself sent as VOEvents until July 2026; docs/reference/notices.md tells what differs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from voeflow import Contact, Group, Mapped, Notice, Param, Params, compose

from . import _lvk_words as words
from ._params import About, Budget, flat_params, make_params
from ._reading import Fields, is_number
from ._sequence import Earlier, Place, cited, compact, from_compact
from ._skymaps import sky_map

#: Author and stream, those of LVK's own VOEvents.
STREAM = "ivo://gwnet/LVC"

#: A superevent in GraceDB: `S`, or `MS` and `TS` for mock and test events, the date, and letters. Other
#: prefixes and suffixes are taken too, but nothing that would not be one part of an IVORN.
_NAME = re.compile(r"[A-Z]{1,4}\d{6}[A-Za-z]{1,10}", re.ASCII)

_SUFFIX = re.compile(r"-([A-Za-z]+)-([0-9TZ.]+)")
_RANK = {kind.name: rank for rank, kind in enumerate(words.KINDS.values())}

_MAPPED = frozenset({"alert_type", "time_created", "superevent_id", "urls", "event", "external_coinc"})
_MAPPED_OF_EVENT = frozenset({
    "time", "far", "significant", "instruments", "group", "pipeline", "search", "properties",
    "classification", "duration", "central_frequency", "skymap",
})  # fmt: skip


def map_alert(notice: Notice, earlier: Earlier, topics: tuple[str, ...]) -> Mapped | None:
    """Make a VOEvent of an alert, such as LVK used to send; None of what is none.

    Raises:
        EventError: it is an alert, and something in it is missing or wrong.
    """
    found = notice.json
    if notice.topic not in topics and not (isinstance(found, dict) and "superevent_id" in found):
        return None
    return _map(notice, Fields.of(found), earlier)


def _map(notice: Notice, alert: Fields, earlier: Earlier) -> Mapped:
    name = alert.text("superevent_id")
    if not _NAME.fullmatch(name):
        raise alert.wrong("superevent_id", "the name of a superevent such as S190425z")
    kind = words.KINDS.get(alert.text("alert_type").strip().upper())
    if kind is None:
        raise alert.wrong("alert_type", " or ".join(words.KINDS))
    created = alert.time("time_created")
    if created is None:
        raise alert.wrong("time_created", "the time of the alert")
    event = alert.child("event")
    if event is None and kind.name != "Retraction":
        raise alert.wrong("event", "an object, which all alerts but a RETRACTION have")
    event = event or Fields({}, "$.event")
    external = alert.child("external_coinc")
    urls = alert.child("urls") or Fields({}, "$.urls")

    place = (created.moment, _RANK[kind.name], 0)
    seen = event.time("time")
    params, groups = _what(name, kind, alert, event, urls, external)
    retraction = kind.name == "Retraction"
    citations = cited(
        earlier(f"{STREAM}#{name}-"),
        place,
        lambda ivorn: _place(ivorn, name),
        "retraction" if retraction else "supersedes",
    )
    packet = compose(
        ivorn=f"{STREAM}#{name}-{kind.name}-{compact(created.moment)}",
        author=STREAM,
        date=created.text,
        role=_role(name, event),
        contact=Contact(name=words.COLLABORATIONS),
        description=kind.description,
        params=params,
        groups=groups,
        time=None if seen is None else seen.text,
        coord_system="UTC-FK5-GEO",
        observatory="LIGO Virgo KAGRA",
        how=() if retraction else words.HOW,
        citations=citations,
        citations_description=kind.citing,
    )
    maps = sky_map(notice, event.values.get("skymap"), "skymap.multiorder.fits")
    if external is not None:
        maps += sky_map(notice, external.values.get("combined_skymap"), "combined.multiorder.fits")
    return Mapped(packet, maps)


def _role(name: str, event: Fields) -> str:
    """Mock and test events are tests, by their names, as LVK had it; so are mock data challenges."""
    search, group = (event.text(field).strip().lower() for field in ("search", "group"))
    mock = name[0] in "MT" or search == "mdc" or group == "test"
    return "test" if mock else "observation"


def _place(ivorn: str, name: str) -> Place | None:
    """Where a packet is in the sequence of a superevent; None where its IVORN is not of this mapping's."""
    found = _SUFFIX.fullmatch(ivorn.removeprefix(f"{STREAM}#{name}"))
    moment = from_compact(found[2]) if found else None
    return (moment, _RANK[found[1]], 0) if found and moment and found[1] in _RANK else None


def _what(
    name: str, kind: words.Kind, alert: Fields, event: Fields, urls: Fields, external: Fields | None
) -> tuple[list[Param], list[Group]]:
    significant = event.flag("significant")
    known: dict[str, Any] = {
        "Packet_Type": kind.packet_type,
        "internal": 0,
        "GraceID": name,
        "AlertType": kind.name,
        "OpenAlert": 1,
        "EventPage": urls.text("gracedb"),
        "Instruments": ",".join(event.texts("instruments")),
        "FAR": event.number("far"),
        "Significant": None if significant is None else int(significant),
        "Group": event.text("group"),
        "Pipeline": event.text("pipeline"),
        "Search": event.text("search"),
        "CentralFreq": event.number("central_frequency"),
        "Duration": event.number("duration"),
    }
    budget = Budget()
    params, _ = make_params({n: v for n, v in known.items() if v != ""}, words.PARAMS, budget)
    groups: list[Group] = []
    if external is not None:
        groups += _group(
            "External Coincidence",
            _renamed(external),
            dict(words.EXTERNAL.values()),
            words.EXTERNAL_MEANS,
            budget,
        )
    skymap_url = urls.text("skymap")
    if skymap_url:
        about = {"skymap_fits": About(ucd="meta.ref.url", description="Where the sky map is")}
        groups += _group("GW_SKYMAP", {"skymap_fits": skymap_url}, about, "", budget)
    for group, field, about, means in (
        ("Classification", "classification", words.CLASSIFICATION, words.CLASSIFICATION_MEANS),
        ("Properties", "properties", words.PROPERTIES, words.PROPERTIES_MEAN),
    ):
        values = event.child(field)
        if values is not None:
            groups += _group(group, values.values, about, means, budget)
    for fields, without in (
        (event, _MAPPED_OF_EVENT), (alert, _MAPPED), (urls, {"gracedb", "skymap"})
    ):  # fmt: skip
        more, more_groups = make_params(fields.values, {}, budget, without=without)
        params += more
        groups += more_groups
    return [*params, *budget.note()], groups


def _renamed(external: Fields) -> dict[str, Any]:
    """The fields of a coincidence by the names that LVK's VOEvents gave them."""
    values = {
        words.EXTERNAL[key][0] if key in words.EXTERNAL else key: value
        for key, value in external.values.items()
    }
    values.pop("combined_skymap", None)
    notice_id = values.get("External_GCN_Notice_Id")
    if is_number(notice_id):
        values["External_GCN_Notice_Id"] = str(notice_id)  # a text in VOEvents, a number in notices
    return values


def _group(
    name: str, values: Mapping[str, Any], about: Mapping[str, About], means: str, budget: Budget
) -> Iterator[Group]:
    params = Params(flat_params(values, about, budget))
    if params:
        yield Group(name, name, params, means)
