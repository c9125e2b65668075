"""The nearest known name to one that was misspelt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

#: How many known names a message lists before it gives up.
_LISTED = 12


def near_name(name: str, known: Iterable[str]) -> str | None:
    """Give the known name that is so like what was written that it may have been meant, if there is one."""
    from difflib import get_close_matches  # for mistakes alone

    folded = {each.casefold().replace("-", "_"): each for each in sorted(set(known))}
    near = get_close_matches(name.casefold().replace("-", "_"), folded, n=1, cutoff=0.6)
    return folded[near[0]] if near else None


def nearest(name: str, known: Iterable[str], what: str) -> str:
    """Say which name may have been meant.

    Args:
        name: what was written.
        known: what could have been; in a sequence, those that are to be named first come first.
        what: what the names are, in the plural: `filters`.

    Returns:
        `did you mean "timeout"?` where one is near, or else the list of those there are.
    """
    names = list(dict.fromkeys(known)) if isinstance(known, Sequence) else sorted(set(known))
    if (near := near_name(name, names)) is not None:
        return f'did you mean "{near}"?'
    if not names:
        return f"there are no {what}"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"the {what} are {', '.join(names[:_LISTED])}{more}"
