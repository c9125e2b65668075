"""The handlers that come with voeflow: `save`, `spawn`, `email`, `webhook` and `print`."""

from __future__ import annotations

from collections.abc import Mapping

import voeflow

from .mail import Email
from .print_ import Print
from .save import Save
from .spawn import Spawn
from .webhook import Webhook

__all__ = ["Email", "Print", "Save", "Spawn", "Webhook", "register_handlers"]


@voeflow.hookimpl
def register_handlers() -> Mapping[str, type]:
    """Name the built-in handlers, as any distribution would name its own."""
    return {"email": Email, "print": Print, "save": Save, "spawn": Spawn, "webhook": Webhook}
