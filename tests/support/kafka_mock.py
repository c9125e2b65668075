"""librdkafka's own mock cluster, which can be told to fail; by ctypes, for Python has no names for it."""

from __future__ import annotations

import ctypes
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
from confluent_kafka import Consumer, TopicPartition, cimpl

#: Kafka's numbers of requests (Kafka protocol guide, ApiKeys): what brings messages, and what says how far a
#: group has come.
PRODUCE, OFFSET_COMMIT = 0, 8

#: How long an answer may take, in seconds.
_PATIENCE = 60.0


def _library() -> ctypes.CDLL:
    """Find the librdkafka that confluent-kafka has loaded."""
    assert cimpl.__file__
    for line in Path("/proc/self/maps").read_text().splitlines():
        if found := re.search(r"/\S*librdkafka\S*\.so\S*$", line):
            return ctypes.CDLL(found[0])
    return ctypes.CDLL(cimpl.__file__)


@attrs.define(eq=False)
class Mock:
    """A cluster of one broker that lives in this process.

    Attributes:
        address: where it listens.
    """

    address: str
    _library: ctypes.CDLL
    _cluster: ctypes.c_void_p

    def create(self, topic: str, partitions: int = 1) -> str:
        self._library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1)
        return topic

    def read(self, topic: str, number: int) -> list[Any]:
        """Read the first messages of a topic of one partition, of no group."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.address,
                "group.id": "reader",
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[Any] = []
        end = time.monotonic() + _PATIENCE
        while len(found) < number and time.monotonic() < end:
            found += [each for each in consumer.consume(number, 0.2) if not each.error()]
        consumer.close()
        return found

    def send_with_header(self, topic: str, *messages: tuple[bytes, bytes]) -> None:
        """Write messages with a header of any name each, also one that confluent-kafka would not write.

        Args:
            topic: where to.
            messages: the content and the name of the header of each.
        """
        library = self._library
        conf = ctypes.c_void_p(library.rd_kafka_conf_new())
        said = ctypes.create_string_buffer(200)
        size = ctypes.c_size_t(200)
        library.rd_kafka_conf_set(conf, b"bootstrap.servers", self.address.encode(), said, size)
        client = ctypes.c_void_p(library.rd_kafka_new(0, conf, said, size))
        try:
            for value, name in messages:
                # rd_kafka_vtype_t: 1 a topic, 4 a value, 7 flags (2: copy it), 9 a header, 0 the end.
                arguments: list[Any] = [ctypes.c_int(1), topic.encode()]
                arguments += [ctypes.c_int(4), value, ctypes.c_size_t(len(value))]
                arguments += [ctypes.c_int(7), ctypes.c_int(2), ctypes.c_int(9), name, b"v"]
                arguments += [ctypes.c_size_t(1), ctypes.c_int(0)]
                assert library.rd_kafka_producev(client, *arguments) == 0
            assert library.rd_kafka_flush(client, int(_PATIENCE * 1000)) == 0
        finally:
            library.rd_kafka_destroy(client)

    def fail(self, request: int, *codes: int) -> None:
        """Answer the next requests of a kind with errors, one after another."""
        errors = (ctypes.c_int * len(codes))(*codes)
        self._library.rd_kafka_mock_push_request_errors_array(
            self._cluster, ctypes.c_int16(request), ctypes.c_size_t(len(codes)), errors
        )

    def fail_topic(self, topic: str, code: int) -> None:
        """Answer every question about a topic with an error, or with none again (0)."""
        self._library.rd_kafka_mock_topic_set_error(self._cluster, topic.encode(), code)

    def down(self) -> None:
        self._library.rd_kafka_mock_broker_set_down(self._cluster, 1)

    def up(self) -> None:
        self._library.rd_kafka_mock_broker_set_up(self._cluster, 1)


@contextmanager
def mock_cluster() -> Iterator[Mock]:
    """Run a mock cluster."""
    library = _library()
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(library, name).restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    library.rd_kafka_mock_cluster_bootstraps.argtypes = [ctypes.c_void_p]
    conf = ctypes.c_void_p(library.rd_kafka_conf_new())
    client = ctypes.c_void_p(library.rd_kafka_new(0, conf, None, ctypes.c_size_t(0)))
    cluster = ctypes.c_void_p(library.rd_kafka_mock_cluster_new(client, 1))
    try:
        yield Mock(library.rd_kafka_mock_cluster_bootstraps(cluster).decode(), library, cluster)
    finally:
        library.rd_kafka_mock_cluster_destroy(cluster)
        library.rd_kafka_destroy(client)
