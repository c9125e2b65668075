"""Several brokers in a row, and two in a ring."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from interop.packets import varied
from interop.processes import until
from interop.stage import Node, Stage, contents, wait_for_contents
from interop.wire import submit
from support.samples import voevent

pytestmark = [pytest.mark.interop, pytest.mark.slow]

RELAY = """\
ivoid = "ivo://org.example/voeflow"
[transports.upstream]
plugin = "vtp-subscribe"
remote = "127.0.0.1:@PORT@"
[transports.public]
plugin = "vtp-broadcast"
listen = "127.0.0.1:0"
test_interval = "0"
"""

ONE_OF_TWO = """\
ivoid = "ivo://org.example/@NAME@"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
[transports.other]
plugin = "vtp-subscribe"
remote = "unix:@OTHER@"
reconnect_min = "0.1 s"
[transports.public]
plugin = "vtp-broadcast"
listen = "unix:@OWN@"
test_interval = "0"
[handlers.archive]
plugin = "save"
directory = "events"
"""


@pytest.fixture
def sockets() -> Iterator[Path]:
    """Give a directory for Unix sockets, whose paths may have no more than some hundred characters."""
    with tempfile.TemporaryDirectory(prefix="voeflow-") as directory:
        yield Path(directory)


def test_comet_voeflow_comet_and_pygcn_in_a_row_carry_the_same_bytes(stage: Stage) -> None:
    first = stage.comet(name="first-comet")
    node = stage.node(RELAY.replace("@PORT@", str(first.broadcast_port)))
    second = stage.comet(name="second-comet", remote=node.port("public"))
    listener = stage.pygcn_listen(second.broadcast_port)
    first.wait_until_says("Authentication received")
    node.wait_until_told("subscriber connected")
    second.wait_until_says("New subscriber")
    packets = varied("ivo://org.example/chain#")
    for packet in packets:
        assert stage.comet_sendvo(first.receive_port, packet).status == 0
    wait_for_contents(second.received, packets, first, node, second)
    room = listener.directory

    def archived() -> list[bytes]:
        return sorted(path.read_bytes() for path in room.iterdir())

    until("the same bytes at the end", lambda: archived() == sorted(packets), node, second, listener)
    node.stop()


def test_two_nodes_subscribed_to_one_another_carry_each_event_once(stage: Stage, sockets: Path) -> None:
    def run(name: str, other: str) -> Node:
        text = ONE_OF_TWO.replace("@NAME@", name)
        text = text.replace("@OWN@", f"{sockets}/{name}").replace("@OTHER@", f"{sockets}/{other}")
        return stage.node(text, name=name)

    east, west = run("east", "west"), run("west", "east")
    for node in (east, west):
        node.wait_until_told("subscriber connected")
    packets = [voevent(f"ivo://org.example/ring#{number}") for number in range(6)]
    for number, packet in enumerate(packets):
        node = (east, west)[number % 2]
        assert submit(node.port("authors"), packet) == "ack"
    for node in (east, west):
        wait_for_contents(node.directory / "events", packets, east, west)
    # Each event comes back once, to the node that its author gave it to, and goes no further.
    for node in (east, west):
        until("its own events back", partial(has_duplicates, node, len(packets) // 2), east, west)
    east.stop()
    west.stop()
    for node in (east, west):
        assert duplicates(node) == len(packets) // 2, node.transcript()
        assert contents(node.directory / "events") == sorted(packets)
        assert len(node.wait_until_told("delivered", sink="archive")) == len(packets)
        listed = stage.command("events", "list", node.directory / "pipeline.toml", "--format", "ivorn")
        assert sorted(listed.out.split()) == sorted(f"ivo://org.example/ring#{n}" for n in range(6))


def has_duplicates(node: Node, number: int) -> bool:
    """Whether a node has told of at least so many duplicates."""
    return duplicates(node) >= number


def duplicates(node: Node) -> int:
    """Give how many duplicates a node has told of."""
    told = [record for record in node.records() if record["event"] == "duplicates acknowledged"]
    return sum(int(str(record["number"])) for record in told)
