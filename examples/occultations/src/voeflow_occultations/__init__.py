"""Stellar occultations for one observing site: a filter and a handler; see the README."""

from __future__ import annotations

import voeflow

from ._handler import OccultationCalendar
from ._site import ShadowPath

__all__ = ["OccultationCalendar", "ShadowPath", "register_filters", "register_handlers"]


@voeflow.hookimpl
def register_filters() -> dict[str, type]:
    """Offer the filter under the name that a pipeline uses."""
    return {"shadow-path": ShadowPath}


@voeflow.hookimpl
def register_handlers() -> dict[str, type]:
    """Offer the handler under the name that a pipeline uses."""
    return {"occultation-calendar": OccultationCalendar}
