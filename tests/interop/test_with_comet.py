"""voeflow and Comet: its author to our receiver, and each a subscriber of the other."""

from __future__ import annotations

import pytest

from interop.packets import varied
from interop.stage import Comet, Node, Stage, contents, wait_for_contents
from support.samples import voevent

pytestmark = [pytest.mark.interop, pytest.mark.slow]

RECEIVER = """\
ivoid = "ivo://org.example/voeflow"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
[handlers.archive]
plugin = "save"
directory = "events"
"""

BROKER = """\
ivoid = "ivo://org.example/voeflow"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
[transports.public]
plugin = "vtp-broadcast"
listen = "127.0.0.1:0"
test_interval = "0"
"""

SUBSCRIBER = """\
ivoid = "ivo://org.example/voeflow"
[transports.upstream]
plugin = "vtp-subscribe"
remote = "127.0.0.1:@PORT@"
xpath = [@FILTERS@]
[handlers.archive]
plugin = "save"
directory = "events"
"""

SVOM = '//Who[AuthorIVORN="ivo://obspm.gepi/svom"]'
NEAR = '//Param[@name="Packet_Type"]/@value < 50'


def saved(node: Node) -> list[bytes]:
    return contents(node.directory / "events")


def test_what_comets_author_sends_is_acknowledged_and_saved_byte_for_byte(stage: Stage) -> None:
    node = stage.node(RECEIVER)
    packets = varied("ivo://org.example/comet#to-voeflow")
    for packet in packets:
        sent = stage.comet_sendvo(node.port("authors"), packet)
        assert sent.status == 0, sent.out
        assert "Acknowledgement received" in sent.out
    wait_for_contents(node.directory / "events", packets, node)
    node.stop()
    assert saved(node) == sorted(packets)


def test_comets_author_is_told_that_a_duplicate_arrived_and_it_is_handled_once(stage: Stage) -> None:
    node = stage.node(RECEIVER)
    first = voevent("ivo://org.example/comet#twice")
    again = voevent(
        "ivo://org.example/comet#twice", declaration="<?xml version='1.0'?>", tail="<!-- again -->"
    )
    for packet in (first, first, again):
        sent = stage.comet_sendvo(node.port("authors"), packet)
        assert sent.status == 0, sent.out
        assert "Nak" not in sent.out
    node.wait_until_told("duplicates acknowledged", number=2)
    node.stop()
    assert len(node.wait_until_told("delivered", sink="archive")) == 1
    assert saved(node) == [first]


def test_comets_author_is_told_why_a_packet_is_refused(stage: Stage) -> None:
    node = stage.node(RECEIVER)
    broken = voevent("ivo://org.example/comet#broken").replace(b"<Why ", b"<Wherefore/><Why ")
    sent = stage.comet_sendvo(node.port("authors"), broken)
    assert sent.status == 1
    assert "Nak received" in sent.out
    assert "Wherefore" in sent.out
    assert "line " in sent.out
    node.stop()
    assert saved(node) == []


def mixture(stem: str) -> dict[str, bytes]:
    """Give events by what they are; the last is for everybody, so that all before it have been judged."""
    other = "ivo://org.example/other"
    return {
        "svom-far": voevent(f"{stem}-1", packet_type=61),
        "svom-near": voevent(f"{stem}-2", packet_type=10),
        "other-far": voevent(f"{stem}-3", packet_type=61, author=other),
        "other-near": voevent(f"{stem}-4", packet_type=10, author=other),
        "last": voevent(f"{stem}-5", packet_type=10),
    }


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ([], {"svom-far", "svom-near", "other-far", "other-near", "last"}),
        ([SVOM], {"svom-far", "svom-near", "last"}),
        ([f"{SVOM} and {NEAR}"], {"svom-near", "last"}),
        ([SVOM, NEAR], {"svom-far", "svom-near", "other-near", "last"}),
        (["//Nothing", f"count({SVOM})"], {"svom-far", "svom-near", "last"}),
    ],
    ids=["no-filter", "one", "conjunction", "any-of-two", "node-set-and-number"],
)
def test_comet_subscribed_to_voeflow_gets_what_its_filters_ask_for(
    stage: Stage, filters: list[str], wanted: set[str]
) -> None:
    node = stage.node(BROKER)
    comet = stage.comet(remote=node.port("public"), filters=filters)
    wait_for_comet(node, filters)
    packets = mixture("ivo://org.example/filtered#")
    for packet in packets.values():
        assert stage.comet_sendvo(node.port("authors"), packet).status == 0
    expected = [packet for name, packet in packets.items() if name in wanted]
    wait_for_contents(comet.received, expected, comet, node)
    assert contents(comet.received) == sorted(expected)
    assert len(comet.ivorns_received()) == len(expected)
    node.stop()


def wait_for_comet(node: Node, filters: list[str]) -> None:
    """Wait until a node's broadcaster has a subscriber, with its filters."""
    node.wait_until_told("filters set" if filters else "subscriber connected")


def test_what_voeflow_broadcasts_reaches_comet_byte_for_byte(stage: Stage) -> None:
    node = stage.node(BROKER)
    comet = stage.comet(remote=node.port("public"))
    wait_for_comet(node, [])
    packets = varied("ivo://org.example/broadcast#")
    for packet in packets:
        assert stage.comet_sendvo(node.port("authors"), packet).status == 0
    wait_for_contents(comet.received, packets, comet, node)
    assert contents(comet.received) == sorted(packets)
    node.stop()


def test_voeflow_subscribed_to_comet_gets_what_its_xpath_asks_for(stage: Stage) -> None:
    comet = stage.comet()
    text = SUBSCRIBER.replace("@PORT@", str(comet.broadcast_port)).replace("@FILTERS@", f"'{SVOM}'")
    node = stage.node(text)
    comet.wait_until_says("Installing filter")
    packets = mixture("ivo://org.example/asked#")
    for packet in packets.values():
        assert stage.comet_sendvo(comet.receive_port, packet).status == 0
    comet.wait_until_says("Event rejected by filter", number=2)
    wait_for_contents(node.directory / "events", [packets["last"]], node, comet)
    node.stop()
    assert saved(node) == sorted(packets[name] for name in ("svom-far", "svom-near", "last"))


def test_what_comet_broadcasts_is_saved_byte_for_byte(stage: Stage) -> None:
    comet = stage.comet()
    text = SUBSCRIBER.replace("@PORT@", str(comet.broadcast_port)).replace("@FILTERS@", "")
    node = stage.node(text)
    comet.wait_until_says("Authentication received")
    packets = varied("ivo://org.example/from-comet#")
    for packet in packets:
        assert stage.comet_sendvo(comet.receive_port, packet).status == 0
    wait_for_contents(node.directory / "events", packets, node, comet)
    acknowledged(comet, len(packets))
    node.stop()
    assert saved(node) == sorted(packets)


def acknowledged(comet: Comet, number: int) -> None:
    """Wait until a Comet has had a receipt for each of `number` events."""
    comet.wait_until_says("Ack received from", number=number)
