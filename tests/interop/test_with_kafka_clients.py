"""voeflow and the clients of the two public networks, gcn-kafka and hop-client: each reads the other."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import voeflow
from interop.processes import Process
from interop.stage import Node, Stage, contents, peer, wait_for_contents
from interop.wire import submit
from support.kafka_network import PASSWORD, USER, Network, gcn_network, hopskotch_network
from support.notices import notice
from support.samples import voevent

pytestmark = [pytest.mark.interop, pytest.mark.slow]

PROGRAM = Path(__file__).with_name("kafka_peers.py")
PACKETS = [
    voevent("ivo://obspm.gepi/svom#1"),
    voevent("ivo://obspm.gepi/svom#2", role="test"),
    voevent("ivo://obspm.gepi/svom#3", version="2.1"),
]

#: As gcn-kafka reads them, and voeflow too.
GCN_VARIABLES = {"KAFKA_CLIENT___ID": "the-client", "KAFKA_CLIENT___SECRET": "the-secret"}

OUT = """\
ivoid = "ivo://org.example/voeflow"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
[transports.out]
"""

IN = """\
[transports.in]
start = "earliest"
@WHERE@
[handlers.archive]
plugin = "save"
directory = "events"
"""


def settings(**more: str) -> str:
    lines = [f'"{name}" = "{value}"' for name, value in more.items()]
    return "\n".join(lines)


def run_peer(stage: Stage, does: str, environment: dict[str, str] | None = None, **given: Any) -> Process:
    return stage.program(does, [peer("python"), PROGRAM, does, json.dumps(given)], environment=environment)


def told(process: Process, number: int) -> list[dict[str, Any]]:
    """What a peer's program wrote, once it is so many messages."""
    lines = process.wait_for("messages", lambda line: line.startswith("{"), number=number)
    return [json.loads(line) for line in lines]


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def feed(node: Node) -> None:
    for packet in PACKETS:
        assert submit(node.port("authors"), packet) == "ack"
    node.wait_until_told("delivered", sink="out", number=len(PACKETS))


@pytest.fixture
def gcn(tmp_path: Path) -> Iterator[Network]:
    with gcn_network(tmp_path) as network:
        yield network


@pytest.fixture
def hopskotch(tmp_path: Path) -> Iterator[Network]:
    with hopskotch_network(tmp_path) as network:
        network.broker.create("sys.heartbeat")
        yield network


def at_gcn(network: Network) -> dict[str, str]:
    return {
        "server": network.broker.address,
        "ca": str(network.certificates),
        "tokens": network.tokens.url,
    }


def test_gcn_kafka_s_consumer_reads_what_voeflow_produces(stage: Stage, gcn: Network) -> None:
    topic = gcn.broker.create("gcn.notices.observatory.voevent")
    login = settings(**{
        **gcn.gcn_settings,
        "security.protocol": "sasl_ssl",
        "sasl.mechanisms": "OAUTHBEARER",
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.client.id": "the-client",
        "sasl.oauthbearer.client.secret": "the-secret",
    })  # fmt: skip
    node = stage.node(
        f'{OUT}plugin = "kafka-produce"\ntopic = "{topic}"\nservers = "{gcn.broker.address}"\n'
        f"[transports.out.settings]\n{login}"
    )
    reader = run_peer(stage, "gcn-read", GCN_VARIABLES, **at_gcn(gcn), topic=topic, number=len(PACKETS))
    feed(node)
    messages = told(reader, len(PACKETS))
    assert [message["value"] for message in messages] == list(map(encoded, PACKETS))
    assert [message["key"] for message in messages] == [f"ivo://obspm.gepi/svom#{n}" for n in (1, 2, 3)]
    assert [message["headers"]["role"] for message in messages] == ["observation", "test", "observation"]
    assert {message["headers"]["author"] for message in messages} == {"ivo://obspm.gepi/svom"}
    assert reader.wait() == 0
    node.stop()


def test_voeflow_reads_what_gcn_kafka_s_producer_writes_with_its_variables(
    stage: Stage, gcn: Network
) -> None:
    topics = "gcn.classic.voevent.SWIFT_BAT_GRB_POS_ACK", "igwn.gwalert", "gcn.heartbeat"
    for topic in topics:
        gcn.broker.create(topic)
    messages = [
        (topics[0], encoded(PACKETS[0])),
        (topics[1], encoded(notice("lvk-initial").content)),
        (topics[2], encoded(b'{"alert_datetime": "2026-11-24T00:00:00Z"}')),
    ]
    writer = run_peer(stage, "gcn-write", GCN_VARIABLES, **at_gcn(gcn), messages=messages)
    assert told(writer, 1) == [{"left": 0}]
    node = stage.node(
        IN.replace(
            "@WHERE@",
            f'plugin = "gcn"\nnotices = ["SWIFT_BAT_GRB_POS_ACK", "igwn.gwalert"]\n'
            f'servers = "{gcn.broker.address}"\n[transports.in.settings]\n"session.timeout.ms" = 6000\n'
            + settings(**gcn.gcn_settings),
        ),
        environment=GCN_VARIABLES,
    )
    node.wait_until_told("event accepted", number=2)
    node.wait_until_told("delivered", sink="archive", number=2)
    saved = contents(node.directory / "events")
    assert PACKETS[0] in saved
    (made,) = (voeflow.Event.parse(each) for each in saved if each != PACKETS[0])
    assert made.params["AlertType"].value == "Initial"
    node.stop()


def test_hop_client_reads_what_voeflow_publishes_as_voevents(stage: Stage, hopskotch: Network) -> None:
    topic = hopskotch.broker.create("observatory.alerts")
    variables = logged_in(stage, hopskotch)
    node = stage.node(
        f'{OUT}plugin = "hopskotch-publish"\ntopic = "{topic}"\nservers = "{hopskotch.broker.address}"\n',
        environment=variables,
    )
    reader = run_peer(
        stage, "hop-read", variables, server=hopskotch.broker.address, topic=topic, number=len(PACKETS)
    )
    feed(node)
    messages = told(reader, len(PACKETS))
    assert [message["model"] for message in messages] == ["VOEvent"] * len(PACKETS)
    assert [message["ivorn"] for message in messages] == [f"ivo://obspm.gepi/svom#{n}" for n in (1, 2, 3)]
    assert [message["role"] for message in messages] == ["observation", "test", "observation"]
    assert [message["test"] for message in messages] == [False, True, False]
    assert {message["author"] for message in messages} == {"ivo://obspm.gepi/svom"}
    assert {message["sender"] for message in messages} == {USER}
    assert [message["value"] for message in messages] == list(map(encoded, PACKETS))
    node.stop()


def test_voeflow_reads_what_hop_client_writes_and_passes_over_its_tests(
    stage: Stage, hopskotch: Network
) -> None:
    topic = hopskotch.broker.create("observatory.alerts")
    variables = logged_in(stage, hopskotch)
    first, second, third = PACKETS
    einstein = notice("einstein-probe").content
    messages = [
        ("voevent", first, False),
        ("voevent", second, True),
        ("json", einstein, False),
        ("voevent", third, False),
    ]
    writer = run_peer(
        stage,
        "hop-write",
        variables,
        server=hopskotch.broker.address,
        topic=topic,
        messages=[(kind, encoded(content), test) for kind, content, test in messages],
        options={"automatic_offload": False},
    )
    assert told(writer, 1) == [{"done": True}]
    where = (
        f'plugin = "hopskotch"\ntopics = "{topic}"\nservers = "{hopskotch.broker.address}"\n'
        'mapping = "gcn-unified"\n[transports.in.settings]\n"session.timeout.ms" = 6000\n'
    )
    node = stage.node(IN.replace("@WHERE@", where), environment=variables)
    wait_for_contents(node.directory / "events", [first, third], node)
    node.wait_until_told("delivered", sink="archive", number=3)
    saved = contents(node.directory / "events")
    assert {first, third} < {*saved}
    (made,) = (voeflow.Event.parse(each) for each in saved if each not in (first, third))
    assert made.author == "ivo://nasa.gsfc.gcn/EinsteinProbe"
    node.stop()


def logged_in(stage: Stage, network: Network) -> dict[str, str]:
    """Keep the credential as `hop auth add` does; give the variables by which it is found."""
    variables = {"XDG_CONFIG_HOME": str(stage.room("home"))}
    kept = run_peer(
        stage,
        "hop-auth",
        variables,
        user=USER,
        password=PASSWORD,
        server=network.broker.address,
        ca=str(network.certificates),
    )
    told(kept, 1)
    return variables
