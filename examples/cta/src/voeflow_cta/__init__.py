"""voeflow-cta: a voeflow plugin for those who follow alerts with CTA's telescopes.

`pip install` is all it takes: voeflow finds this module by the entry point in pyproject.toml, and calls the
hook implementation below once, when a command starts.
"""

from __future__ import annotations

from collections.abc import Mapping

import voeflow

from ._filter import ObservableFromCTAO
from ._sites import SITES, Site

__all__ = ["SITES", "ObservableFromCTAO", "Site", "register_filters"]


@voeflow.hookimpl
def register_filters() -> Mapping[str, type]:
    """Name the filter: `plugin = "ctao-observable"` in a pipeline."""
    return {"ctao-observable": ObservableFromCTAO}
