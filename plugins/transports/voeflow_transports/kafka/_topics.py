r"""Topics by name or pattern, in the form that librdkafka wants: a regular expression begins with `^`."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: What a topic may be called (Kafka allows no more: `Topic.legalChars`, at most 249).
_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}", re.ASCII)

#: What a glob is made of: a name with `*`, `?` and sets such as `[a-z]` or `[!x]` in it.
_GLOB = re.compile(r"(?:[A-Za-z0-9._*?-]|\[!?[A-Za-z0-9._-]+\])+", re.ASCII)

_PART = re.compile(r"\*|\?|\[(!?)([^]]+)\]|[^*?[]+")

#: What marks a regular expression in a pipeline.
_REGEX = "re:"


def subscription(topics: tuple[str, ...]) -> tuple[str, ...]:
    r"""Translate names, globs (`gcn.classic.voevent.*`) and regular expressions (`re:^gcn\\..*$`).

    Raises:
        ValueError: one is none of these, or there is none at all.
    """
    if not topics:
        raise ValueError('expected at least one topic, by name or pattern, as "gcn.classic.voevent.*"')
    return tuple(map(_translated, topics))


def is_pattern(topic: str) -> bool:
    """Say whether a part of a subscription is a regular expression."""
    return topic.startswith("^")


def _translated(topic: str) -> str:
    if topic.startswith(_REGEX):
        expression = topic.removeprefix(_REGEX)
        try:
            re.compile(expression)
        except re.error as error:
            raise ValueError(f"{topic!r} is no regular expression: {error}") from error
        return expression if expression.startswith("^") else f"^.*({expression})"
    if _NAME.fullmatch(topic):
        return topic
    if topic.startswith("^"):
        raise ValueError(f'a regular expression is written with "re:" before it, as "re:{topic}"')
    if len(topic) > 249 or not _GLOB.fullmatch(topic):
        raise ValueError(
            f"expected the name of a topic (letters, digits, `.`, `_` and `-`), a pattern with `*`, `?` or"
            f' `[...]` in it, or a regular expression as "re:^gcn\\..*", got {topic!r}'
        )
    return f"^{_PART.sub(_regex, topic)}$"


def _regex(part: re.Match[str]) -> str:
    if part[0] == "*":
        return ".*"
    if part[0] == "?":
        return "."
    if part[2] is not None:
        return f"[{'^' if part[1] else ''}{part[2]}]"
    return part[0].replace(".", r"\.")


def matches_none(topics: Iterable[str], existing: Iterable[str]) -> list[str]:
    """Give the patterns of a subscription that fit none of the topics that exist."""
    names = list(existing)
    return [
        topic for topic in topics if is_pattern(topic) and not any(re.match(topic, name) for name in names)
    ]
