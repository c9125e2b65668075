"""The `cites` filter: whether an event refers to an earlier one, and how."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import ClassVar

import attrs

import voeflow

from ._ivoids import compile_globs, folded

#: The ways in which a packet may refer to an earlier one (VOEvent 2.0, section 3.7).
KINDS = ("followup", "supersedes", "retraction")


def _known(instance: object, attribute: attrs.Attribute[tuple[str, ...]], kinds: tuple[str, ...]) -> None:
    if not kinds:
        raise ValueError(f"expected one or more of {', '.join(KINDS)}, got none")
    for kind in kinds:
        if kind not in KINDS:
            near = get_close_matches(kind, KINDS, n=1)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            raise ValueError(f'expected one or more of {", ".join(KINDS)}, got "{kind}"{hint}')


@attrs.frozen
class Cites:
    """Pass events that cite an earlier event: follow-ups, updates and retractions.

    `kinds` are the ways of citing that count, all three unless given; `ivorns`, with `*` and `?`, are the
    events to be cited, any unless given. An event passes where one of its citations is of such a kind and of
    such an event.

        [filters.retraction]
        plugin = "cites"
        kinds  = "retraction"
    """

    inline: ClassVar[bool] = True

    kinds: tuple[str, ...] = attrs.field(
        default=KINDS,
        validator=_known,
        metadata={
            "help": "the kinds of citation that count: followup, supersedes, retraction; one or a list",
            "one_or_many": True,
        },
    )
    ivorns: tuple[str, ...] = attrs.field(
        default=("*",),
        validator=attrs.validators.min_len(1),
        metadata={
            "help": "the IVORNs that have to be cited, with * and ?; one or a list",
            "one_or_many": True,
        },
    )
    _wanted: re.Pattern[str] = attrs.field(init=False, repr=False, eq=False)

    @_wanted.default
    def _compiled(self) -> re.Pattern[str]:
        return compile_globs(self.ivorns)

    def matches(self, event: voeflow.Event) -> voeflow.Verdict:
        """Say whether one of the event's citations is asked for."""
        if not event.citations:
            return voeflow.Verdict(False, "cites no event")
        found = None
        for citation in event.citations:
            if citation.kind in self.kinds and self._wanted.match(folded(citation.ivorn.strip())):
                found = citation
                break
        shown = found or event.citations[0]
        kind = voeflow.printable(shown.kind, 20) or "no kind"
        return voeflow.Verdict(found is not None, f"cites {voeflow.printable(shown.ivorn, 120)} ({kind})")
