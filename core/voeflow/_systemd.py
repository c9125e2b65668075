"""Telling systemd how the node is, where it runs as a service of `Type=notify` (sd_notify(3)).

Without `NOTIFY_SOCKET` in the environment, as on a terminal, nothing is told.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

import trio


def notify(state: str, environ: Mapping[str, str] = os.environ) -> None:
    """Tell systemd one or more assignments, as `READY=1`; never waits, and never fails.

    Args:
        state: what to tell, a line each.
        environ: where systemd says how to reach it.
    """
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # in Linux's abstract namespace
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
            sock.sendto(state.encode(), address)
    except OSError:
        pass  # a service that cannot be heard still serves


async def feed_watchdog(environ: Mapping[str, str] = os.environ) -> None:
    """Tell systemd's watchdog that the event loop turns, twice in the time it allows, until cancelled.

    Returns at once where no watchdog was asked for (`WatchdogSec=` in the unit).
    """
    allowed = environ.get("WATCHDOG_USEC", "")
    if not allowed.isdigit() or environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return
    while True:
        notify("WATCHDOG=1", environ)
        await trio.sleep(int(allowed) / 1e6 / 2)
