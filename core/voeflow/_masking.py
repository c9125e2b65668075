"""Secrets of the environment kept out of what is told of a pipeline, wherever they were put by mistake."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping

import attrs

from voeflow._errors import Mistake
from voeflow._text import ELLIPSIS, printable

#: The names of variables that hold secrets, as people give them.
_SECRET = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL|AUTH", re.IGNORECASE)

#: Below this many characters a text is no secret, and stands in many another word.
_LEAST = 4


def is_secret(name: str) -> bool:
    """Whether an environment variable, by its name, holds a secret."""
    return _SECRET.search(name) is not None


def masked(mistakes: Iterable[Mistake], secrets: Mapping[str, str]) -> list[Mistake]:
    """Give mistakes with secrets taken out of their words.

    Args:
        mistakes: what is to be told.
        secrets: what stands in its place, as `${NAME}`, by the secret.
    """
    told = [(form, shown) for secret, shown in secrets.items() for form in _forms(secret)]
    told.sort(key=lambda each: -len(each[0]))
    return [
        attrs.evolve(each, problem=_without(each.problem, told), remedy=_without(each.remedy, told))
        for each in mistakes
    ]


def _forms(secret: str) -> Iterator[str]:
    """Give a text as it may be shown: as it is, as a string of a pipeline, made printable."""
    if len(secret) >= _LEAST:
        limit = 6 * len(secret)  # more than any escape takes
        yield from {secret, json.dumps(secret, ensure_ascii=False)[1:-1], printable(secret, limit)}


def _without(text: str, told: Iterable[tuple[str, str]]) -> str:
    for form, shown in told:
        text = text.replace(form, shown)
        if ELLIPSIS in text:  # the rest of it may have been cut
            before, cut, after = text.partition(ELLIPSIS)
            length = next((n for n in range(len(form) - 1, _LEAST, -1) if before.endswith(form[:n])), 0)
            text = (before[:-length] + shown if length else before) + cut + after
    return text
