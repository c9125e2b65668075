"""voeflow: receive, filter, act on and pass on VOEvents.

The names below are public; a plugin uses these and no others.
"""

from __future__ import annotations

from voeflow._errors import Mistake, PipelineError, PluginError
from voeflow._hookspecs import hookimpl
from voeflow._secret import Secret

__all__ = [
    "Mistake",
    "PipelineError",
    "PluginError",
    "Secret",
    "hookimpl",
]
