"""voeflow-cta: a voeflow plugin for those who follow alerts with CTA's telescopes.

`pip install` is all it takes: voeflow finds this module by the entry point in pyproject.toml, and calls the
hook implementations below once, when a command starts.
"""

from __future__ import annotations

from collections.abc import Mapping

import voeflow

from ._alerts import ALERTS, Alert
from ._filter import CTAAlert, ObservableFromCTAO
from ._handler import ObservationWindow
from ._sites import SITES, Site
from ._telescopes import TELESCOPES, Telescope

__all__ = [
    "ALERTS",
    "SITES",
    "TELESCOPES",
    "Alert",
    "CTAAlert",
    "ObservableFromCTAO",
    "ObservationWindow",
    "Site",
    "Telescope",
    "register_filters",
    "register_handlers",
]


@voeflow.hookimpl
def register_filters() -> Mapping[str, type]:
    """Name the filters: `plugin = "ctao-observable"` and `plugin = "cta-alert"` in a pipeline."""
    return {"cta-alert": CTAAlert, "ctao-observable": ObservableFromCTAO}


@voeflow.hookimpl
def register_handlers() -> Mapping[str, type]:
    """Name the handler: `plugin = "ctao-window"`."""
    return {"ctao-window": ObservationWindow}
