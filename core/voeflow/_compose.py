"""Making a packet of VOEvent 2.0 (IVOA Recommendation of 2011-07-11)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from voeflow._compose_values import Contact, Inference, Reference, Why
from voeflow._errors import EventError
from voeflow._event import MAX_IVORN, ROLES, Citation
from voeflow._grammar import NAMESPACES, defects
from voeflow._ivoid import parse_ivoid
from voeflow._text import printable
from voeflow._utc import parse_utc
from voeflow._what import Group, Param, parse_number
from voeflow._wherewhen import Position
from voeflow._xml import parse_xml
from voeflow._xml_writer import Written, write_xml

#: Section 3.7.
_CITES = ("followup", "supersedes", "retraction")
#: Those of section 3.4.1 whose times are UTC, as all times here are.
_COORD_SYSTEMS = ("UTC-ICRS-GEO", "UTC-ICRS-TOPO", "UTC-FK5-GEO", "UTC-FK5-TOPO")
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(\.\d{1,12})?Z?", re.ASCII)
_INT = re.compile(r"[+-]?\d+", re.ASCII)


def compose(
    *,
    ivorn: str,
    author: str,
    date: datetime | str,
    role: str = "observation",
    contact: Contact | None = None,
    description: str = "",
    params: Iterable[Param] = (),
    groups: Iterable[Group] = (),
    position: Position | None = None,
    time: datetime | str | None = None,
    time_error: float | None = None,
    coord_system: str = "",
    observatory: str = "",
    how: Iterable[str] = (),
    references: Iterable[Reference] = (),
    why: Why | None = None,
    citations: Iterable[Citation] = (),
    citations_description: str = "",
) -> bytes:
    """Make a packet of VOEvent 2.0 that keeps to its grammar. The same arguments give the same bytes.

    Everything is escaped; what is empty is left out. What a packet says (`Event.params`, `groups`,
    `citations`, `position`) can be given as it was read.

    Args:
        ivorn: what the event is to be known by for ever: an IVOID with a local part, as
            `ivo://org.example/stream#2026-11-24-1` (section 3.1.1).
        author: the IVOID of the organisation that makes the packet (section 3.2.1).
        date: when the packet was made (section 3.2.2): with a time zone; or text in UTC, as
            `2026-11-24T01:02:03.5`, which is written with the digits that it has.
        role: `observation`, `prediction`, `utility` or `test` (section 3.1.2).
        contact: who is behind it.
        description: what it is about, for people (section 3.8).
        params: the named values of `What` (section 3.3.1), in their order.
        groups: the groups of them (section 3.3.2), in their order.
        position: where in the sky, in degrees. `Error2Radius`, which the grammar demands, is 0 where the
            error is unknown, as most authors write it.
        time: when it was observed, as `date` is given; that of `position` if left out.
        time_error: how uncertain that is, in seconds.
        coord_system: `UTC-ICRS-GEO`, `UTC-ICRS-TOPO`, `UTC-FK5-GEO` or `UTC-FK5-TOPO` (section 3.4.1); that
            of `position` if left out, and `UTC-ICRS-GEO` where that has none.
        observatory: the name of the observatory, as `Fermi` (`ObservatoryLocation/@id`). It is written
            where there is a position or a time.
        how: how it was observed, in words (section 3.5).
        references: where there is more to read; written in `How` too.
        why: what the author takes it to be.
        citations: the earlier events that it refers to (section 3.7).
        citations_description: why it does.

    Returns:
        The packet, in UTF-8.

    Raises:
        ValueError: something cannot be in a valid packet; the message says what, and what was expected.
    """
    for name, ivoid in (("ivorn", ivorn), ("author", author)):
        _check_ivoid(name, ivoid)
    if "#" not in ivorn or "#" in ivorn.partition("#")[2] or ivorn.endswith("#"):
        raise ValueError("ivorn: expected one # and then the event's own part, as ivo://org.example/stream#1")
    content = [
        _who(author, date, contact),
        *_some("What", [*map(_param, params), *map(_group, groups)]),
        *_where_when(position, time, time_error, coord_system, observatory),
        *_some("How", [*_texts("Description", how), *map(_reference, references)]),
        *([] if why is None else _why(why)),
        *_citations(citations, citations_description),
        *_texts("Description", [description] if description else []),
    ]
    packet = write_xml(
        Written(
            "voe:VOEvent",
            content,
            {
                "xmlns:voe": NAMESPACES["2.0"],
                "version": "2.0",
                "role": _one_of("role", role, ROLES),
                "ivorn": ivorn,
            },
        )
    )
    _check(packet)
    return packet


def _check(packet: bytes) -> None:
    """Hold the packet to the grammar itself, which knows of what is checked by no rule here, as URIs."""
    try:
        broken = defects(parse_xml(packet, max_bytes=len(packet)))
    except EventError as error:  # a text of more than 10 MB, say
        raise ValueError(f"the packet cannot be read back: {error.reason}") from None
    if broken:
        raise ValueError(f"the packet breaks the grammar of VOEvent 2.0: {broken[0].message}")


def _who(author: str, date: datetime | str, contact: Contact | None) -> Written:
    content = [Written("AuthorIVORN", author), Written("Date", _iso("date", date))]
    if contact is not None:
        named = {
            "title": contact.title,
            "shortName": contact.short_name,
            "logoURL": contact.logo_url,
            "contactName": contact.name,
            "contactEmail": contact.email,
            "contactPhone": contact.phone,
            "contributor": contact.contributor,
        }
        content += _some("Author", [Written(name, text) for name, text in named.items() if text])
    return Written("Who", content)


def _param(param: Param) -> Written:
    if not param.name:
        raise ValueError("a Param needs a name")
    where = f"Param {printable(param.name, 60)}"
    _one_of(f"{where}: dataType", param.data_type, ("", "string", "int", "float"))
    number = param.value.strip()
    if param.data_type == "int" and not _INT.fullmatch(number):
        raise ValueError(f"{where}: its dataType is int, and its value {printable(number, 60)!r} is none")
    if param.data_type == "float" and math.isnan(parse_number(number)) and number.lower() != "nan":
        raise ValueError(f"{where}: its dataType is float, and its value {printable(number, 60)!r} is none")
    attributes = {"name": param.name, "value": param.value, "unit": param.unit, "ucd": param.ucd}
    attributes["dataType"] = param.data_type
    return Written("Param", list(_texts("Description", filter(None, [param.description]))), attributes)


def _group(group: Group) -> Written:
    content = [*map(_param, group.params), *_texts("Description", filter(None, [group.description]))]
    return Written("Group", content, {"name": group.name, "type": group.type})


def _where_when(
    position: Position | None,
    time: datetime | str | None,
    time_error: float | None,
    coord_system: str,
    observatory: str,
) -> Iterator[Written]:
    if time is None and position is not None:
        time = position.time
    system = coord_system or (position.coord_system if position is not None else "") or "UTC-ICRS-GEO"
    _one_of("coord_system", system, _COORD_SYSTEMS)
    coords: list[Written] = []
    if time is not None:
        content = [Written("TimeInstant", [Written("ISOTime", _iso("time", time))])]
        if time_error is not None:
            content.append(Written("Error", _number("time_error", time_error, 0)))
        coords.append(Written("Time", content, {"unit": "s"}))
    if position is not None:
        coords.append(_position(position))
    if not coords:
        return
    location = [
        Written("AstroCoordSystem", attributes={"id": system}),
        Written("AstroCoords", coords, {"coord_system_id": system}),
    ]
    data = [
        Written("ObservatoryLocation", attributes={"id": observatory}),
        Written("ObservationLocation", location),
    ]
    yield Written("WhereWhen", [Written("ObsDataLocation", data)])


def _position(position: Position) -> Written:
    error = 0.0 if position.error is None else position.error
    values = [
        Written("C1", _number("position.ra", position.ra, 0, 360)),
        Written("C2", _number("position.dec", position.dec, -90, 90)),
    ]
    content = [
        Written("Name1", "RA"),
        Written("Name2", "Dec"),
        Written("Value2", values),
        Written("Error2Radius", _number("position.error", error, 0)),
    ]
    return Written("Position2D", content, {"unit": "deg"})


def _why(why: Why) -> Iterator[Written]:
    attributes = {
        "importance": "" if why.importance is None else _number("importance", why.importance, 0, 1),
        "expires": "" if why.expires is None else _iso("expires", why.expires),
    }
    content = [*_meaning(why), *map(_inference, why.inferences)]
    if content or any(attributes.values()):
        yield Written("Why", content, attributes)


def _inference(inference: Inference) -> Written:
    probability = inference.probability
    attributes = {
        "probability": "" if probability is None else _number("probability", probability, 0, 1),
        "relation": inference.relation,
    }
    return Written("Inference", list(_meaning(inference)), attributes)


def _meaning(assessment: Why | Inference) -> Iterator[Written]:
    yield from _texts("Name", assessment.names)
    yield from _texts("Concept", assessment.concepts)
    yield from _texts("Description", filter(None, [assessment.description]))


def _reference(reference: Reference) -> Written:
    if not reference.uri:
        raise ValueError("a Reference needs a URI")
    attributes = {"uri": reference.uri, "mimetype": reference.mimetype, "meaning": reference.meaning}
    return Written("Reference", attributes=attributes)


def _citations(citations: Iterable[Citation], description: str) -> list[Written]:
    cited = []
    for citation in citations:
        _one_of("citation", citation.kind, _CITES)
        # Not every stream keeps to the rules of IVOIDs, and its events are to be cited all the same.
        if not re.fullmatch(rf"(?i:ivo://)[!-~]{{1,{MAX_IVORN}}}", citation.ivorn):
            raise ValueError(f"citation: {printable(citation.ivorn, 60)!r} is no IVORN")
        cited.append(Written("EventIVORN", citation.ivorn, {"cite": citation.kind}))
    return _some("Citations", [*cited, *_texts("Description", filter(None, [description]))] if cited else [])


def _check_ivoid(name: str, ivoid: str) -> None:
    try:
        parse_ivoid(ivoid)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if len(ivoid) > MAX_IVORN:
        raise ValueError(f"{name}: it has {len(ivoid)} characters, at most {MAX_IVORN} are accepted")


def _iso(name: str, moment: datetime | str) -> str:
    """Write a time of ISO 8601 in UTC, without a zone: VOEvent's times are UTC (sections 3.2.2 and 3.4)."""
    if isinstance(moment, str):
        if not _ISO.fullmatch(moment) or parse_utc(moment) is None:
            raise ValueError(
                f"{name}: expected a time in UTC such as 2026-11-24T01:02:03.5, got {printable(moment, 60)!r}"
            )
        return moment
    if moment.tzinfo is None:
        raise ValueError(f"{name}: expected a time with a time zone, got one without")
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return text.rstrip("0") if "." in text else text


def _number(name: str, value: float, least: float, most: float = math.inf) -> str:
    number = float(value)
    if not (least <= number <= most and math.isfinite(number)):
        span = f"from {least:g} to {most:g}" if math.isfinite(most) else f"of at least {least:g}"
        raise ValueError(f"{name}: expected a number {span}, got {value!r}")
    return repr(number)


def _one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ValueError(f"{name}: expected {', '.join(filter(None, known))}, got {printable(value, 60)!r}")
    return value


def _texts(name: str, texts: Iterable[str]) -> Iterator[Written]:
    return (Written(name, text) for text in texts)


def _some(name: str, content: list[Written]) -> list[Written]:
    """The element, if there is anything to be in it."""
    return [Written(name, content)] if content else []
