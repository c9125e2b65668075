"""A handler that says when it was called, as a site's own would be: found by its entry point."""

from __future__ import annotations

import os
import time
from pathlib import Path

import attrs

import voeflow


@attrs.frozen
class Started:
    """Write a line into a pipe for each event."""

    pipe: Path = attrs.field(metadata={"help": "the pipe, which exists"})
    work: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(0.0), metadata={"help": "processor time to take before"}
    )

    async def handle(self, event: voeflow.Event) -> None:
        """Open the pipe, write, close, as the program that is measured beside it has to."""
        end = time.thread_time() + self.work
        while time.thread_time() < end:
            pass
        descriptor = os.open(self.pipe, os.O_WRONLY)
        os.write(descriptor, b"\n")
        os.close(descriptor)


@voeflow.hookimpl
def register_handlers() -> dict[str, type]:
    """Offer the handler."""
    return {"benchmark-started": Started}
