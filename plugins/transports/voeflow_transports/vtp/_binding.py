"""Who may say what: which authors a peer may speak for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import attrs

import voeflow

from ._allow import Allow, read_allow
from ._certificates import Certificate

#: Where readers may look for an author: the XPath of subscribers, and brokers that look for nothing else.
_ALL_AUTHORS = voeflow.XPath('//*[local-name()="AuthorIVORN"]')

#: Says of an event why it is refused, or nothing.
Check = Callable[[voeflow.Event], str]


def _folded(ivoid: str) -> str:
    """Fold the case of the ASCII letters alone (IVOA Identifiers 2.0, section 2.2)."""
    return "".join(c.lower() if c.isascii() else c for c in ivoid)


@attrs.frozen(eq=False, repr=False)
class Ivoids:
    """IVOIDs in full, and the beginnings of others.

    Attributes:
        exact: folded.
        prefixes: folded.
    """

    exact: frozenset[str]
    prefixes: tuple[str, ...]

    def __contains__(self, ivoid: str) -> bool:
        folded = _folded(ivoid.strip())
        return folded in self.exact or folded.startswith(self.prefixes)

    def has_event(self, ivorn: str) -> bool:
        """Whether an event's IVORN is among them, or the stream that it belongs to."""
        return ivorn in self or re.split("[#?]", ivorn, maxsplit=1)[0] in self


def read_ivoids(texts: Iterable[str]) -> Ivoids:
    """Read IVOIDs, each in full or the beginning of one and a `*`.

    Raises:
        ValueError: one is none; the message says which.
    """
    exact, prefixes = [], []
    for text in texts:
        folded = _folded(text)
        if not folded.startswith("ivo://") and folded != "*":
            raise ValueError(f'expected an IVORN, such as "ivo://obspm.gepi/*", got "{text}"')
        if "*" in folded[:-1]:
            raise ValueError(f'expected at most one *, as the last character, got "{text}"')
        if folded.endswith("*"):
            prefixes.append(folded[:-1])
        else:
            exact.append(folded)
    return Ivoids(frozenset(exact), tuple(prefixes))


def are_ivoids(_: object, __: attrs.Attribute[tuple[str, ...]], texts: tuple[str, ...]) -> None:
    """Check, as a validator, that all are IVOIDs or the beginnings of some.

    Raises:
        ValueError: one is not.
    """
    read_ivoids(texts)


def _peers(_: object, __: attrs.Attribute[tuple[str, ...]], peers: tuple[str, ...]) -> None:
    if not peers:
        raise ValueError('expected at least one network or certificate, as in "cert:CN=NAME", got none')
    read_allow(peers)


def _authors(_: object, __: attrs.Attribute[tuple[str, ...]], authors: tuple[str, ...]) -> None:
    if not authors:
        raise ValueError('expected at least one AuthorIVORN, such as "ivo://obspm.gepi/*", got none')
    read_ivoids(authors)


@attrs.frozen
class Binding:
    """Peers, and the authors that they may speak for.

    Raises:
        ValueError: by the validators, which say what was expected.
    """

    peers: tuple[str, ...] = attrs.field(
        validator=_peers,
        metadata={"one_or_many": True, "help": "networks or certificates, written as in `allow`"},
    )
    authors: tuple[str, ...] = attrs.field(
        validator=_authors,
        metadata={
            "one_or_many": True,
            "help": "the AuthorIVORNs that they may use, each in full or the beginning of one and a *",
        },
    )
    streams: tuple[str, ...] = attrs.field(
        default=(),
        validator=are_ivoids,
        metadata={
            "one_or_many": True,
            "help": "the streams that their events' own ivorn must belong to; any if left out",
        },
    )


@attrs.frozen(eq=False, repr=False)
class Grant:
    """What some peers may say.

    Attributes:
        peers: who; None for everybody.
        authors: the authors that they may speak for.
        streams: the streams that their events must belong to, or None for any.
    """

    peers: Allow | None
    authors: Ivoids
    streams: Ivoids | None = None

    def is_for(self, host: str, certificate: Certificate | None) -> bool:
        """Whether a peer is one of them. A peer on a Unix socket comes from no network."""
        return self.peers is None or any(each.fits(host, certificate) for each in self.peers.entries)


def read_grants(authors: Sequence[str], bindings: Iterable[Binding]) -> tuple[Grant, ...]:
    """Read what everybody may say, and what some may; nothing at all lets everybody say everything."""
    grants = [Grant(None, read_ivoids(authors))] if authors else []
    for each in bindings:
        streams = read_ivoids(each.streams) if each.streams else None
        grants.append(Grant(read_allow(each.peers), read_ivoids(each.authors), streams))
    return tuple(grants)


def check_for(grants: Sequence[Grant], host: str, certificate: Certificate | None) -> Check | None:
    """Give what says of an event why a peer may not say it, or None for a peer that may say everything.

    Args:
        grants: what is granted to whom.
        host: the peer's numeric address.
        certificate: what it has shown.
    """
    if not grants:
        return None
    own = [each for each in grants if each.is_for(host, certificate)]
    return lambda event: why_not(own, event)


def why_not(grants: Sequence[Grant], event: voeflow.Event) -> str:
    """Say why none of some grants lets an event be said; empty if one does."""
    if not _one_author(event):
        return "it names another author than in Who/AuthorIVORN, or more than one"
    if event.author is None:
        # Who is speaking then, only the event's own ivorn can tell.
        if any((each.streams or each.authors).has_event(event.ivorn) for each in grants):
            return ""
        return "it names no author (Who/AuthorIVORN), and this peer may not speak for its ivorn either"
    for_author = [each for each in grants if event.author in each.authors]
    if not for_author:
        return f"this peer may not speak for the author {voeflow.printable(event.author, 100)}"
    if any(each.streams is None or each.streams.has_event(event.ivorn) for each in for_author):
        return ""
    return f"this peer may not use an ivorn of the stream of {voeflow.printable(event.ivorn, 100)}"


def _one_author(event: voeflow.Event) -> bool:
    """Whether all that a packet has as authors is its author, so that all who read it find the same.

    The grammar sees to that too, but not every receiver holds its authors to it.
    """
    found = event.xpath(_ALL_AUTHORS)
    assert isinstance(found, list)
    named = {str(each.xpath("string()")).strip() for each in found if not isinstance(each, str)}
    return named <= {event.author or "", ""}
