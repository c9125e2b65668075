"""The transports that come with voeflow: VTP, and the replay of files."""

from __future__ import annotations

import voeflow
from voeflow_transports.replay import Replay
from voeflow_transports.vtp.broadcast import VTPBroadcast
from voeflow_transports.vtp.receive import VTPReceive
from voeflow_transports.vtp.subscribe import VTPSubscribe


@voeflow.hookimpl
def register_transports() -> dict[str, type]:
    """Offer the transports of this package."""
    return {
        "replay": Replay,
        "vtp-broadcast": VTPBroadcast,
        "vtp-receive": VTPReceive,
        "vtp-subscribe": VTPSubscribe,
    }
