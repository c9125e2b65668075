"""Text that came from outside, made fit for people, terminals and one line of a log."""

from __future__ import annotations

import unicodedata

#: What stands where text was cut.
ELLIPSIS = "…"


def printable(text: str, limit: int = 200) -> str:
    r"""Give `text` as one line of printable characters, at most `limit` long.

    Control characters, line and paragraph separators, surrogates, and the format characters that can reorder
    or hide text on a terminal (Unicode categories Cc, Cf, Cs, Co, Cn, Zl, Zp) become their escapes as
    Python writes them (`\x1b`, `\u202e`); what is longer is cut and ends in an ellipsis.

    Args:
        text: anything, of any length, trusted in nothing.
        limit: the greatest length of the result in characters, above zero.

    Returns:
        The cleaned text.
    """
    shown = text[: limit + 1]
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else _escaped(c) for c in shown)
    return shown if len(shown) <= limit else shown[: limit - 1] + ELLIPSIS


def _escaped(character: str) -> str:
    if unicodedata.category(character) == "Zs":  # a wide or thin blank: harmless, show it as a blank
        return " "
    return character.encode("unicode_escape").decode("ascii")
