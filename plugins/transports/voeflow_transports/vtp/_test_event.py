"""The test event that a broadcaster sends now and then, as proof of life."""

from __future__ import annotations

from datetime import datetime

from voeflow import compose

from ._messages import timestamp

_MARK = "#TestEvent-"


def is_test_event(ivorn: str, ivoid: str) -> bool:
    """Whether an IVORN is that of a test event of the broker with this IVOID."""
    return ivorn.startswith(ivoid + _MARK)


def test_event(ivoid: str, moment: datetime) -> tuple[str, bytes]:
    """Write a VOEvent 2.0 of role `test` that says nothing.

    Args:
        ivoid: this node's IVOID: author, and the first part of the IVORN.
        moment: the time, in its IVORN as in those of Comet's test events.

    Returns:
        Its IVORN, `<ivoid>#TestEvent-<time>`, and the packet.
    """
    when = timestamp(moment)
    ivorn = f"{ivoid}{_MARK}{when}"
    told = "Nothing happened: this broker shows that it is at work."
    return ivorn, compose(ivorn=ivorn, author=ivoid, date=when[:-1], role="test", description=told)
