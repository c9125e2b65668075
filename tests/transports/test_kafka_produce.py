from __future__ import annotations

import gc
import time
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from support.kafka_broker import Broker, broker
from support.kafka_mock import PRODUCE, Mock, mock_cluster
from support.samples import voevent
from transports.kafka_support import KafkaNode, client_threads, eventually, running, told
from voeflow_transports.kafka import _delivering
from voeflow_transports.kafka import produce as produce_module
from voeflow_transports.kafka.produce import KafkaProduce

#: Kafka's error codes (Kafka protocol guide, Error Codes).
_UNKNOWN_TOPIC, _NOT_LEADER, _TIMED_OUT, _TOO_LARGE, _FORBIDDEN, _NOT_ENOUGH_REPLICAS = 3, 6, 7, 10, 29, 19


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with broker(tmp_path_factory.mktemp("kafka")) as running_broker:
        yield running_broker


@pytest.fixture
def mock() -> Iterator[Mock]:
    with mock_cluster() as cluster:
        cluster.create("t")
        yield cluster


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(produce_module, "_FIRST_WAIT", 0.1)


def producer(address: str, topic: str = "t", /, **settings: int) -> KafkaProduce:
    return KafkaProduce(servers=(address,), topic=topic, settings={"retry.backoff.ms": 50, **settings})


def ivorns(first: int, last: int) -> list[str]:
    return [f"ivo://a.b/c#{number}" for number in range(first, last)]


async def test_a_message_has_the_ivorn_as_its_key_the_bytes_and_headers_to_choose_by(kafka: Broker) -> None:
    topic = kafka.create("form")
    async with running(producer(kafka.address, topic), node := KafkaNode()):
        node.carry("ivo://a.b/c#1")
        await node.until(lambda: node.settled)
    assert node.settled == [("ivo://a.b/c#1", "done")]
    (message,) = await trio.to_thread.run_sync(kafka.read, topic, 1)
    assert message.key() == b"ivo://a.b/c#1"
    assert message.value() == voevent("ivo://a.b/c#1")
    assert dict(message.headers()) == {
        "content-type": b"application/xml",
        "role": b"observation",
        "author": b"ivo://obspm.gepi/svom",
        "version": b"2.0",
        "source": b"hand",
    }


async def test_events_of_one_key_keep_their_order(kafka: Broker) -> None:
    topic = kafka.create("order", 4)
    sent = [f"ivo://a.b/c#{number % 7}" for number in range(700)]
    async with running(producer(kafka.address, topic), node := KafkaNode()):
        for number, ivorn in enumerate(sent):
            node.carry(ivorn, raw=voevent(ivorn).replace(b"2026", b"%04d" % (1000 + number), 1))
        await node.until(lambda: len(node.settled) == 700)
    found = await trio.to_thread.run_sync(kafka.read, topic, 700, 4)
    for ivorn in {*sent}:
        values = [message.value() for message in found if message.key() == ivorn.encode()]
        assert values == sorted(values)
        assert len(values) == 100


async def test_an_event_is_done_only_when_kafka_has_acknowledged_it(kafka: Broker) -> None:
    topic = kafka.create("acknowledged")
    async with running(producer(kafka.address, topic), node := KafkaNode()):
        node.carry("ivo://a.b/c#1")
        await node.until(lambda: node.settled)
        kafka.freeze()
        try:
            node.carry("ivo://a.b/c#2")
            await trio.sleep(1.0)
            assert len(node.settled) == 1
        finally:
            kafka.thaw()
        await node.until(lambda: len(node.settled) == 2)
    assert len(await trio.to_thread.run_sync(kafka.read, topic, 2)) == 2


async def test_passing_errors_of_the_broker_lose_nothing_and_change_no_order(mock: Mock) -> None:
    errors = [_NOT_LEADER, _TIMED_OUT, _NOT_ENOUGH_REPLICAS, _NOT_LEADER, _TIMED_OUT]
    async with running(producer(mock.address), node := KafkaNode()):
        mock.fail(PRODUCE, *errors)
        for number in range(50):
            node.carry(*ivorns(number, number + 1))
        await node.until(lambda: len(node.settled) == 50)
    assert node.settled == [(ivorn, "done") for ivorn in ivorns(0, 50)]


async def test_what_counts_as_delivered_is_in_the_topic_though_the_broker_checks_no_sequence(
    mock: Mock,
) -> None:
    # librdkafka's mock cluster does not: it takes a batch whose predecessor it has refused.
    small = producer(mock.address, **{"batch.num.messages": 1, "linger.ms": 0})
    async with running(small, node := KafkaNode()):
        mock.fail(PRODUCE, 0, _TIMED_OUT, 0, _NOT_ENOUGH_REPLICAS, 0, 0, _NOT_LEADER, _TIMED_OUT)
        node.carry(*ivorns(0, 40))
        await node.until(lambda: len(node.settled) == 40)
    found = await trio.to_thread.run_sync(mock.read, "t", 40)
    assert [message.key().decode() for message in found] == ivorns(0, 40)


async def test_a_broker_that_goes_away_and_comes_back_gets_all_that_waited(mock: Mock) -> None:
    with told() as log:
        async with running(producer(mock.address), node := KafkaNode()):
            node.carry(*ivorns(0, 1))
            await node.until(lambda: node.settled)
            mock.down()
            node.carry(*ivorns(1, 100))
            await log.until("connection lost")
            assert len(node.settled) == 1
            mock.up()
            await log.until("connected", number=2)
            await node.until(lambda: len(node.settled) == 100)
    assert node.settled == [(ivorn, "done") for ivorn in ivorns(0, 100)]


async def test_a_message_that_is_too_large_fails_alone_with_the_reason(mock: Mock) -> None:
    small = {"message.max.bytes": 5000, "batch.size": 1000}  # less than a message has: each goes out alone
    async with running(producer(mock.address, **small), node := KafkaNode()):
        node.carry("ivo://a.b/c#1")
        node.carry("ivo://a.b/c#2", raw=voevent("ivo://a.b/c#2") + b" " * 6000)
        node.carry("ivo://a.b/c#3")
        await node.until(lambda: len(node.settled) == 3)
        mock.fail(PRODUCE, _TOO_LARGE)
        node.carry("ivo://a.b/c#4")
        await node.until(lambda: len(node.settled) == 4)
    outcomes = dict(node.settled)
    assert [outcomes[f"ivo://a.b/c#{number}"] for number in (1, 3)] == ["done", "done"]
    for number in (2, 4):
        assert "too large" in outcomes[f"ivo://a.b/c#{number}"]


async def test_a_batch_that_is_too_large_is_made_smaller_and_none_of_it_fails(mock: Mock) -> None:
    with told() as log:
        async with running(producer(mock.address), node := KafkaNode()):
            mock.fail(PRODUCE, _TOO_LARGE, _TOO_LARGE)
            node.carry(*ivorns(0, 50))
            await node.until(lambda: len(node.settled) == 50)
    assert node.settled == [(ivorn, "done") for ivorn in ivorns(0, 50)]
    assert [
        size
        for line, size in zip(log.all("events wait for Kafka"), ("250000 bytes", "62500 bytes"), strict=True)
        if size in line["reason"]
    ] == ["250000 bytes", "62500 bytes"]


async def test_events_wait_in_order_while_the_topic_may_not_be_written_to(mock: Mock) -> None:
    with told() as log:
        async with running(producer(mock.address), node := KafkaNode()):
            mock.fail(PRODUCE, _FORBIDDEN, _FORBIDDEN)
            node.carry(*ivorns(0, 20))
            line = await log.until("events wait for Kafka")
            node.carry(*ivorns(20, 30))
            await node.until(lambda: len(node.settled) == 30)
    assert node.settled == [(ivorn, "done") for ivorn in ivorns(0, 30)]
    assert "permit" in line["reason"]


async def test_a_topic_that_is_not_there_is_told_before_the_first_event_with_the_nearest(
    kafka: Broker,
) -> None:
    kafka.create("observatory.alerts")
    with told() as log:
        async with running(producer(kafka.address, "observatory.alert"), KafkaNode()):
            line = await log.until("topic is not there yet")
    assert (line["topic"], line["nearest"]) == ("observatory.alert", "observatory.alerts")
    assert "create the topic 'observatory.alert'" in line["remedy"]


async def test_a_broker_that_answers_and_acknowledges_nothing_for_long_is_told(
    mock: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_delivering, "_SLOW", 0.2)
    with told() as log:
        async with running(producer(mock.address), node := KafkaNode()):
            mock.fail(PRODUCE, *[_NOT_ENOUGH_REPLICAS] * 5)
            node.carry(*ivorns(0, 3))
            line = await log.until("events wait for Kafka")
            await node.until(lambda: len(node.settled) == 3)
    assert "nothing of 3 events was acknowledged" in line["reason"]
    assert "min.insync.replicas" in line["reason"]
    assert len(log.all("events wait for Kafka")) == 1


async def test_events_wait_for_a_topic_that_is_not_there(mock: Mock) -> None:
    settings = {"topic.metadata.propagation.max.ms": 100, "topic.metadata.refresh.interval.ms": 100}
    mock.fail_topic("missing", _UNKNOWN_TOPIC)
    with told() as log:
        async with running(producer(mock.address, "missing", **settings), node := KafkaNode()):
            node.carry(*ivorns(0, 3))
            line = await log.until("events wait for Kafka")
            assert not node.settled
            mock.fail_topic("missing", 0)
            await node.until(lambda: len(node.settled) == 3)
    assert "create the topic 'missing'" in line["reason"]


async def test_more_than_librdkafka_has_room_for_waits_for_room(kafka: Broker) -> None:
    topic = kafka.create("room")
    small = producer(kafka.address, topic, **{"queue.buffering.max.messages": 10})
    async with running(small, node := KafkaNode()):
        node.carry(*ivorns(0, 200))
        node.carry(*ivorns(200, 300))
        await node.until(lambda: len(node.settled) == 300)
    found = await trio.to_thread.run_sync(kafka.read, topic, 300)
    assert [message.key().decode() for message in found] == ivorns(0, 300)


async def test_it_ends_in_seconds_while_the_broker_is_frozen_and_leaves_no_thread(kafka: Broker) -> None:
    topic = kafka.create("end")
    await trio.to_thread.run_sync(gc.collect)
    before = client_threads()
    async with running(producer(kafka.address, topic), node := KafkaNode()) as scope:
        node.carry("ivo://a.b/c#1")
        await node.until(lambda: node.settled)
        kafka.freeze()
        node.carry("ivo://a.b/c#2")
        await trio.testing.wait_all_tasks_blocked(0.05)
        began = time.monotonic()
        scope.cancel()
    kafka.thaw()
    assert time.monotonic() - began < 18
    assert len(node.settled) == 1
    await eventually(lambda: client_threads() <= before)


@pytest.mark.parametrize("topic", ["", "a b", "a.*", "^a", "..", "x" * 250])
def test_a_topic_that_is_no_name_is_a_mistake(topic: str) -> None:
    with pytest.raises(ValueError, match="name of a topic"):
        producer("127.0.0.1:1", topic)
