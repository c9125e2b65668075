"""What the options of VTP's transports have in common."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import attrs

import voeflow

from ._addresses import Address, read_listen


def read_listens(listen: tuple[str, ...]) -> tuple[Address, ...]:
    """Read the addresses of a `listen` option.

    Raises:
        ValueError: one is no address, or there is none.
    """
    if not listen:
        raise ValueError("expected at least one address to listen on")
    return tuple(map(read_listen, listen))


def at_least(least: float, shown: str = "") -> Callable[[object, attrs.Attribute[Any], float], None]:
    """Make a validator for a number that is not below `least`, written `shown` for the reader."""

    def check(_: object, __: attrs.Attribute[Any], value: float) -> None:
        if value < least:
            raise ValueError(f"expected at least {shown or least}, got {value:g}")

    return check


def above_zero(_: object, __: attrs.Attribute[Any], value: float) -> None:
    """Check, as a validator, that a duration is not zero.

    Raises:
        ValueError: it is.
    """
    if not value > 0:
        raise ValueError(f"expected a duration above zero, got {voeflow.show_seconds(value)}")


def some_time(_: object, __: attrs.Attribute[Any], value: float | None) -> None:
    """Check, as a validator, that a duration is not zero if it is given.

    Raises:
        ValueError: it is.
    """
    if value is not None:
        above_zero(_, __, value)


def utcnow() -> datetime:
    """Give the wall-clock time, for time stamps."""
    return datetime.now(UTC)
