"""A handler that points a telescope once at each gamma-ray burst; see the README."""

from __future__ import annotations

import voeflow

from ._handler import PointOnce

__all__ = ["PointOnce", "register_handlers"]


@voeflow.hookimpl
def register_handlers() -> dict[str, type]:
    """Offer the handler under the name that a pipeline uses."""
    return {"point-once": PointOnce}
