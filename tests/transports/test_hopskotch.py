from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

import voeflow
from support.kafka_broker import QUICK
from support.kafka_network import PASSWORD, USER, Network, hopskotch_network
from support.samples import voevent
from transports.kafka_support import (
    KafkaNode,
    eventually,
    quick_commits,  # noqa: F401 - a fixture
    running,
    told,
)
from voeflow_transports.kafka.hopskotch import Hopskotch
from voeflow_transports.kafka.hopskotch_publish import HopskotchPublish

ONE, TWO, TEST = voevent("ivo://a.b/c#1"), voevent("ivo://a.b/c#2"), voevent("ivo://a.b/c#3", role="test")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with hopskotch_network(tmp_path_factory.mktemp("hopskotch")) as one:
        one.broker.create("sys.heartbeat")
        yield one


@pytest.fixture(autouse=True)
def _no_credentials_of_the_developer_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HOP_USERNAME", "HOP_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def options(network: Network, **given: Any) -> dict[str, Any]:
    return {
        "servers": (network.broker.address,),
        "username": USER,
        "password": voeflow.Secret(PASSWORD),
        "settings": {**QUICK, "ssl.ca.location": str(network.certificates)},
        **given,
    }


def hopskotch(network: Network, topic: str, **given: Any) -> Hopskotch:
    return Hopskotch(topics=(topic,), **options(network, start="earliest", **given))


async def test_packets_and_notices_come_tests_are_passed_over_and_heartbeats_are_signs_of_life(
    network: Network,
) -> None:
    topic = network.broker.create("a.alerts")
    for value, form, more in (
        (ONE, b"voevent", []),
        (TWO, b"voevent", [("_test", b"true")]),
        (b'{"a": 1}', b"json", [("_sender", b"bob")]),
    ):
        network.broker.send(topic, value, headers=[("_format", form), *more])
    async with running(hopskotch(network, topic), node := KafkaNode()):
        await node.until(lambda: len(node.kept) == 2)
        await trio.to_thread.run_sync(network.broker.send, "sys.heartbeat", b'{"timestamp": 1}')
        await eventually(lambda: {"sys.heartbeat", topic} <= {*node.signs})
    assert node.kept == [ONE, b'{"a": 1}']
    assert node.notes["group"].startswith(f"{USER}-voeflow-")  # the broker lets it into no other group


async def test_the_credential_is_found_where_hop_auth_keeps_it(network: Network, tmp_path: Path) -> None:
    (tmp_path / "hop").mkdir()
    file = tmp_path / "hop/auth.toml"
    file.touch(0o600)
    file.write_text(
        f'auth = [{{ username = "{USER}", password = "{PASSWORD}", hostname = "{network.broker.address}",'
        f' ssl_ca_location = "{network.certificates}" }}]\n'
    )
    topic = network.broker.create("b.alerts")
    network.broker.send(topic, ONE)
    transport = hopskotch(network, topic, username="", password=None, settings=dict(QUICK))
    async with running(transport, node := KafkaNode()):
        await node.until(lambda: node.kept == [ONE])


async def test_a_wrong_password_is_told_with_whose_it_is_and_where_to_get_one(network: Network) -> None:
    with told() as log:
        async with running(
            hopskotch(network, "a.alerts", password=voeflow.Secret("wrong")), KafkaNode(name="in")
        ):
            line = await log.until("not connected")
    assert USER in line["remedy"]
    assert "https://my.hop.scimma.org" in line["remedy"]
    assert PASSWORD not in str(line)


async def test_what_is_published_has_the_headers_of_hop_client_and_is_read_again(network: Network) -> None:
    topic = network.broker.create("c.alerts")
    out = HopskotchPublish(
        topic=topic, **options(network, settings={"ssl.ca.location": str(network.certificates)})
    )
    async with running(out, sink := KafkaNode()):
        sink.carry("ivo://a.b/c#1")
        sink.carry("ivo://a.b/c#3", raw=TEST)
        await sink.until(lambda: len(sink.settled) == 2)
    assert {how for _, how in sink.settled} == {"done"}
    messages = await trio.to_thread.run_sync(network.broker.read, topic, 2)
    headers = {message.value(): dict(message.headers()) for message in messages}
    assert headers[ONE].keys() == {"_id", "_sender", "_format"}
    assert (headers[ONE]["_sender"], headers[ONE]["_format"]) == (USER.encode(), b"voevent")
    assert headers[TEST]["_test"] == b"true"
    async with running(hopskotch(network, topic, tests="keep"), node := KafkaNode()):
        await node.until(lambda: {*node.kept} == {ONE, TEST})
