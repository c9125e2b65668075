"""systemd is told how the node is, where it asked to be."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import trio
import trio.testing

from voeflow._systemd import feed_watchdog, notify


@pytest.fixture
def heard(tmp_path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(tmp_path / "notify"))
    sock.setblocking(False)
    return sock


def test_a_state_is_told_in_one_datagram(heard: socket.socket) -> None:
    with heard:
        notify("READY=1", {"NOTIFY_SOCKET": heard.getsockname()})
        assert heard.recv(100) == b"READY=1"


def test_nothing_is_told_where_nobody_asked() -> None:
    notify("READY=1", {})


def test_one_who_does_not_listen_is_no_failure(tmp_path: Path) -> None:
    notify("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "nobody")})


async def test_the_watchdog_is_fed_twice_in_its_time(
    heard: socket.socket, autojump_clock: trio.testing.MockClock
) -> None:
    environ = {"NOTIFY_SOCKET": heard.getsockname(), "WATCHDOG_USEC": "30000000"}
    with heard:
        with trio.move_on_after(59):
            await feed_watchdog(environ)
        assert [heard.recv(100) for _ in range(4)] == [b"WATCHDOG=1"] * 4  # at 0, 15, 30 and 45 s
        with pytest.raises(BlockingIOError):
            heard.recv(100)


async def test_a_watchdog_for_another_process_is_not_fed(heard: socket.socket) -> None:
    with heard:
        await feed_watchdog(
            {
                "NOTIFY_SOCKET": heard.getsockname(),
                "WATCHDOG_USEC": "30000000",
                "WATCHDOG_PID": str(os.getpid() + 1),
            }
        )
        with pytest.raises(BlockingIOError):
            heard.recv(100)
