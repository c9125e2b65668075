"""The keys that tables have in common, whatever their plugin."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

import attrs

from voeflow._quantities import Seconds


def above_zero(_: object, __: object, value: float) -> None:
    """Refuse zero and less; an attrs validator."""
    if value <= 0:
        raise ValueError(f"expected more than 0, got {value:g}")


def _some_time(_: object, __: object, after: Seconds | None) -> None:
    if after is not None:
        above_zero(_, __, after)


def _not_negative(_: object, __: object, value: int | None) -> None:
    if value is not None and value < 0:
        raise ValueError(f"expected 0 or more, got {value}")


def _names_some(_: object, __: object, sources: tuple[str, ...] | None) -> None:
    if sources is not None and not sources:
        raise ValueError(
            "expected at least one transport, got an empty list; leave the key out for all of them"
        )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class SourceKeys:
    """The keys of every transport that events come in through."""

    silent_after: Seconds | None = attrs.field(
        default=None,
        validator=_some_time,
        metadata={
            "help": "how long it may hear nothing, neither an event nor a sign of life, before an alarm is"
            " raised; no alarm if left out"
        },
    )


#: How often a failed delivery is tried again where nobody says how often or how long.
RETRIES = 5


@attrs.frozen(kw_only=True, eq=False, repr=False)
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


@attrs.frozen(kw_only=True, eq=False, repr=False)
class HandlerKeys(SinkKeys):
    """The keys of every handler's table."""

    retries: int | None = attrs.field(
        default=None,
        validator=_not_negative,
        metadata={
            "help": "how often a failed delivery is tried again; 5 times if left out, or, where"
            " `give_up_after` is given, as often as that allows"
        },
    )
    retry_wait: Seconds = attrs.field(
        default=Seconds(5.0), metadata={"help": "how long before the first retry; later waits grow"}
    )
    give_up_after: Seconds | None = attrs.field(
        default=None,
        validator=_some_time,
        metadata={
            "help": "how long after its first failure a delivery is tried for the last time and then"
            " given up, though `retries` would allow more; no limit if left out"
        },
    )
    concurrency: int = attrs.field(
        default=1,
        validator=above_zero,
        metadata={"help": "how many events it may handle at once"},
    )

    @property
    def retries_allowed(self) -> int | None:
        """How often a failed delivery is tried again; None for no limit in number."""
        if self.retries is None and self.give_up_after is None:
            return RETRIES
        return self.retries


#: The names of the keys above, by what has them.
SINK_KEYS = frozenset(field.name for field in attrs.fields(SinkKeys))
HANDLER_KEYS = frozenset(field.name for field in attrs.fields(HandlerKeys))
SOURCE_KEYS = frozenset(field.name for field in attrs.fields(SourceKeys))

#: What a plugin's class may not call an option, by the plugin's kind: it would never be given to it.
RESERVED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "transport": frozenset({"plugin", *SINK_KEYS, *SOURCE_KEYS}),
        "filter": frozenset({"plugin", *SINK_KEYS}),
        "handler": frozenset({"plugin", *HANDLER_KEYS}),
    }
)


def own_defaults(handler: type, table: Collection[str] = ()) -> Mapping[str, object]:
    """Give the common keys' defaults that a handler's class sets by class variables of their names.

    Args:
        handler: the class.
        table: the keys that its table gives. Where that says when to give up, in number or in time, the class
            has no say in either.
    """
    limits = ("retries", "give_up_after")
    names = ("retry_wait", "concurrency", *(() if any(key in table for key in limits) else limits))
    return {name: getattr(handler, name) for name in names if hasattr(handler, name)}
