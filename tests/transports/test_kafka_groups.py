from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

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

PARTITIONS = 4


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with broker(tmp_path_factory.mktemp("kafka")) as running_broker:
        yield running_broker


def packets(numbers: range) -> list[bytes]:
    return [voevent(f"ivo://a.b/c#{number}") for number in numbers]


def spread(kafka: Broker, topic: str, numbers: range) -> None:
    """Write packets, each to the partition that its number gives."""
    for partition in range(PARTITIONS):
        mine = [voevent(f"ivo://a.b/c#{n}") for n in numbers if n % PARTITIONS == partition]
        kafka.send(topic, *mine, partition=partition)


def committed(kafka: Broker, group: str, topic: str) -> Callable[[], int]:
    return lambda: kafka.committed(group, topic, PARTITIONS)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["cooperative-sticky", "roundrobin"])
async def test_a_member_that_joins_shares_the_partitions_and_one_that_leaves_hands_them_over(
    kafka: Broker, strategy: str
) -> None:
    topic, group = kafka.create(f"shared-{strategy}", PARTITIONS), f"shared-{strategy}"
    member = consumer(kafka.address, topic, group=group, settings={"partition.assignment.strategy": strategy})
    one, two = KafkaNode(name="one"), KafkaNode(name="two")
    with told() as log:
        async with running(member, one):
            spread(kafka, topic, range(40))
            await one.until(lambda: len(one.kept) == 40)
            async with running(member, two):
                await eventually(
                    lambda: any(line["transport"] == "two" for line in log.all("partitions assigned"))
                )
                spread(kafka, topic, range(40, 200))
                await eventually(lambda: len({*one.kept, *two.kept}) == 200)
                assert two.kept
                held = {*two.kept}
            spread(kafka, topic, range(200, 240))
            await eventually(lambda: len({*one.kept, *two.kept}) == 240)
            await eventually(lambda: committed(kafka, group, topic)() == 240)
    # What one had stored and committed, nobody gets again; nothing is missed.
    assert {*one.kept} | held == {*packets(range(240))}
    assert len(one.kept) + len(two.kept) == 240


@pytest.mark.slow
async def test_answers_that_come_after_a_partition_was_handed_over_commit_nothing(kafka: Broker) -> None:
    topic = kafka.create("late", PARTITIONS)
    stuck = trio.Event()

    async def never(_: bytes) -> None:
        await stuck.wait()

    one, two = KafkaNode(never, name="one"), KafkaNode(name="two")
    spread(kafka, topic, range(PARTITIONS))
    with told() as log:
        async with running(consumer(kafka.address, topic, group="late"), one):
            await log.until("partitions assigned")
            async with running(consumer(kafka.address, topic, group="late"), two):
                await log.until("partitions handed over")  # what is in flight is waited for, but not long
                await two.until(lambda: len(two.kept) >= 2)
                await eventually(lambda: committed(kafka, "late", topic)() == len(two.kept))
                stuck.set()
                await one.until(lambda: len(one.kept) + len(two.kept) == PARTITIONS)
                await eventually(lambda: committed(kafka, "late", topic)() == PARTITIONS)
    assert {*one.kept} | {*two.kept} == {*packets(range(PARTITIONS))}


@pytest.mark.slow
async def test_a_member_that_is_killed_loses_nothing(kafka: Broker, tmp_path: Path) -> None:
    topic = kafka.create("killed", PARTITIONS)
    pipeline = tmp_path / "pipeline.toml"
    pipeline.write_text(
        f"""
        ivoid = "ivo://org.example/worker"
        [transports.in]
        plugin = "kafka-consume"
        servers = "{kafka.address}"
        topics = "{topic}"
        group = "killed"
        start = "earliest"
        settings = {{ "session.timeout.ms" = 1000, "heartbeat.interval.ms" = 100 }}
        [handlers.keep]
        plugin = "save"
        directory = "kept"
        """
    )
    command = [sys.executable, "-m", "voeflow", "run", str(pipeline)]
    with (tmp_path / "log").open("wb") as output:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        worker = subprocess.Popen(command, stderr=output, env=environment)  # noqa: ASYNC220 - takes no time
    try:
        node = KafkaNode()
        await trio.to_thread.run_sync(spread, kafka, topic, range(200))
        await eventually(lambda: committed(kafka, "killed", topic)() > 0)
        with told() as log:
            async with running(consumer(kafka.address, topic, group="killed"), node):
                await log.until("partitions assigned")
                await trio.to_thread.run_sync(spread, kafka, topic, range(200, 800))
                await node.until(lambda: node.kept)  # both are at work
                worker.send_signal(signal.SIGKILL)
                await eventually(lambda: committed(kafka, "killed", topic)() == 800)
    finally:
        worker.kill()
        worker.wait()
    stored = await trio.to_thread.run_sync(ivorns_of, pipeline)
    took = {re.search(rb'ivorn="([^"]+)"', raw)[1].decode() for raw in node.kept}  # type: ignore[index]
    assert stored | took == {f"ivo://a.b/c#{number}" for number in range(800)}
    assert stored - took
    assert took - stored


def ivorns_of(pipeline: Path) -> set[str]:
    """Give what is in the store of a node that is no more."""
    command = [
        sys.executable,
        "-m",
        "voeflow",
        "events",
        "list",
        str(pipeline),
        "--format",
        "ivorn",
        "--limit",
        "5000",
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return {*done.stdout.split()}
