from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, cast

import pytest
import trio
import trio.testing

import voeflow
from support.kafka_broker import Broker, broker
from support.kafka_mock import mock_cluster
from support.samples import voevent
from transports.kafka_support import (
    KafkaNode,
    client_threads,
    consumer,
    eventually,
    quick_commits,  # noqa: F401 - a fixture
    running,
    told,
)
from voeflow_transports.kafka import _engine, _lane, consume
from voeflow_transports.kafka._message import Message, Packet
from voeflow_transports.kafka._start import Starter
from voeflow_transports.kafka.consume import KafkaConsume, default_group

ONE, TWO, THREE = (voevent(f"ivo://a.b/c#{number}") for number in range(3))

_numbers = itertools.count()


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with broker(tmp_path_factory.mktemp("kafka")) as running_broker:
        yield running_broker


@pytest.fixture
def topic(kafka: Broker) -> str:
    return kafka.create(f"topic-{next(_numbers)}")


@pytest.fixture
def group() -> str:
    return f"group-{next(_numbers)}"


async def test_a_message_that_trips_its_reader_is_refused_and_does_not_stop_those_after_it(
    kafka: Broker, topic: str, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trip(message: Message, *, mapping: str) -> Packet:
        if message.value == TWO:
            raise RuntimeError("of our own making")
        return Packet(message.value or b"")

    monkeypatch.setattr(consume, "understand", trip)
    kafka.send(topic, ONE, TWO, THREE)
    with told() as log:
        async with running(consumer(kafka.address, topic, group=group), node := KafkaNode()):
            await node.until(lambda: len(node.kept) == 2 and node.refused)
            await eventually(lambda: kafka.committed(group, topic) == 3)
    assert node.kept == [ONE, THREE]
    assert node.refused == [(TWO, "this node cannot read it", f"topic {topic}, partition 0, offset 1")]
    assert log.all("a message tripped its reader; please report it")


async def test_packets_and_notices_come_in_their_order_and_where_they_were_is_known(
    kafka: Broker, topic: str, group: str
) -> None:
    await trio.to_thread.run_sync(
        lambda: kafka.send(topic, ONE, b'{"a": 1}', TWO, key=b"k", headers=[("h", b"v")])
    )
    async with running(consumer(kafka.address, topic, group=group), node := KafkaNode()):
        await node.until(lambda: len(node.kept) == 3)
    assert node.kept == [ONE, b'{"a": 1}', TWO]
    assert node.wheres == [f"topic {topic}, partition 0, offset {offset}" for offset in (0, 2)]
    (notice,) = node.notices
    assert (notice.topic, notice.key, dict(notice.headers)) == (topic, b"k", {"h": b"v"})


async def test_a_notice_waits_for_all_before_it_and_all_after_wait_for_it(
    kafka: Broker, topic: str, group: str
) -> None:
    gates = {ONE: trio.Event(), TWO: trio.Event(), b"{}": trio.Event()}
    begun: list[bytes] = []

    async def before(raw: bytes) -> None:
        begun.append(raw)
        if raw in gates:
            await gates[raw].wait()

    kafka.send(topic, ONE, TWO, b"{}", THREE)
    async with running(consumer(kafka.address, topic, group=group), KafkaNode(before)):
        await eventually(lambda: begun == [ONE, TWO])  # both packets at once
        gates[TWO].set()
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert begun == [ONE, TWO]
        gates[ONE].set()
        await eventually(lambda: begun == [ONE, TWO, b"{}"])
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert begun == [ONE, TWO, b"{}"]
        gates[b"{}"].set()
        await eventually(lambda: begun == [ONE, TWO, b"{}", THREE])


async def test_an_offset_is_committed_once_the_event_and_all_before_it_are_stored(
    kafka: Broker, topic: str, group: str
) -> None:
    stuck = trio.Event()

    async def before(raw: bytes) -> None:
        if raw == TWO:
            await stuck.wait()

    kafka.send(topic, ONE, TWO, THREE)
    async with running(consumer(kafka.address, topic, group=group), node := KafkaNode(before)):
        await node.until(lambda: node.kept == [ONE, THREE])
        await eventually(lambda: kafka.committed(group, topic) == 1)
        stuck.set()
        await eventually(lambda: kafka.committed(group, topic) == 3)


async def test_what_was_not_stored_when_the_node_died_comes_again(
    kafka: Broker, topic: str, group: str
) -> None:
    async def never(raw: bytes) -> None:
        if raw == TWO:
            await trio.sleep_forever()

    kafka.send(topic, ONE, TWO, THREE)
    async with running(consumer(kafka.address, topic, group=group), node := KafkaNode(never)):
        await node.until(lambda: node.kept == [ONE, THREE])
    assert kafka.committed(group, topic) == 1
    async with running(consumer(kafka.address, topic, group=group), again := KafkaNode()):
        await again.until(lambda: again.kept == [TWO, THREE])


async def test_what_is_in_flight_when_the_transport_ends_is_finished_and_committed(
    kafka: Broker, topic: str, group: str
) -> None:
    begun = trio.Event()

    async def slowly(_: bytes) -> None:
        begun.set()
        await trio.sleep(0.3)

    kafka.send(topic, ONE)
    async with running(consumer(kafka.address, topic, group=group), node := KafkaNode(slowly)):
        await begun.wait()
    assert node.kept == [ONE]
    assert kafka.committed(group, topic) == 1


async def test_with_commit_delivered_an_offset_waits_until_every_sink_had_the_event(
    kafka: Broker, topic: str, group: str
) -> None:
    kafka.send(topic, ONE, TWO, ONE)
    async with running(consumer(kafka.address, topic, group=group, commit="delivered"), node := KafkaNode()):
        await node.until(lambda: len(node.wheres) == 3)
        node.delivered_up_to = 1
        await eventually(lambda: kafka.committed(group, topic) == 1)
        node.delivered_up_to = 2  # and with it the third, which is the first again
        await eventually(lambda: kafka.committed(group, topic) == 3)


async def test_what_the_store_cannot_take_is_tried_again_in_order_and_nothing_is_skipped(
    kafka: Broker, topic: str, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_lane, "_FIRST_WAIT", 0.05)
    left = 4

    async def full(_: bytes) -> None:
        nonlocal left
        await trio.lowlevel.checkpoint()
        if left:
            left -= 1
            raise voeflow.StoreError("the disk is full")

    kafka.send(topic, ONE, TWO, b"{}", THREE)
    with told() as log:
        async with running(consumer(kafka.address, topic, group=group), node := KafkaNode(full)):
            await node.until(lambda: len(node.kept) == 4)
            await eventually(lambda: kafka.committed(group, topic) == 4)
    assert node.kept == [ONE, TWO, b"{}", THREE]
    (line,) = log.all("messages wait, and nothing more is read")
    assert line["reason"] == "the disk is full"


async def test_what_cannot_be_taken_is_kept_aside_with_its_place_and_passed(
    kafka: Broker, topic: str, group: str
) -> None:
    kafka.send(topic, b"x" * 2001, None, ONE)
    async with running(
        consumer(kafka.address, topic, group=group, max_message=voeflow.Bytes(2000)), node := KafkaNode()
    ):
        await node.until(lambda: node.kept == [ONE])
        await eventually(lambda: kafka.committed(group, topic) == 3)
    (long, why, where), (tombstone, why_not, where_not) = node.refused
    assert (long, where) == (b"x" * 2001, f"topic {topic}, partition 0, offset 0")
    assert "max_message is 2000" in why
    assert (tombstone, where_not) == (b"", f"topic {topic}, partition 0, offset 1")
    assert "tombstone" in why_not


async def test_a_header_with_a_name_that_is_no_text_costs_its_message_and_not_the_node() -> None:
    good, bad = b"good", b"bad \xff\xfe"
    with mock_cluster() as mock:
        mock.create("t")
        # Python makes code quicker that has run some times, and then leaves out checks.
        mock.send_with_header("t", *[(ONE, good)] * 30, *[(TWO, bad), (ONE, good)] * 20, (THREE, good))
        transport = consumer(mock.address, "t", settings={"session.timeout.ms": 6000})
        async with running(transport, node := KafkaNode()):
            await node.until(lambda: node.kept == [ONE, THREE])
            await node.until(lambda: len(node.refused) == 20)
    raw, reason, where = node.refused[0]
    assert (raw, where) == (TWO, "topic t, partition 0, offset 30")
    assert "not UTF-8" in reason


async def test_a_message_of_megabytes_comes_through(kafka: Broker, topic: str, group: str) -> None:
    large = b'{"a": "' + b"x" * 3_500_000 + b'"}'
    kafka.send(topic, large, large + b" ")
    async with running(consumer(kafka.address, topic, group=group), node := KafkaNode()):
        await node.until(lambda: node.kept == [large, large + b" "])


async def test_a_new_group_starts_with_what_comes_after_it_unless_told_otherwise(
    kafka: Broker, topic: str, group: str
) -> None:
    kafka.send(topic, ONE)
    latest = consumer(kafka.address, topic, group=group, start="latest")
    async with running(latest, node := KafkaNode()):
        await eventually(lambda: kafka.committed(group, topic) == 1)  # where it began is kept at once
        kafka.send(topic, TWO)
        await node.until(lambda: node.kept)
    assert node.kept == [TWO]


async def test_a_group_that_has_committed_goes_on_from_there_wherever_it_is_to_start(
    kafka: Broker, topic: str, group: str
) -> None:
    async with running(consumer(kafka.address, topic, group=group, start="latest"), KafkaNode()):
        await eventually(lambda: kafka.committed(group, topic) == 0)
    kafka.send(topic, ONE)
    async with running(consumer(kafka.address, topic, group=group, start="latest"), node := KafkaNode()):
        await node.until(lambda: node.kept == [ONE])


async def test_a_group_can_start_a_time_ago(
    kafka: Broker, topic: str, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka.send(topic, ONE)
    await trio.sleep(0.05)  # of the broker's clock, whose times the messages have
    kafka.send(topic, TWO)
    _, (_, milliseconds) = (message.timestamp() for message in kafka.read(topic, 2))
    an_hour_later = partial(Starter, began=milliseconds / 1000 + 3600)
    monkeypatch.setattr(_engine, "Starter", an_hour_later)
    ago = consumer(kafka.address, topic, group=group, start="1 hour ago")
    async with running(ago, node := KafkaNode()):
        await node.until(lambda: node.kept)
    assert node.kept == [TWO]


async def test_a_topic_that_comes_to_fit_a_pattern_is_read_from_its_first_message(
    kafka: Broker, group: str
) -> None:
    prefix = f"new-{next(_numbers)}"
    pattern = consumer(kafka.address, f"{prefix}.*", group=group, start="latest")
    with told() as log:
        async with running(pattern, node := KafkaNode()):
            await log.until("no topic matches yet")
            kafka.send(kafka.create(f"{prefix}.one"), ONE)
            kafka.send(kafka.create(f"{prefix}.two"), TWO)
            await node.until(lambda: {*node.kept} == {ONE, TWO})


async def test_reading_stops_while_the_node_takes_nothing_and_goes_on_afterwards(
    kafka: Broker, topic: str, group: str
) -> None:
    gate = trio.Event()
    begun: list[bytes] = []

    async def wait(raw: bytes) -> None:
        begun.append(raw)
        await gate.wait()

    packets = [voevent(f"ivo://a.b/c#{number}") for number in range(3000)]
    kafka.send(topic, *packets)
    async with running(consumer(kafka.address, topic, group=group), node := KafkaNode(wait)):
        await eventually(lambda: len(begun) >= 1000)
        await trio.sleep(2.5)  # until it is paused, and keeps its place in the group
        assert len(begun) < 1600
        gate.set()
        await node.until(lambda: len(node.kept) == 3000)
    assert begun == packets


async def test_with_commit_delivered_little_is_read_ahead_of_deliveries_unless_they_stand_still(
    kafka: Broker, topic: str, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_engine, "_STANDSTILL", 1e9)
    kafka.send(topic, *(voevent(f"ivo://a.b/c#{number}") for number in range(4000)))
    async with running(consumer(kafka.address, topic, group=group, commit="delivered"), node := KafkaNode()):
        await node.until(lambda: len(node.kept) > _engine._READ_AHEAD)
        await trio.sleep(1.5)  # until it is paused
        assert len(node.kept) <= _engine._READ_AHEAD + 500  # and a batch
        node.delivered_up_to = before = len(node.kept)
        await node.until(lambda: len(node.kept) > before)
        assert len(node.kept) <= before + _engine._READ_AHEAD + 500
        monkeypatch.setattr(_engine, "_STANDSTILL", 0.0)  # an event is tried again and again
        await node.until(lambda: len(node.kept) == 4000)
        assert kafka.committed(group, topic) <= before
        node.delivered_up_to = 4000
        await eventually(lambda: kafka.committed(group, topic) == 4000)


async def test_no_thread_is_left_behind(kafka: Broker, topic: str, group: str) -> None:
    before = client_threads()
    async with running(consumer(kafka.address, topic, group=group), node := KafkaNode()):
        kafka.send(topic, ONE)
        await node.until(lambda: node.kept)
        assert client_threads() > before
    await eventually(lambda: client_threads() <= before)


async def test_it_ends_in_seconds_while_the_broker_is_frozen(kafka: Broker, topic: str, group: str) -> None:
    before = client_threads()
    async with running(consumer(kafka.address, topic, group=group), node := KafkaNode()) as scope:
        kafka.send(topic, ONE)
        await node.until(lambda: node.kept)
        kafka.freeze()
        began = time.monotonic()
        scope.cancel()
    kafka.thaw()
    assert time.monotonic() - began < 18  # an answer of the broker may take 20 s
    await eventually(lambda: client_threads() <= before)


async def test_the_group_is_named_after_the_node_and_the_table() -> None:
    assert default_group(cast("Any", KafkaNode(name="gcn"))) == "voeflow.org.example.voeflow.gcn"


async def test_without_a_group_and_an_ivoid_it_does_not_start() -> None:
    transport = KafkaConsume(servers=("127.0.0.1:1",), topics=("t",))
    with pytest.raises(voeflow.StartError, match="give it a `group`"):
        await transport.run(cast("Any", KafkaNode(ivoid="")), task_status=trio.TASK_STATUS_IGNORED)
