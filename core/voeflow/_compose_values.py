"""What a packet that is being made says of its author, its sources and its meaning."""

from __future__ import annotations

from datetime import datetime

import attrs


@attrs.frozen
class Contact:
    """Who is behind a packet (`Who/Author`; VOEvent 2.0, section 3.2). What is empty is left out.

    Attributes:
        title: the organisation's name.
        short_name: its short name or acronym.
        logo_url: where its logo is.
        name: the person or group to ask.
        email: their address.
        phone: their number.
        contributor: another who had a part in it.
    """

    title: str = ""
    short_name: str = ""
    logo_url: str = ""
    name: str = ""
    email: str = ""
    phone: str = ""
    contributor: str = ""


@attrs.frozen
class Reference:
    """Something elsewhere that a packet points to (VOEvent 2.0, section 3.9).

    Attributes:
        uri: where it is: a URI.
        meaning: what it is, as a URI, or empty.
        mimetype: its media type, as `application/fits`, or empty.
    """

    uri: str
    meaning: str = ""
    mimetype: str = ""


@attrs.frozen
class Inference:
    """What the author takes the event to be (`Why/Inference`; VOEvent 2.0, section 3.6).

    Attributes:
        probability: how probable that is, from 0 to 1, or None.
        relation: how it relates to what is named, as `associated` or `identified`, or empty.
        names: what it is, as `GRB 260101A`.
        concepts: what kind of thing it is, in the IVOA's words, as `process.variation.burst;em.gamma`.
        description: that in words.
    """

    probability: float | None = None
    relation: str = ""
    names: tuple[str, ...] = ()
    concepts: tuple[str, ...] = ()
    description: str = ""


@attrs.frozen
class Why:
    """The author's first assessment (VOEvent 2.0, section 3.6). What is empty is left out.

    Attributes:
        importance: how important the author thinks it, from 0 to 1, or None.
        expires: when it stops mattering, with a time zone, or None.
        names: what it is, as `GRB 260101A`.
        concepts: what kind of thing it is, in the IVOA's words.
        inferences: the same with probabilities and relations.
        description: that in words.
    """

    importance: float | None = None
    expires: datetime | str | None = None
    names: tuple[str, ...] = ()
    concepts: tuple[str, ...] = ()
    inferences: tuple[Inference, ...] = ()
    description: str = ""
