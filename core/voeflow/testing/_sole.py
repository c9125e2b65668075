"""Nurseries that are a detail of ours: the one error that ends one comes out as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def sole_error() -> Iterator[None]:
    """Let the only error in a group that a block raises come out without the group.

    So a test may say `pytest.raises(StartError)`, and a failed assertion is shown as one.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise
