"""The bridge: what GCN sends over Kafka, VOEvents and JSON, reaches PyGCN and Comet over VTP."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote_plus

import pytest
from lxml import etree

import voeflow
from interop.processes import until
from interop.stage import Stage, contents, peers_packages, wait_for_contents
from support.kafka_network import gcn_network
from support.notices import notice
from support.samples import voevent

pytestmark = [pytest.mark.interop, pytest.mark.slow]

SWIFT = voevent("ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_9990002-102", author="ivo://nasa.gsfc.tan/gcn")
SVOM = voevent("ivo://org.svom/fsc#sb26112498_eclairs-wakeup", author="ivo://org.svom/fsc", packet_type=202)
WAVES = [notice(f"lvk-{kind}").content for kind in ("early-warning", "preliminary", "update", "retraction")]
TOPICS = "gcn.classic.voevent.SWIFT_BAT_GRB_POS_ACK", "gcn.notices.svom.voevent.eclairs", "igwn.gwalert"

NODE = """\
ivoid = "ivo://org.example/bridge"
[transports.gcn]
plugin = "gcn"
client_id = "the-client"
client_secret = "the-secret"
notices = ["SWIFT_BAT_GRB_POS_ACK", "svom.*", "igwn.gwalert"]
servers = "@SERVER@"
[transports.gcn.settings]
"session.timeout.ms" = 6000
@SETTINGS@
[transports.public]
plugin = "vtp-broadcast"
listen = "127.0.0.1:0"
test_interval = "0"
sources = ["gcn"]
"""


def test_gravitational_waves_swift_and_svom_reach_pygcn_and_comet_and_cite_rightly(
    stage: Stage, tmp_path: Path
) -> None:
    with gcn_network(tmp_path) as network:
        for topic in (*TOPICS, "gcn.heartbeat"):
            network.broker.create(topic)
        settings = "\n".join(f'"{name}" = "{value}"' for name, value in network.gcn_settings.items())
        pipeline = NODE.replace("@SERVER@", network.broker.address).replace("@SETTINGS@", settings)
        node = stage.node(pipeline)
        comet = stage.comet(remote=node.port("public"))
        listener = stage.pygcn_listen(node.port("public"))
        node.wait_until_told("subscriber connected", number=2)
        node.wait_until_told("partitions assigned")
        for alert in WAVES:
            network.broker.send("igwn.gwalert", alert)
        network.broker.send(TOPICS[0], SWIFT)
        network.broker.send(TOPICS[1], SVOM)

        node.wait_until_told("event accepted", number=6)
        until("six events at Comet", lambda: len(contents(comet.received)) == 6, comet, node)
        wait_for_contents(comet.received, [SWIFT, SVOM], comet, node)
        events = [voeflow.Event.parse(packet) for packet in contents(comet.received)]
        archive = {event.ivorn: listener.directory / quote_plus(event.ivorn) for event in events}
        until("six files of PyGCN", lambda: all(map(Path.exists, archive.values())), listener, node)
        for event in events:  # what both have is the same, byte for byte
            until(
                "a whole file", lambda event=event: archive[event.ivorn].read_bytes() == event.raw, listener
            )
        node.stop()

    ivoa = etree.XMLSchema(etree.parse(peers_packages() / "comet/schema/VOEvent-v2.0.xsd"))
    for event in events:
        assert ivoa.validate(etree.fromstring(event.raw)), (event.ivorn, ivoa.error_log)
    waves = {event.params["AlertType"].value: event for event in events if event.author == "ivo://gwnet/LVC"}
    early, preliminary, update, retraction = (
        waves[kind] for kind in ("EarlyWarning", "Preliminary", "Update", "Retraction")
    )
    assert cited(early) == []
    assert cited(preliminary) == [("supersedes", early.ivorn)]
    assert cited(update) == [("supersedes", preliminary.ivorn), ("supersedes", early.ivorn)]
    assert cited(retraction) == [
        ("retraction", earlier.ivorn) for earlier in (update, preliminary, early)
    ]  # fmt: skip
    received = comet.ivorns_received()
    assert [ivorn for ivorn in received if "gwnet" in ivorn] == [
        wave.ivorn for wave in (early, preliminary, update, retraction)
    ]


def cited(event: voeflow.Event) -> list[tuple[str, str]]:
    return [(citation.kind, citation.ivorn) for citation in event.citations]
