"""The handlers that come with voeflow: `save`, `spawn`, `email`, `webhook` and `print`."""

from __future__ import annotations

from collections.abc import Mapping

import voeflow


@voeflow.hookimpl
def register_handlers() -> Mapping[str, str]:
    """Name the built-in handlers, as any distribution would name its own."""
    return {
        "email": "voeflow_handlers.mail:Email",
        "print": "voeflow_handlers.print_:Print",
        "save": "voeflow_handlers.save:Save",
        "spawn": "voeflow_handlers.spawn:Spawn",
        "webhook": "voeflow_handlers.webhook:Webhook",
    }
