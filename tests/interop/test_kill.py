"""A node that is killed in the middle of its work keeps its word when it is started again."""

from __future__ import annotations

import signal
import socket
import threading

import pytest

from interop.processes import PATIENCE
from interop.stage import Stage, contents, wait_for_contents
from interop.wire import read_frame, role_of, send_frame
from support.samples import voevent

pytestmark = [pytest.mark.interop, pytest.mark.slow]

PIPELINE = """\
ivoid = "ivo://org.example/voeflow"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
linger = "10 s"
[handlers.archive]
plugin = "save"
directory = "events"
"""


class Stream(threading.Thread):
    """An author that sends one event after another until the connection breaks, and notes each ack."""

    def __init__(self, name: str, port: int) -> None:
        super().__init__(name=name, daemon=True)
        self.port = port
        self.sent: list[bytes] = []
        self.acknowledged: list[bytes] = []
        self.enough = threading.Event()

    def run(self) -> None:
        try:
            with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
                while True:
                    packet = voevent(f"ivo://org.example/stream-{self.name}#{len(self.sent)}")
                    self.sent.append(packet)
                    send_frame(connection, packet)
                    receipt = read_frame(connection)
                    if receipt is None:
                        return
                    assert role_of(receipt) == "ack"
                    self.acknowledged.append(packet)
                    if len(self.acknowledged) == 25:
                        self.enough.set()
        except OSError:
            return


@pytest.mark.parametrize("kills", [2])
def test_every_acknowledged_event_is_saved_after_kills_at_any_instant(stage: Stage, kills: int) -> None:
    acknowledged: list[bytes] = []
    sent: list[bytes] = []
    for life in range(kills):
        node = stage.node(PIPELINE)
        port = node.port("authors")
        streams = [Stream(f"{life}-{number}", port) for number in range(4)]
        for stream in streams:
            stream.start()
        for stream in streams:
            assert stream.enough.wait(PATIENCE), node.transcript()
        node.signal(signal.SIGKILL)
        assert node.wait() == -signal.SIGKILL
        for stream in streams:
            stream.join(PATIENCE)
            acknowledged += stream.acknowledged
            sent += stream.sent
    node = stage.node(PIPELINE)
    wait_for_contents(node.directory / "events", acknowledged, node)
    node.stop()
    assert set(acknowledged) <= set(contents(node.directory / "events")) <= set(sent)
