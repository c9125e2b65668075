"""voeflow and PyGCN, either way round."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote_plus

import pytest

from interop.packets import of_the_peers, varied
from interop.processes import until
from interop.stage import Stage, contents, wait_for_contents
from interop.wire import read_frame, submit, subscribe
from support.samples import voevent

pytestmark = [pytest.mark.interop, pytest.mark.slow]

BROKER = """\
ivoid = "ivo://org.example/voeflow"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
[transports.public]
plugin = "vtp-broadcast"
listen = "127.0.0.1:0"
alive_interval = "0.3 s"
alive_patience = 10
test_interval = "0"
"""

SUBSCRIBER = """\
[transports.upstream]
plugin = "vtp-subscribe"
remote = "127.0.0.1:@PORT@"
[handlers.archive]
plugin = "save"
directory = "events"
"""


def archived(room: Path, ivorn: str) -> Path:
    """Give the file that pygcn-listen writes for an event."""
    return room / quote_plus(ivorn)


def test_pygcn_archives_what_voeflow_broadcasts_and_stays_through_the_keep_alives(stage: Stage) -> None:
    node = stage.node(BROKER)
    listener = stage.pygcn_listen(node.port("public"))
    node.wait_until_told("subscriber connected")
    packets = {f"ivo://org.example/gcn#{number}": packet for number, packet in numbered()}
    first, *rest = packets.values()
    assert submit(node.port("authors"), first) == "ack"
    # Another subscriber, which answers nothing, is dropped: had PyGCN, which came before it, left the
    # keep-alives unanswered as well, it would be gone by now.
    with subscribe(node.port("public")) as mute:
        while read_frame(mute) is not None:
            pass
    for packet in rest:
        assert submit(node.port("authors"), packet) == "ack"
    room = listener.directory
    until("every archived file", lambda: len(list(room.iterdir())) == len(packets), listener, node)
    (last, packet) = list(packets.items())[-1]
    until("the last file whole", lambda: archived(room, last).read_bytes() == packet, listener, node)
    for ivorn, packet in packets.items():
        assert archived(room, ivorn).read_bytes() == packet
    assert sum("connected to" in line for line in listener.lines()) == 1, listener.transcript()
    node.stop()


def numbered() -> list[tuple[int, bytes]]:
    """Give packets whose IVORNs end in their number."""
    return list(enumerate(voevent(f"ivo://org.example/gcn#{number}") for number in range(5)))


def test_every_payload_that_pygcn_serves_is_taken_byte_for_byte(stage: Stage) -> None:
    room = stage.room("payloads")
    (room / "latin.xml").write_bytes(varied("ivo://org.example/served#")[6])
    payloads = [*of_the_peers(), room / "latin.xml"]
    serve, port = stage.pygcn_serve(payloads)
    node = stage.node(SUBSCRIBER.replace("@PORT@", str(port)))
    packets = [path.read_bytes() for path in payloads]
    wait_for_contents(node.directory / "events", packets, node, serve)
    # It has begun again from the first. It reads no answers, for which the node leaves it in the end.
    node.wait_until_told("duplicates acknowledged")
    node.stop()
    assert contents(node.directory / "events") == sorted(packets)
