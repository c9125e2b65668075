"""The keys that tables have in common, whatever their plugin."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs

from voeflow._quantities import Seconds


def above_zero(_: object, __: object, value: float) -> None:
    """Refuse zero and less; an attrs validator."""
    if value <= 0:
        raise ValueError(f"expected more than 0, got {value:g}")


def _not_negative(_: object, __: object, value: int) -> None:
    if value < 0:
        raise ValueError(f"expected 0 or more, got {value}")


def _names_some(_: object, __: object, sources: tuple[str, ...] | None) -> None:
    if sources is not None and not sources:
        raise ValueError(
            "expected at least one transport, got an empty list; leave the key out for all of them"
        )


@attrs.frozen(kw_only=True)
class SinkKeys:
    """The keys of every table that events go out to."""

    when: str | None = attrs.field(
        default=None, metadata={"help": "which events it gets, as `svom and not test`; all if left out"}
    )
    sources: tuple[str, ...] | None = attrs.field(
        default=None,
        validator=_names_some,
        metadata={"help": "only events that came in through these transports; all if left out"},
    )


@attrs.frozen(kw_only=True)
class HandlerKeys(SinkKeys):
    """The keys of every handler's table."""

    retries: int = attrs.field(
        default=5,
        validator=_not_negative,
        metadata={"help": "how often a failed delivery is tried again"},
    )
    retry_wait: Seconds = attrs.field(
        default=Seconds(5.0), metadata={"help": "how long before the first retry; later waits grow"}
    )
    concurrency: int = attrs.field(
        default=1,
        validator=above_zero,
        metadata={"help": "how many events it may handle at once"},
    )


#: What a plugin's class may not call an option, by the plugin's kind: it would never be given to it.
RESERVED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "transport": frozenset({"plugin", *(field.name for field in attrs.fields(SinkKeys))}),
        "filter": frozenset({"plugin", *(field.name for field in attrs.fields(SinkKeys))}),
        "handler": frozenset({"plugin", *(field.name for field in attrs.fields(HandlerKeys))}),
    }
)


def own_defaults(handler: type) -> Mapping[str, object]:
    """Give the common keys' defaults that a handler's class sets by class variables of their names."""
    names = ("retries", "retry_wait", "concurrency")
    return {name: getattr(handler, name) for name in names if hasattr(handler, name)}
