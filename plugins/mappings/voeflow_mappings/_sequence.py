"""What packets of one astronomical event came before: their IVORNs tell, and so what is to be cited.

A mapping writes time and kind of the notice into the IVORN, so that of the IVORNs in the node's store those
that came before can be told from the notice alone. A notice that comes late, or again, cites what it would
have cited had it come in time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from voeflow import Citation, parse_utc

#: The most packets that one cites. LVK has sent up to 10 about one event.
MAX_CITED = 50

#: Gives the IVORNs in the node's store that begin with a prefix.
Earlier = Callable[[str], Sequence[str]]

#: Where in the sequence of one event's packets a packet is: its time, then what decides between equals.
Place = tuple[datetime, int, int]

_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d(?:\.\d{1,6})?)Z", re.ASCII)


def compact(moment: datetime) -> str:
    """Write a time in UTC as IVORNs have it: `20181101T223449Z`, with a fraction where there is one."""
    text = moment.replace(tzinfo=None).isoformat().replace("-", "").replace(":", "")
    return (text.rstrip("0") if "." in text else text) + "Z"


def from_compact(text: str) -> datetime | None:
    """Read what `compact` writes; None where it is none."""
    found = _COMPACT.fullmatch(text)
    return parse_utc("{}-{}-{}T{}:{}:{}".format(*found.groups())) if found else None


def cited(
    ivorns: Iterable[str], place: Place, place_of: Callable[[str], Place | None], kind: str
) -> tuple[Citation, ...]:
    """Cite the packets before `place`, the latest first.

    Args:
        ivorns: those in the node's store that may be of the same event.
        place: where the new packet is in the sequence.
        place_of: where a packet is, by its IVORN; None where it is not of the sequence.
        kind: how to cite them: `supersedes` or `retraction`.
    """
    before = sorted(
        {(found, ivorn) for ivorn in ivorns if (found := place_of(ivorn)) is not None and found < place},
        reverse=True,
    )
    return tuple(Citation(ivorn, kind) for _, ivorn in before[:MAX_CITED])
