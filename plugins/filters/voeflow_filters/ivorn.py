"""The `ivorn` filter: which event, or which stream of events, it is."""

from __future__ import annotations

import re
from typing import ClassVar

import attrs

import voeflow

from ._ivoids import compile_globs, folded


def _globs(instance: object, attribute: attrs.Attribute[tuple[str, ...]], ivorns: tuple[str, ...]) -> None:
    if not ivorns:
        raise ValueError('expected at least one IVORN, such as "ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_*"')
    for ivorn in ivorns:
        if not folded(ivorn).startswith("ivo://") and not ivorn.startswith("*"):
            raise ValueError(f'expected an IVORN that starts with ivo:// (or with *), got "{ivorn}"')


@attrs.frozen
class Ivorn:
    """Pass events whose IVORN is one of `ivorns`.

    In each, `*` stands for any characters, `?` for one, `[abc]` for one of these. Upper and lower case are
    the same, as in all IVOIDs (IVOA Identifiers 2.0, section 2.2). Many streams write into the IVORN what an
    event is about, which makes it the quickest way to tell kinds of events apart.

        [filters.swift_bursts]
        plugin = "ivorn"
        ivorns = "ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_*"
    """

    inline: ClassVar[bool] = True

    ivorns: tuple[str, ...] = attrs.field(
        validator=_globs,
        metadata={"help": "the IVORNs that pass, with * and ?; one or a list", "one_or_many": True},
    )
    _wanted: re.Pattern[str] = attrs.field(init=False, repr=False, eq=False)

    @_wanted.default
    def _compiled(self) -> re.Pattern[str]:
        return compile_globs(self.ivorns)

    def matches(self, event: voeflow.Event) -> voeflow.Verdict:
        """Say whether the event's IVORN is one of those asked for."""
        holds = self._wanted.match(folded(event.ivorn.strip())) is not None
        return voeflow.Verdict(holds, f"IVORN is {voeflow.printable(event.ivorn, 120)}")
