from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import pytest
import trio

import voeflow
from support.kafka_broker import Broker, broker
from support.samples import voevent
from transports.kafka_support import (
    KafkaNode,
    consumer,
    eventually,
    quick_commits,  # noqa: F401 - a fixture
    running,
    told,
)
from voeflow_transports.kafka import _look_back
from voeflow_transports.kafka._look_back import LookBack, go_back, is_what_was_committed
from voeflow_transports.kafka._message import Packet, SignOfLife, Told

ONE, TWO, THREE, FOUR = (voevent(f"ivo://a.b/c#{number}") for number in range(4))


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with broker(tmp_path_factory.mktemp("kafka")) as running_broker:
        yield running_broker


async def test_what_another_member_dealt_with_is_known_when_it_comes_again(kafka: Broker) -> None:
    topic = kafka.create("again")
    options: dict[str, Any] = {"group": "again", "look_back": voeflow.Seconds(60.0)}
    kafka.send(topic, ONE, b'{"a": 1}', TWO)
    async with running(consumer(kafka.address, topic, **options), node := KafkaNode()):
        await node.until(lambda: len(node.kept) == 3)
    kafka.send(
        topic, THREE, ONE.replace(b"?>\n", b"?><!-- through another broker -->\n", 1), b'{"a": 1}', FOUR
    )
    async with running(consumer(kafka.address, topic, **options), other := KafkaNode(name="other")):
        await other.until(lambda: FOUR in other.kept)
        await eventually(lambda: kafka.committed("again", topic) == 7)
    assert other.kept == [THREE, FOUR]


async def test_without_looking_back_a_new_member_knows_nothing_of_it(kafka: Broker) -> None:
    topic = kafka.create("anew")
    kafka.send(topic, ONE)
    async with running(consumer(kafka.address, topic, group="anew"), node := KafkaNode()):
        await node.until(lambda: node.kept)
    kafka.send(topic, ONE, TWO)
    async with running(consumer(kafka.address, topic, group="anew"), other := KafkaNode(name="other")):
        await other.until(lambda: len(other.kept) == 2)


async def test_what_was_not_committed_is_taken_and_not_passed_over(kafka: Broker) -> None:
    topic = kafka.create("open")
    options: dict[str, Any] = {
        "group": "open",
        "commit": "delivered",
        "look_back": voeflow.Seconds(60.0),
    }
    kafka.send(topic, ONE, TWO, THREE)
    async with running(consumer(kafka.address, topic, **options), node := KafkaNode()):
        await node.until(lambda: len(node.kept) == 3)
        node.delivered_up_to = 1
        await eventually(lambda: kafka.committed("open", topic) == 1)
    kafka.send(topic, ONE)
    async with running(consumer(kafka.address, topic, **options), other := KafkaNode(name="other")):
        await other.until(lambda: len(other.kept) == 2)
        other.delivered_up_to = 2
        await eventually(lambda: kafka.committed("open", topic) == 4)
    assert other.kept == [TWO, THREE]


async def test_what_several_wrote_at_one_time_is_known_too(kafka: Broker) -> None:
    """Tansu, asked for the end of such a partition, gives what is before its last messages."""
    topic = kafka.create("several")
    options: dict[str, Any] = {"group": "several", "look_back": voeflow.Seconds(60.0)}
    written = [voevent(f"ivo://a.b/several#{number}") for number in range(200)]
    with ThreadPoolExecutor() as authors:
        list(authors.map(lambda part: kafka.send(topic, *written[part::3]), range(3)))
    async with running(consumer(kafka.address, topic, **options), node := KafkaNode()):
        with trio.move_on_after(5):
            await node.until(lambda: len(node.kept) == 200)
        if len(node.kept) < 200:  # now and then it gives the last messages out when one more is written
            kafka.send(topic, written[0])
        await node.until(lambda: len(node.kept) == 200)
    with told() as log:
        async with running(consumer(kafka.address, topic, **options), other := KafkaNode(name="other")):
            await log.until("partitions assigned")
            kafka.send(topic, *written, ONE)
            await other.until(lambda: ONE in other.kept)
    assert other.kept == [ONE]


async def test_nothing_of_a_topic_that_was_made_anew_counts_as_dealt_with(kafka: Broker) -> None:
    topic = kafka.create("made-anew")
    kafka.commit("made-anew", topic, 1000)
    kafka.send(topic, ONE, TWO, ONE)
    options: dict[str, Any] = {"group": "made-anew", "look_back": voeflow.Seconds(60.0)}
    with told() as log:
        async with running(consumer(kafka.address, topic, **options), node := KafkaNode()):
            await node.until(lambda: len(node.wheres) == 3)
            kafka.send(topic, THREE)
            await node.until(lambda: THREE in node.kept)
    assert node.kept == [ONE, TWO, THREE]
    (entry,) = log.all("nothing is read back")
    assert entry["partition"] == "made-anew[0]"


def test_a_sign_of_life_is_never_a_repeat() -> None:
    back = LookBack(committed=10, until=time.monotonic() + 60)
    for meaning in (SignOfLife(), Packet(b"no event"), Packet(ONE), Told(voeflow.Notice(b"{}", "t"))):
        back.note(meaning)
    assert not back.knows(SignOfLife())
    assert not back.knows(Packet(b"no event"))
    assert back.knows(Packet(ONE))
    assert back.knows(Told(voeflow.Notice(b"{}", "t")))
    assert not back.knows(Packet(TWO))


@attrs.define
class Log:
    """A partition as librdkafka tells of it.

    Attributes:
        earliest: the first offset of the time that is asked for; -1 if there is none.
    """

    earliest: int

    def offsets_for_times(self, partitions: list[Any], timeout: float) -> list[Any]:
        for each in partitions:
            each.offset = self.earliest
        return partitions


@pytest.mark.parametrize(
    ("log", "begins"),
    [
        (Log(earliest=40), 40),
        (Log(earliest=-1), 100),  # nothing is so new
        (Log(earliest=110), 100),  # what is so new is not committed
    ],
)
def test_it_begins_before_what_is_committed_where_that_is_new_enough(log: Log, begins: int) -> None:
    from confluent_kafka import TopicPartition

    placed = [TopicPartition("t", 0, 100)]
    backs = go_back(log, placed, 60.0)
    assert placed[0].offset == begins
    assert [back.committed for back in backs.values()] == ([100] if begins < 100 else [])


@attrs.define
class Ends:
    """The end of a partition as it came with messages, and as the broker tells it."""

    fetched: tuple[int, int] | None
    told: int

    def get_watermark_offsets(
        self, partition: Any, timeout: float | None = None, cached: bool = False
    ) -> tuple[int, int] | None:
        return self.fetched if cached else (0, self.told)


@pytest.mark.parametrize(
    ("ends", "same"),
    [
        (Ends((0, 100), 60), True),  # the broker tells what was
        (Ends((0, 99), 100), True),  # a replica is behind
        (Ends(None, 120), True),
        (Ends((0, 99), 99), False),
    ],
)
def test_a_topic_is_taken_for_a_new_one_only_where_nothing_says_otherwise(ends: Ends, same: bool) -> None:
    assert is_what_was_committed(ends, "t", 0, 100) == same


def test_no_more_is_read_back_than_memory_is_meant_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from confluent_kafka import TopicPartition

    monkeypatch.setattr(_look_back, "MOST", 25)
    placed = [TopicPartition("t", 0, 100)]
    go_back(Log(earliest=3), placed, 60.0)
    assert placed[0].offset == 75
