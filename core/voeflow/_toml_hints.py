"""What to do about a file that is no TOML: its parser says what it met, seldom what to write instead."""

from __future__ import annotations

import re

#: How tomllib says where it stopped.
_PLACE = re.compile(r"(?P<problem>.*) \(at (?P<place>line \d+, column \d+|end of document)\)", re.DOTALL)

_QUOTES = 'a text stands in straight quotes, as in plugin = "save"; true and false are written small'
_BACKSLASH = 'in "..." a backslash begins an escape: write the text in single quotes instead'
_UNCLOSED = "a quote is not closed"

#: What its messages begin with, and what to do. A line of the file is not shown: it may hold a secret.
_REMEDIES = (
    ("Invalid value", _QUOTES),
    ("Invalid hex value", _BACKSLASH),
    ("Unescaped '\\'", _BACKSLASH),
    ("Cannot declare", "two tables have this name: rename or remove one"),
    ("Cannot overwrite", "a key is there twice: remove one"),
    ("Unterminated string", _UNCLOSED),
    ('Expected "\'"', _UNCLOSED),
    ("Illegal character '\\n'", _UNCLOSED),
    ("Expected newline", 'a value with a unit or a blank is a text, and stands in quotes, as in "30 s"'),
    ("Expected '='", "write KEY = VALUE, and a table as [filters.NAME]"),
    ("Expected ']' at the end of a table", "write [filters.NAME]; a name has letters, digits, - and _"),
)


def problem_of(text: str, error: str) -> tuple[str, str]:
    """Say what is wrong with a text that is no TOML, and what to do.

    Args:
        text: the text.
        error: what tomllib said about it.

    Returns:
        The problem, with the place; and the remedy, or nothing.
    """
    if text.lstrip().startswith("<"):
        return "is no valid TOML, but looks like XML", "the pipeline file comes first, events after it"
    remedy = next((remedy for begin, remedy in _REMEDIES if error.startswith(begin)), "")
    if found := _PLACE.fullmatch(error):
        return f"is no valid TOML: {found['place']}: {found['problem']}", remedy
    return f"is no valid TOML: {error}", remedy
