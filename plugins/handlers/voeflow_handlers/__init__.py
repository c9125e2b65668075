"""The handlers that come with voeflow: `save`, `spawn` and `email`."""

from __future__ import annotations

from collections.abc import Mapping

import voeflow

from .mail import Email
from .save import Save
from .spawn import Spawn

__all__ = ["Email", "Save", "Spawn", "register_handlers"]


@voeflow.hookimpl
def register_handlers() -> Mapping[str, type]:
    """Name the built-in handlers, as any distribution would name its own."""
    return {"email": Email, "save": Save, "spawn": Spawn}
