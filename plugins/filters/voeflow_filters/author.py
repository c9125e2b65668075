"""The `author` filter: who an event says it is from."""

from __future__ import annotations

from typing import ClassVar

import attrs

import voeflow

from ._ivoids import folded


def _ivoid(instance: object, attribute: attrs.Attribute[tuple[str, ...]], authors: tuple[str, ...]) -> None:
    if not authors:
        raise ValueError('expected at least one AuthorIVORN, such as "ivo://obspm.gepi/svom", got none')
    for author in authors:
        if not folded(author).startswith("ivo://"):
            raise ValueError(f'expected an AuthorIVORN that starts with ivo://, got "{author}"')
        if "*" in author[:-1]:
            raise ValueError(f'expected at most one *, as the last character, got "{author}"')


@attrs.frozen
class Author:
    """Pass events whose AuthorIVORN is one of `authors`.

    Each is an AuthorIVORN in full, or the beginning of one and a `*`. Upper and lower case are the same, as
    in all IVOIDs (IVOA Identifiers 2.0, section 2.2). An event without an AuthorIVORN does not pass.

    This sorts events; it is no protection: anybody can write any AuthorIVORN into a packet. Who may send
    events to this node is the business of `allow` in a `vtp-receive` table.

        [filters.svom]
        plugin  = "author"
        authors = ["ivo://obspm.gepi/svom", "ivo://org.example/*"]
    """

    inline: ClassVar[bool] = True

    authors: tuple[str, ...] = attrs.field(
        validator=_ivoid,
        metadata={
            "help": "the AuthorIVORNs that pass, each in full or the beginning of one and a *; one or a list",
            "one_or_many": True,
        },
    )
    _exact: frozenset[str] = attrs.field(init=False, repr=False, eq=False)
    _prefixes: tuple[str, ...] = attrs.field(init=False, repr=False, eq=False)

    @_exact.default
    def _exact_authors(self) -> frozenset[str]:
        return frozenset(folded(author) for author in self.authors if not author.endswith("*"))

    @_prefixes.default
    def _prefix_authors(self) -> tuple[str, ...]:
        return tuple(folded(author[:-1]) for author in self.authors if author.endswith("*"))

    def matches(self, event: voeflow.Event) -> voeflow.Verdict:
        """Say whether the event's AuthorIVORN is one of those asked for."""
        if event.author is None:
            return voeflow.Verdict(False, "no AuthorIVORN")
        author = folded(event.author.strip())
        holds = author in self._exact or author.startswith(self._prefixes)
        return voeflow.Verdict(holds, f"author is {voeflow.printable(event.author, 100)}")
