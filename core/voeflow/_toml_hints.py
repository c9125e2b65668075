"""What to do about a file that is no TOML: its parser says what it met, seldom what to write instead."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence

#: How tomllib says where it stopped.
_PLACE = re.compile(r"(?P<problem>.*) \(at (?P<place>line \d+, column \d+|end of document)\)", re.DOTALL)

_QUOTES = 'a text stands in straight quotes, as in plugin = "save"; true and false are written small'
_BACKSLASH = 'in "..." a backslash begins an escape: write the text in single quotes instead'
_UNCLOSED = "a quote is not closed"

#: How it names a table, and what is wrong with that.
_OF_TABLE = re.compile(
    r"Cannot (?P<what>declare|mutate|redefine)[a-z ]* (?P<key>\(.*\))(?: twice)?", re.DOTALL
)
_BARE = re.compile(r"[A-Za-z0-9_-]+")

#: What its messages begin with, and what to do. A line of the file is not shown: it may hold a secret.
_REMEDIES = (
    ("Invalid value", _QUOTES),
    ("Invalid hex value", _BACKSLASH),
    ("Unescaped '\\'", _BACKSLASH),
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
    place = ""
    if found := _PLACE.fullmatch(error):
        error, place = found["problem"], f"{found['place']}: "
    if of_table := _OF_TABLE.fullmatch(error):
        problem, remedy = _twice(of_table["what"] == "declare", ast.literal_eval(of_table["key"]))
        return f"is no valid TOML: {place}{problem}", remedy
    remedy = next((remedy for begin, remedy in _REMEDIES if error.startswith(begin)), "")
    return f"is no valid TOML: {place}{error}", remedy


def _twice(declared: bool, key: Sequence[str]) -> tuple[str, str]:
    """Say that a table is there twice, or was complete before something is added to it."""
    name = ".".join(part if _BARE.fullmatch(part) else json.dumps(part) for part in key)
    if not declared:
        return f"the table {name} was complete before this line", "write all of it in one place"
    if key[0] == "tests":
        return f"the table [{name}] is there twice", f"of several tests, each is written [[{name}]]"
    return f"the table [{name}] is there twice", "rename or remove one"
