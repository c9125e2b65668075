"""What of a partition was dealt with before it came to this member: read again, to know it if it comes twice.

Each member has a store of its own, and knows as duplicates what it has in it. An event that comes once more
after its partition has moved, sent to a second receiver, say, would be new there. But everything before the
offset that a group has committed has been dealt with, and the topic still holds it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import attrs

import voeflow

from ._message import Packet, Told, Understood

#: How many messages of a partition are read back, at most: some two megabytes of what is kept of them.
MOST = 20_000

#: How long a broker may take to say where a time is in its partitions, in seconds.
_PATIENCE = 15.0


@attrs.define(eq=False)
class LookBack:
    """One partition, from when it is assigned until what was read back is too old to count.

    Attributes:
        committed: the offset that the group had committed: all before it has been dealt with.
        until: when that is forgotten, by the monotonic clock.
        sure: whether the partition is known to be the one in which that was committed.
    """

    committed: int
    until: float
    sure: bool = False
    _seen: set[bytes] = attrs.field(factory=set, init=False)

    def note(self, meaning: Understood) -> None:
        """Note a message that is before the committed offset."""
        if digest := _digest(meaning):
            self._seen.add(digest)

    def knows(self, meaning: Understood) -> bool:
        """Say whether a message after that has been dealt with by whoever had the partition before."""
        return bool(self._seen) and _digest(meaning) in self._seen

    @property
    def over(self) -> bool:
        """Whether it has had its time."""
        return time.monotonic() >= self.until


def go_back(consumer: Any, placed: Sequence[Any], seconds: float) -> dict[tuple[str, int], LookBack]:
    """Let partitions that were just assigned begin earlier than where the group has come to.

    Args:
        consumer: librdkafka's.
        placed: the partitions with the offsets that the group has committed; changed in place.
        seconds: how far to read back, by the times of the messages.

    Returns:
        What is to be asked about each message of those in which there is something to read back; first, with
        the first message, whether it `is_what_was_committed`.

    Raises:
        confluent_kafka.KafkaException: the broker did not say.
    """
    from confluent_kafka import TopicPartition

    moment = int((time.time() - seconds) * 1000)
    asked = [TopicPartition(each.topic, each.partition, moment) for each in placed]
    found = {
        (each.topic, each.partition): int(each.offset)
        for each in (consumer.offsets_for_times(asked, timeout=_PATIENCE) if asked else ())
    }
    backs = {}
    for each in placed:
        earliest = found.get((each.topic, each.partition), -1)
        if 0 <= earliest < each.offset:
            backs[each.topic, each.partition] = LookBack(each.offset, time.monotonic() + seconds)
            each.offset = max(earliest, each.offset - MOST)
    return backs


def is_what_was_committed(consumer: Any, topic: str, partition: int, committed: int) -> bool:
    """Say whether a partition is still the one in which an offset was committed.

    A topic that was made anew has fewer messages: none of them has been dealt with. Its end comes with what
    is fetched; where that is from a replica which is a little behind (Kafka, with `client.rack`), the broker
    is asked, who may tell what was the end a while ago (Tansu). So either is enough.

    Args:
        consumer: librdkafka's; it has given a message of the partition.
        topic: the topic's name.
        partition: the number of the partition.
        committed: the offset.

    Raises:
        confluent_kafka.KafkaException: the broker did not say.
    """
    from confluent_kafka import TopicPartition

    place = TopicPartition(topic, partition)
    fetched = consumer.get_watermark_offsets(place, cached=True)
    if fetched is not None and int(fetched[1]) >= committed:
        return True
    return int(consumer.get_watermark_offsets(place, timeout=_PATIENCE)[1]) >= committed


def _digest(meaning: Understood) -> bytes:
    """Give what makes two messages the same, as for the store; empty where they never are."""
    match meaning:
        case Packet(raw):
            try:
                return voeflow.Event.parse(raw).digest
            except Exception:  # noqa: BLE001 - the node says what is wrong with it
                return b""
        case Told(notice):
            return notice.digest
    return b""
