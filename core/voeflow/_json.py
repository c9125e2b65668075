"""The one place where JSON from outside is parsed; bounded, and strict where readers would differ."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

from voeflow._errors import EventError
from voeflow._text import printable

#: The greatest size of a JSON document in bytes. GCN's broker takes messages of up to 4 MiB; the largest
#: notices, gravitational-wave alerts with their sky map in base64, have about 1 MiB.
MAX_JSON = 8 * 2**20

#: The greatest depth of nested arrays and objects. Missions' notices have less than 10; whoever walks over
#: the result by recursion is far from Python's limit.
MAX_DEPTH = 64

#: The most arrays and objects: an empty one takes 60 bytes of memory for two of the document.
MAX_CONTAINERS = 200_000

#: The most digits of an integer. 20 hold every number of 64 bits, 39 of 128; reading more takes time that
#: grows with their square.
MAX_DIGITS = 100

#: Strings, in which brackets mean nothing, and brackets. One that does not end runs to the end of the text.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)

#: The escape of half a character beyond U+FFFF.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(content: bytes, *, max_bytes: int = MAX_JSON) -> Any:
    r"""Parse JSON (RFC 8259) that came from outside, trusting nothing in it. May be called from any thread.

    Refused are also: `NaN` and `Infinity`, which are no JSON, numbers too large to hold, a name that an
    object has twice, and halves of characters (`"\ud800"`), which are no Unicode.

    Args:
        content: the document, in UTF-8.
        max_bytes: the greatest length of `content`.

    Returns:
        A dict, list, str, int, float, bool or None.

    Raises:
        EventError: it is none of that, or too large, or nested too deep.
    """
    if len(content) > max_bytes:
        raise EventError(f"{len(content)} bytes are too long: at most {max_bytes} are accepted")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EventError(f"no JSON: the bytes are no UTF-8: {error.reason} at byte {error.start}") from None
    _check_nesting(text)
    try:
        value = json.loads(
            text, parse_constant=_no_constant, parse_int=_int, parse_float=_float, object_pairs_hook=_object
        )
    except json.JSONDecodeError as error:
        raise EventError(f"no JSON: {error.msg}", error.lineno, error.colno) from None
    if _SURROGATE.search(text):
        _check_characters(value)
    return value


def _check_nesting(text: str) -> None:
    depth = containers = 0
    for token in _TOKEN.finditer(text):
        first = token.group()[0]
        if first in "[{":
            depth += 1
            containers += 1
            if depth > MAX_DEPTH:
                raise EventError(f"JSON that is nested deeper than {MAX_DEPTH}")
            if containers > MAX_CONTAINERS:
                raise EventError(f"JSON of more than {MAX_CONTAINERS} arrays and objects")
        elif first in "]}":
            depth -= 1
            if depth < 0:  # no JSON: the parser says where
                return


def _check_characters(value: Any) -> None:
    """Refuse text that cannot be written in any encoding."""
    rest = [value]
    while rest:
        each = rest.pop()
        if isinstance(each, str):
            try:
                each.encode()
            except UnicodeEncodeError:
                raise EventError("no JSON: a string has half a character, a lone surrogate") from None
        elif isinstance(each, dict):
            rest += each.keys()
            rest += each.values()
        elif isinstance(each, list):
            rest += each


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise EventError(f"ambiguous JSON: an object has the name {printable(twice, 40)!r} twice")
    return made


def _int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise EventError(
            f"JSON with an integer of {len(digits)} characters: at most {MAX_DIGITS} are accepted"
        )
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise EventError(f"JSON with a number beyond what a double can hold: {printable(digits, 40)}")
    return number


def _no_constant(name: str) -> NoReturn:
    raise EventError(f"no JSON: {name} is no number there; write null where there is no value")
