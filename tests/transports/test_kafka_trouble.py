from __future__ import annotations

import ssl
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme
from confluent_kafka import Consumer, TopicPartition

import voeflow
from faults.cable import Cable
from support.kafka_broker import Broker, broker
from support.kafka_mock import OFFSET_COMMIT, mock_cluster
from support.nodes import read
from support.ports import free_port
from support.samples import voevent
from transports.kafka_support import KafkaNode, consumer, eventually, running, told
from voeflow_transports.kafka import _engine, _reading
from voeflow_transports.kafka.consume import KafkaConsume
from voeflow_transports.kafka.produce import KafkaProduce

#: Kafka's error codes (Kafka protocol guide, Error Codes).
_INVALID_COMMIT_OFFSET_SIZE, _FORBIDDEN = 28, 29

ONE, TWO = voevent("ivo://a.b/c#1"), voevent("ivo://a.b/c#2")


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with broker(tmp_path_factory.mktemp("kafka")) as running_broker:
        yield running_broker


async def test_a_topic_that_is_not_there_is_named_once_and_the_others_are_read(kafka: Broker) -> None:
    kafka.send(kafka.create("there"), ONE)
    with told() as log:
        async with running(consumer(kafka.address, "there", "elsewhere", group="a"), node := KafkaNode()):
            await node.until(lambda: node.kept == [ONE])
            line = await log.until("unknown topic")
            await trio.sleep(1.5)  # in which librdkafka reports it some times more
    assert line["topic"] == "elsewhere"
    assert "create it" in line["remedy"]
    assert len(log.all("unknown topic")) == 1


async def test_a_topic_that_may_not_be_read_is_told_with_who_can_permit_it() -> None:
    with mock_cluster() as mock, told() as log:
        mock.create("secret")
        mock.fail_topic("secret", _FORBIDDEN)
        async with running(consumer(mock.address, "secret", group="p"), KafkaNode()):
            line = await log.until("trouble with Kafka")
    assert line["topic"] == "secret"
    assert "administrator" in line["remedy"]


async def test_a_broker_that_cannot_be_reached_is_told_once_and_tried_again_until_it_can(
    tmp_path: Path,
) -> None:
    with told() as log, broker(tmp_path) as kafka, Cable(kafka.port) as cable:
        await cut(cable)
        transport = consumer(f"127.0.0.1:{cable.port}", "t", group="b")
        async with running(transport, KafkaNode()):
            line = await log.until("not connected")
            await trio.sleep(1.0)
            assert len(log.all("not connected")) == 1
            await trio.to_thread.run_sync(cable.mend)
            await log.until("connected")
    assert line["log_level"] == "error"
    assert str(cable.port) in line["servers"]
    assert "servers" in line["remedy"]


@pytest.mark.slow
async def test_a_cut_connection_is_told_and_so_is_its_return_and_nothing_is_missed(tmp_path: Path) -> None:
    port = free_port()
    with Cable(port) as cable, broker(tmp_path, port=port, told=cable.port) as kafka, told() as log:
        far = Broker(cable.port, kafka.process)
        transport = consumer(far.address, "t", group="c")
        async with running(transport, node := KafkaNode()):
            await trio.to_thread.run_sync(far.create, "t")
            await log.until("partitions assigned")
            await cut(cable)
            line = await log.until("connection lost")
            await trio.to_thread.run_sync(cable.mend)
            await log.until("connected", number=2)
            await trio.to_thread.run_sync(far.send, "t", ONE)
            await node.until(lambda: node.kept == [ONE])
    assert "127.0.0.1" in line["servers"]


async def cut(cable: Cable) -> None:
    await trio.to_thread.run_sync(lambda: cable.cut(silent=False))


@pytest.mark.slow
async def test_a_frozen_broker_is_told_and_when_it_is_back_nothing_is_lost_either_way(tmp_path: Path) -> None:
    quick = {"socket.timeout.ms": 2000, "api.version.request.timeout.ms": 1000}
    with told() as log, broker(tmp_path) as kafka:
        kafka.create("t")
        produce = KafkaProduce(servers=(kafka.address,), topic="t", settings=quick)
        consume = consumer(kafka.address, "t", group="d", settings=quick)
        async with running(consume, node := KafkaNode()), running(produce, out := KafkaNode(name="out")):
            out.carry("ivo://a.b/c#1")
            await node.until(lambda: node.kept == [ONE])
            kafka.freeze()
            out.carry("ivo://a.b/c#2")
            await log.until("connection lost", number=2)
            assert out.settled == [("ivo://a.b/c#1", "done")]
            kafka.thaw()
            await node.until(lambda: node.kept == [ONE, TWO])
            await out.until(lambda: len(out.settled) == 2)
    assert out.settled[1] == ("ivo://a.b/c#2", "done")
    assert {line["transport"] for line in log.all("connection lost")} == {"table", "out"}


async def test_a_wrong_password_is_told_with_what_to_do(tmp_path: Path) -> None:
    login = {
        "security.protocol": voeflow.Secret("sasl_plaintext"),
        "sasl.mechanism": voeflow.Secret("SCRAM-SHA-512"),
        "sasl.username": voeflow.Secret("ann"),
        "sasl.password": voeflow.Secret("wrong"),
    }
    with told() as log, broker(tmp_path, login=True) as kafka:
        async with (
            running(consumer(kafka.address, "t", settings=login), KafkaNode(name="in")),
            running(KafkaProduce(servers=(kafka.address,), topic="t", settings=login), KafkaNode(name="out")),
        ):
            lines = [await log.until("not connected", number=number) for number in (1, 2)]
            await trio.sleep(0.5)
            assert len(log.all("not connected")) == 2
    assert {line["transport"] for line in lines} == {"in", "out"}
    for line in lines:
        assert "SCRAM" in line["reason"]
        assert "password" in line["remedy"]
        assert "wrong" not in str(line)


async def test_a_certificate_of_an_unknown_authority_is_told_with_the_setting_for_it(tmp_path: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").configure_cert(context)
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)

    async def shake(stream: trio.SocketStream) -> None:
        with trio.move_on_after(5):
            with suppress(trio.BrokenResourceError):
                await trio.SSLStream(stream, context, server_side=True).do_handshake()

    settings = {"security.protocol": "ssl", "ssl.ca.location": str(other)}
    with told() as log:
        async with trio.open_nursery() as nursery:
            (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
            nursery.start_soon(trio.serve_listeners, shake, [listener])
            address = f"127.0.0.1:{listener.socket.getsockname()[1]}"
            async with running(consumer(address, "t", settings=settings), KafkaNode()):
                line = await log.until("not connected")
            nursery.cancel_scope.cancel()
    assert "certificate" in line["reason"]
    assert "ssl.ca.location" in line["remedy"]


@pytest.mark.parametrize(
    "plugin", ["gcn", "hopskotch", "hopskotch-publish", "kafka-consume", "kafka-produce"]
)
def test_without_confluent_kafka_it_is_told_what_to_install(
    plugin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    named = {"gcn": 'notices = "svom.*"', "hopskotch": 'topics = "t"', "kafka-consume": 'topics = "t"'}
    servers = 'servers = "127.0.0.1:1"'
    pipeline = f'[transports.it]\nplugin = "{plugin}"\n{servers}\n' + named.get(plugin, 'topic = "t"')
    with pytest.raises(voeflow.PipelineError) as mistake:
        read(tmp_path, pipeline)
    assert "transports.it: this transport needs confluent-kafka" in str(mistake.value)
    assert "pip install 'voeflow[kafka]'" in str(mistake.value)


def given(cls: Any, **settings: Any) -> Any:
    where = {"topics": ("t",)} if cls is KafkaConsume else {"topic": "t"}
    return cls(servers=(f"127.0.0.1:{free_port()}",), settings=settings, **where)


@pytest.mark.parametrize("cls", [KafkaConsume, KafkaProduce])
def test_a_misspelt_setting_is_a_mistake_that_names_it(cls: Any) -> None:
    with pytest.raises(ValueError, match=r"no setting called 'socket\.timeout\.msec'"):
        given(cls, **{"socket.timeout.msec": 1})


@pytest.mark.parametrize("cls", [KafkaConsume, KafkaProduce])
def test_a_value_that_librdkafka_does_not_take_is_a_mistake(cls: Any) -> None:
    with pytest.raises(ValueError, match=r"security\.protocol"):
        given(cls, **{"security.protocol": "carrier pigeon"})


@pytest.mark.parametrize(
    ("cls", "setting", "value", "why"),
    [
        (KafkaConsume, "enable.auto.commit", True, "only once the event is stored"),
        (KafkaConsume, "auto.offset.reset", "latest", "option `start`"),
        (KafkaConsume, "group.id", "g", "option `group`"),
        (KafkaConsume, "bootstrap.servers", "a:1", "option `servers`"),
        (KafkaProduce, "acks", 1, "all in-sync replicas"),
        (KafkaProduce, "enable.idempotence", False, "all in-sync replicas"),
        (KafkaProduce, "message.timeout.ms", 1000, "not given up"),
    ],
)
def test_a_setting_that_would_break_a_promise_is_refused_with_the_reason(
    cls: Any, setting: str, value: Any, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        given(cls, **{setting: value})


def test_a_relative_path_in_a_setting_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="absolute path"):
        given(KafkaConsume, **{"ssl.ca.location": "ca.pem"})


@pytest.mark.parametrize("server", ["kafka.example.org", "kafka://a:1", "a:b", "a:1,b:2", ""])
def test_a_server_that_is_no_host_and_port_is_a_mistake(server: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        KafkaConsume(servers=(server,), topics=("t",))


@pytest.mark.slow
async def test_where_a_group_begins_is_committed_though_that_fails_at_first_and_nothing_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_engine, "_COMMIT_AGAIN", 0.1)
    with told() as log, mock_cluster() as mock:
        mock.create("t")
        mock.fail(OFFSET_COMMIT, *[_INVALID_COMMIT_OFFSET_SIZE] * 3)
        settings = {"session.timeout.ms": 6000}
        transport = consumer(mock.address, "t", group="new", start="latest", settings=settings)
        asker = Consumer({"bootstrap.servers": mock.address, "group.id": "new", "log_level": 0})

        def committed() -> int:
            (found,) = asker.committed([TopicPartition("t", 0)], timeout=5)
            return int(found.offset)

        async with running(transport, KafkaNode()):
            await log.until("offsets not committed")
            await eventually(lambda: committed() == 0)
        asker.close()


@pytest.mark.slow
async def test_commits_that_are_refused_for_long_are_told_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = "offsets not committed"
    monkeypatch.setattr(_reading, "_UNCOMMITTED", 0.3)
    monkeypatch.setattr(_engine, "_COMMIT_EVERY", 0.1)
    monkeypatch.setattr(_engine, "_COMMIT_AGAIN", 0.1)
    with told() as log, mock_cluster() as mock:
        mock.create("t")
        transport = consumer(mock.address, "t", group="e", settings={"session.timeout.ms": 6000})
        producer = KafkaProduce(servers=(mock.address,), topic="t")
        async with running(transport, node := KafkaNode()), running(producer, out := KafkaNode(name="out")):
            await log.until("partitions assigned")
            mock.fail(OFFSET_COMMIT, *[_INVALID_COMMIT_OFFSET_SIZE] * 30)
            out.carry("ivo://a.b/c#1")
            await node.until(lambda: node.kept == [ONE])
            await eventually(lambda: [line for line in log.all(refused) if line["log_level"] == "error"])
    assert len([line for line in log.all(refused) if line["log_level"] == "error"]) == 1
    assert len(log.all(refused)) > 1
