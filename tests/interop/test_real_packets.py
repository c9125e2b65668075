"""The real packets that the peers bring with them go through a node unchanged."""

from __future__ import annotations

import pytest

from interop.packets import of_the_peers
from interop.stage import Stage, contents, wait_for_contents
from interop.wire import Upstream, role_of, subscribe, take_events

pytestmark = [pytest.mark.interop]

PIPELINE = """\
ivoid = "ivo://org.example/voeflow"
[transports.upstream]
plugin = "vtp-subscribe"
remote = "127.0.0.1:@PORT@"
[transports.public]
plugin = "vtp-broadcast"
listen = "127.0.0.1:0"
test_interval = "0"
[handlers.archive]
plugin = "save"
directory = "events"
"""


def test_every_packet_of_the_peers_comes_out_and_is_saved_byte_for_byte(stage: Stage) -> None:
    packets = [path.read_bytes() for path in of_the_peers()]
    with Upstream(packets) as upstream:
        node = stage.node(PIPELINE.replace("@PORT@", str(upstream.port)))
        with subscribe(node.port("public")) as subscriber:
            node.wait_until_told("subscriber connected")
            upstream.go()
            assert take_events(subscriber, len(packets)) == packets
        wait_for_contents(node.directory / "events", packets, node)
        node.stop()
        assert contents(node.directory / "events") == sorted(packets)
        assert [role_of(answer) for answer in upstream.answers] == ["ack"] * len(packets)
