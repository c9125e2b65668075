"""Events made for a test, of what matters to it."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypedDict, Unpack

from voeflow._compose import compose
from voeflow._compose_values import Contact, Reference, Why
from voeflow._event import Citation, Event
from voeflow._notice import Attachment
from voeflow._utc import parse_utc
from voeflow._what import Group, Param, Params
from voeflow._wherewhen import Position

#: The stream of the events that are made without an IVORN of their own, and its author.
STREAM = "ivo://org.example/testing"

#: When packets were written that do not say so.
DATE = "2026-01-01T00:00:00"

#: A value of a parameter: alone, or with its unit, or with that and its UCD.
Value = str | float | bool | tuple[str | float | bool, str] | tuple[str | float | bool, str, str]

#: Parameters: the values by name, or as a packet has them.
ParamsLike = Mapping[str, Value] | Iterable[Param]

#: A position: right ascension and declination, and the radius of the error circle if it is known, in degrees.
PositionLike = Position | tuple[float, float] | tuple[float, float, float]


def make_packet(
    ivorn: str = "",
    *,
    role: str = "observation",
    author: str = STREAM,
    date: datetime | str = DATE,
    position: PositionLike | None = None,
    time: datetime | str | None = None,
    time_error: float | None = None,
    params: ParamsLike = (),
    groups: Mapping[str, ParamsLike] | Iterable[Group] = (),
    citations: Mapping[str, str] | Iterable[Citation] = (),
    description: str = "",
    contact: Contact | None = None,
    how: Iterable[str] = (),
    references: Iterable[Reference] = (),
    why: Why | None = None,
    coord_system: str = "",
    observatory: str = "",
) -> bytes:
    """Make a packet of VOEvent 2.0 that keeps to its grammar, of what a test cares for.

    For example::

        packet = make_packet(
            position=(83.633, 22.014, 0.05),
            params={"SNR": 12.5, "Flux": (3.2e-7, "erg/cm2/s", "phot.flux")},
            citations={"ivo://org.example/testing#first": "supersedes"},
        )

    Args:
        ivorn: its IVORN; or the event's own part of it, as `burst-1`, in the stream
            `ivo://org.example/testing`. If left out, one that follows from everything else, so that the
            same arguments make the same event, and others another.
        role: `observation`, `prediction`, `utility` or `test`.
        author: the AuthorIVORN.
        date: when it was written, with a time zone, or as text in UTC; the first of January 2026 if left out.
        position: right ascension, declination and, if known, the radius of the error circle, all in
            degrees; or a `voeflow.Position`. None if left out.
        time: when it was observed, as `date` is given.
        time_error: how uncertain that is, in seconds.
        params: the parameters of `What`: by name a value, or a tuple of value and unit, or of value,
            unit and UCD; or `voeflow.Param`s. A number's data type is `int` or `float`.
        groups: the groups of them: by name what `params` may be; or `voeflow.Group`s.
        citations: by IVORN how it is cited, `followup`, `supersedes` or `retraction`; or
            `voeflow.Citation`s.
        description: what it is about.
        contact: who is behind it.
        how: how it was observed, in words.
        references: where there is more to read.
        why: what the author takes it to be.
        coord_system: `UTC-ICRS-GEO` if left out; see `voeflow.compose`.
        observatory: the name of the observatory.

    Returns:
        The packet.

    Raises:
        ValueError: something cannot be in a valid packet; the message says what, and what was expected.
    """
    composed = functools.partial(
        compose,
        author=author,
        date=date,
        role=role,
        position=_position(position),
        time=time,
        time_error=time_error,
        params=_params(params),
        groups=_groups(groups),
        citations=_citations(citations),
        description=description,
        contact=contact,
        how=tuple(how),
        references=tuple(references),
        why=why,
        coord_system=coord_system,
        observatory=observatory,
    )
    if not ivorn:
        ivorn = hashlib.sha256(composed(ivorn=f"{STREAM}#unnamed")).hexdigest()[:12]
    return composed(ivorn=ivorn if "://" in ivorn else f"{STREAM}#{ivorn}")


class PacketKeywords(TypedDict, total=False):
    """The keywords of `make_packet`, for those that pass them on."""

    role: str
    author: str
    date: datetime | str
    position: PositionLike | None
    time: datetime | str | None
    time_error: float | None
    params: ParamsLike
    groups: Mapping[str, ParamsLike] | Iterable[Group]
    citations: Mapping[str, str] | Iterable[Citation]
    description: str
    contact: Contact | None
    how: Iterable[str]
    references: Iterable[Reference]
    why: Why | None
    coord_system: str
    observatory: str


def make_event(
    ivorn: str = "",
    *,
    received: datetime | str | None = None,
    source: str = "",
    attachments: tuple[Attachment, ...] = (),
    **packet: Unpack[PacketKeywords],
) -> Event:
    """Make a valid event of what a test cares for, as a node would hand it to a filter or a handler.

    For example::

        event = make_event(position=(83.633, 22.014), received="2026-12-20T01:00:00")

    Args:
        ivorn: its IVORN, or the event's own part of it, or nothing; see `make_packet`.
        received: when it came in, with a time zone, or as text in UTC; if left out, when it was written
            (`date`), so that no test hangs on the day on which it is run.
        source: the name of the transport's table that it came in through.
        attachments: what is kept beside the packet.
        packet: the keywords of `make_packet`.

    Returns:
        The event.

    Raises:
        ValueError: something cannot be in a valid packet; the message says what, and what was expected.
    """
    came = packet.get("date", DATE) if received is None else received
    return Event.parse(
        make_packet(ivorn, **packet),
        source=source,
        received=moment_of("received", came),
        attachments=attachments,
    )


def moment_of(name: str, moment: datetime | str) -> datetime:
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise ValueError(f"{name}: expected a time with a time zone, got one without")
        return moment
    read = parse_utc(moment)
    if read is None:
        raise ValueError(f"{name}: expected a time in UTC such as 2026-11-24T01:02:03, got {moment!r}")
    return read


def _position(given: PositionLike | None) -> Position | None:
    if given is None or isinstance(given, Position):
        return given
    if len(given) not in (2, 3):
        raise ValueError(f"position: expected (ra, dec) or (ra, dec, error) in degrees, got {given!r}")
    return Position(*given)


def _params(given: ParamsLike) -> list[Param]:
    if not isinstance(given, Mapping):
        return list(given)
    return [_param(name, value) for name, value in given.items()]


def _param(name: str, value: Value) -> Param:
    alone, *rest = value if isinstance(value, tuple) else (value,)
    if len(rest) > 2:
        raise ValueError(f"params: expected a value, (value, unit) or (value, unit, ucd) of {name!r}")
    unit, ucd = (*(str(each) for each in rest), "", "")[:2]
    kind = {int: "int", float: "float"}.get(type(alone), "")
    text = str(alone).lower() if isinstance(alone, bool) else str(alone)
    return Param(name, text, unit, ucd, kind)


def _groups(given: Mapping[str, ParamsLike] | Iterable[Group]) -> list[Group]:
    if not isinstance(given, Mapping):
        return list(given)
    return [Group(name=name, type="", params=Params(_params(each))) for name, each in given.items()]


def _citations(given: Mapping[str, str] | Iterable[Citation]) -> list[Citation]:
    if not isinstance(given, Mapping):
        return list(given)
    return [Citation(ivorn, kind) for ivorn, kind in given.items()]
