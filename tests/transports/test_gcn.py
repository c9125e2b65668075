from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trustme

import voeflow
from support.kafka_broker import QUICK
from support.kafka_network import Network, gcn_network
from support.ports import free_port
from support.samples import voevent
from transports.kafka_support import (
    KafkaNode,
    eventually,
    quick_commits,  # noqa: F401 - a fixture
    running,
    told,
)
from voeflow_transports.kafka import _login
from voeflow_transports.kafka._gcn_credentials import VARIABLES
from voeflow_transports.kafka._message import Message, Packet, Refused, SignOfLife, Told
from voeflow_transports.kafka.gcn import Gcn, understand

CLASSIC = "gcn.classic.voevent.SWIFT_BAT_GRB_POS_ACK"
ONE, TWO = voevent("ivo://a.b/c#1"), voevent("ivo://a.b/c#2")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with gcn_network(tmp_path_factory.mktemp("gcn")) as one:
        for topic in (CLASSIC, "gcn.notices.svom.voevent.grm", "igwn.gwalert", "gcn.heartbeat"):
            one.broker.create(topic)
        yield one


@pytest.fixture(autouse=True)
def _nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (name for names in VARIABLES for name in names):
        monkeypatch.delenv(name, raising=False)


def gcn(network: Network, *notices: str, secret: str = "the-secret", **options: Any) -> Gcn:
    settings = {**QUICK, **network.gcn_settings, **options.pop("settings", {})}
    given: dict[str, Any] = {"client_id": "the-client", "client_secret": voeflow.Secret(secret), **options}
    servers = given.pop("servers", (network.broker.address,))
    return Gcn(notices=notices, servers=servers, settings=settings, **given)


async def test_voevents_and_json_come_through_tls_and_tokens_and_heartbeats_are_signs_of_life(
    network: Network,
) -> None:
    transport = gcn(network, "SWIFT_BAT_GRB_POS_ACK", "svom.*", "igwn.gwalert", start="earliest")
    for topic, value in (
        (CLASSIC, ONE),
        ("gcn.notices.svom.voevent.grm", TWO),
        ("igwn.gwalert", b'{"superevent_id": "S1"}'),
        ("gcn.heartbeat", b'{"alert_datetime": "2026-11-24T00:00:00Z"}'),
    ):
        await trio.to_thread.run_sync(network.broker.send, topic, value)
    async with running(transport, node := KafkaNode()):
        await node.until(lambda: len(node.kept) == 3)
        assert not node.signs  # the old one says nothing of now
        await trio.to_thread.run_sync(network.broker.send, "gcn.heartbeat", b"{}")
        await eventually(lambda: node.signs)
    assert node.signs == ["gcn.heartbeat"]
    assert {*node.kept} == {ONE, TWO, b'{"superevent_id": "S1"}'}
    assert [notice.topic for notice in node.notices] == ["igwn.gwalert"]
    assert network.gate.expired == 0


async def test_nodes_that_share_a_group_share_the_alerts_and_each_hears_the_heartbeat(
    network: Network,
) -> None:
    transport = gcn(network, "igwn.gwalert", group="shared")
    with told() as log:
        async with running(transport, one := KafkaNode()), running(transport, two := KafkaNode()):
            while not (one.signs and two.signs):
                await trio.to_thread.run_sync(network.broker.send, "gcn.heartbeat", b"{}")
                await trio.sleep(0.1)
            await log.until("partitions assigned", number=3)  # two heartbeats, and once the alerts
            await trio.to_thread.run_sync(network.broker.send, "igwn.gwalert", b'{"shared": 1}')
            await eventually(lambda: one.kept or two.kept)
    assert [*one.kept, *two.kept] == [b'{"shared": 1}']
    assert one.notes["group"] != two.notes["group"]


async def test_the_group_is_its_own_and_the_same_after_a_restart(network: Network) -> None:
    node = KafkaNode()
    for _ in range(2):
        async with running(gcn(network, "igwn.gwalert"), node):
            await eventually(lambda: node.notes)
    assert len(node.notes) == 1
    assert node.notes["group"].startswith("voeflow-")


async def test_a_secret_that_is_refused_is_told_with_where_to_get_one(network: Network) -> None:
    with told() as log:
        async with running(gcn(network, "igwn.gwalert", secret="wrong"), KafkaNode()):
            line = await log.until("not connected")
    assert "invalid_client" in line["reason"]
    assert "https://gcn.nasa.gov/quickstart" in line["remedy"]
    assert "client id and secret from the pipeline are for gcn.nasa.gov" in line["remedy"]


async def test_a_token_endpoint_with_another_certificate_is_no_matter_of_credentials(
    network: Network, tmp_path: Path
) -> None:
    trustme.CA().cert_pem.write_to_path(other := tmp_path / "other.pem")
    transport = gcn(network, "igwn.gwalert", settings={"https.ca.location": str(other)})
    with told() as log:
        async with running(transport, KafkaNode()):
            line = await log.until("not connected")
    assert "https.ca.location" in line["remedy"]
    assert "quickstart" not in line["remedy"]


async def test_a_token_endpoint_that_cannot_be_reached_is_told_by_its_address(network: Network) -> None:
    nowhere = f"https://127.0.0.1:{free_port()}/oauth2/token"
    transport = gcn(network, "igwn.gwalert", settings={"sasl.oauthbearer.token.endpoint.url": nowhere})
    with told() as log:
        async with running(transport, KafkaNode()):
            line = await log.until("not connected")
    assert "https://auth.gcn.nasa.gov" in line["remedy"]
    assert "quickstart" not in line["remedy"]


async def test_without_a_credential_the_node_runs_and_looks_again(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_login, "_LOOK_AGAIN", 0.05)
    transport = gcn(network, "igwn.gwalert", client_id="", client_secret=None, start="earliest")
    with told() as log:
        async with running(transport, KafkaNode()):
            line = await log.until("cannot log in")
            for name, value in zip(VARIABLES[1], ("the-client", "the-secret"), strict=True):
                monkeypatch.setenv(name, value)
            await log.until("connected")
    assert "https://gcn.nasa.gov/quickstart" in line["reason"]
    assert len(log.all("cannot log in")) <= 2  # once more if it looked between the two variables


async def test_each_topic_that_is_not_there_is_told_once_with_what_to_write_instead(network: Network) -> None:
    transport = gcn(network, "SWIFT_BAT_GRB_POS_AKC", "swom.*", "igwn.gwalert")
    with told() as log:
        async with running(transport, KafkaNode()):
            line = await log.until("unknown topic")
            pattern = await log.until("no topic matches yet")
            await log.until("partitions assigned")
    assert line["topic"] == "gcn.classic.voevent.SWIFT_BAT_GRB_POS_AKC"
    assert line["nearest"] == CLASSIC
    assert "https://gcn.nasa.gov/notices" in line["remedy"]
    assert "write SWIFT_BAT_GRB_POS_ACK" in line["remedy"]
    assert len(log.all("unknown topic")) == 1
    assert "swom" in pattern["pattern"]
    assert "https://gcn.nasa.gov/notices" in pattern["remedy"]


def message(value: bytes, topic: str = CLASSIC) -> Message:
    return Message(topic=topic, partition=0, offset=1, value=value)


def test_what_says_that_a_topic_is_not_there_is_no_notice_but_that() -> None:
    words = b"Subscribed topic not available: gcn.classic.voevent.FERMI_GBM_FLT_PSO: Broker: Unknown topic"
    found = understand(message(words))
    assert isinstance(found, Refused)
    assert "GCN has no topic gcn.classic.voevent.FERMI_GBM_FLT_PSO" in found.reason
    assert "write FERMI_GBM_FLT_POS" in found.reason


def test_packets_notices_and_heartbeats_are_told_apart() -> None:
    assert understand(message(ONE)) == Packet(ONE)
    assert understand(message(ONE, "gcn.heartbeat")) == SignOfLife()
    found = understand(message(b"{}", "igwn.gwalert"), mapping="a-mapping")
    assert isinstance(found, Told)
    assert (found.notice.topic, found.mapping) == ("igwn.gwalert", "a-mapping")


def test_neither_notices_nor_topics_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one topic"):
        Gcn()


@pytest.mark.parametrize("name", ["enable.auto.commit", "sasl.oauthbearer.client.secret"])
def test_a_setting_that_voeflow_makes_itself_is_a_mistake(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} cannot be set here"):
        Gcn(notices=("svom.*",), settings={name: voeflow.Secret("x")})


def test_the_secret_is_not_shown() -> None:
    transport = Gcn(notices=("svom.*",), client_id="a", client_secret=voeflow.Secret("hush"))
    assert "hush" not in repr(transport)
    assert "hush" not in str(attrs.asdict(transport, recurse=False))
