"""Where a group begins that has committed nothing yet: `latest`, `earliest` or a time ago."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

import attrs

import voeflow

_AGO = re.compile(r"\s*(.+?)\s+ago\s*")

#: How long a broker may take to say where a partition begins or ends, or what was committed, in seconds.
_PATIENCE = 15.0


@attrs.frozen
class Start:
    """Where to begin in a partition in which the group has committed nothing.

    Attributes:
        edge: `latest` or `earliest`, or empty where a time is meant.
        ago: that time, in seconds before the transport starts.
    """

    edge: str
    ago: float = 0.0


def read_start(text: str) -> Start:
    """Read `latest`, `earliest` or a time such as `1 hour ago`.

    Raises:
        ValueError: it is none of these.
    """
    if text in ("latest", "earliest"):
        return Start(text)
    if found := _AGO.fullmatch(text):
        try:
            return Start("", voeflow.parse_seconds(found[1]))
        except ValueError:
            pass
    raise ValueError(f'expected "latest", "earliest" or a time such as "1 hour ago", got {text!r}')


@attrs.define(eq=False)
class Starter:
    """Finds the place to go on from in each partition; called in worker threads, one at a time.

    `start` speaks of what was there when the transport first saw the cluster. A partition that is new since
    then begins with its first message: `latest` would pass over it. One that was there and comes only later,
    from another member which committed nothing, begins with what was written since this transport started.

    Attributes:
        start: where to begin.
        heartbeat: a topic in which only what comes from now on counts, or empty: a day of a sign of life a
            second would stand before the alerts of that day, and shows nothing.
        began: when the transport started, in seconds since 1970.
    """

    start: Start
    heartbeat: str = ""
    began: float = attrs.field(factory=time.time)
    _first: bool = True
    _there: frozenset[tuple[str, int]] | None = None

    def saw(self, topics: Mapping[str, Any]) -> None:
        """Note the topics of the cluster as librdkafka gives them; the first time counts."""
        if self._there is None:
            self._there = frozenset(
                (name, number) for name, topic in topics.items() for number in topic.partitions
            )

    def places(self, consumer: Any, partitions: list[Any]) -> tuple[list[Any], list[Any]]:
        """Give partitions with their offsets, and those of them in which nothing was committed.

        Raises:
            confluent_kafka.KafkaException: the broker did not say.
        """
        placed = consumer.committed(partitions, timeout=_PATIENCE)
        for each in placed:
            if each.error is not None:
                from confluent_kafka import KafkaException

                raise KafkaException(each.error)
        fresh = [each for each in placed if each.offset < 0 or each.topic == self.heartbeat]
        for each in fresh:
            each.offset = self._offset(consumer, each)
        self._first = self._first and not partitions
        return placed, fresh

    def _offset(self, consumer: Any, partition: Any) -> int:
        low, high = consumer.get_watermark_offsets(partition, timeout=_PATIENCE)
        if partition.topic == self.heartbeat:
            return int(high)
        is_new = self._there is not None and (partition.topic, partition.partition) not in self._there
        if self.start.edge == "earliest" or is_new:
            return int(low)
        if self.start.edge == "latest" and self._first:
            return int(high)
        from confluent_kafka import TopicPartition

        moment = int((self.began - self.start.ago) * 1000)
        asked = [TopicPartition(partition.topic, partition.partition, moment)]
        (found,) = consumer.offsets_for_times(asked, timeout=_PATIENCE)
        return int(found.offset) if found.offset >= 0 else int(high)
