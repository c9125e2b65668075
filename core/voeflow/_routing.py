"""Which events go to a sink: its `when` and `sources` keys, held against the tables that they name."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from voeflow._errors import Mistake
from voeflow._names import nearest
from voeflow._shown import show_value
from voeflow._when import When, parse_when

#: What `sources` calls the node itself, for the events that it makes; no transport may have this name.
OWN_SOURCE = "node"


def read_when(where: str, text: str | None, filters: Collection[str]) -> tuple[When | None, list[Mistake]]:
    """Read a `when` key.

    Args:
        where: the table's name.
        text: the expression, or None where the key is left out.
        filters: the names of the file's filters.

    Returns:
        The expression and no mistakes, or None and at least one.
    """
    where = f"{where}.when"
    try:
        when = parse_when(text)
    except ValueError as error:
        return None, [Mistake(where, str(error))]
    unknown = sorted(when.names.difference(filters))
    mistakes = [
        Mistake(where, f'no filter is named "{name}"', nearest(name, filters, "filters")) for name in unknown
    ]
    return (None if mistakes else when), mistakes


def check_sources(
    where: str, names: Iterable[str], transports: Collection[str], sources: Collection[str]
) -> list[Mistake]:
    """Hold a `sources` key against the file's transports.

    Args:
        where: the table's name.
        names: what the key lists.
        transports: the names of the file's transports.
        sources: those of them that events can come in through.

    Returns:
        What is wrong with it.
    """
    mistakes = []
    for n, name in enumerate(names):
        if name == OWN_SOURCE:
            continue
        if name not in transports:
            problem, remedy = (
                f"no transport is named {show_value(name)}",
                nearest(name, transports, "transports"),
            )
        elif name not in sources:
            problem = f"no events come in through {show_value(name)}, which only carries them on"
            remedy = nearest("", sources, "sources")
        else:
            continue
        mistakes.append(Mistake(f"{where}.sources[{n}]", problem, remedy))
    return mistakes
