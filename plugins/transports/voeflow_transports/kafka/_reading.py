"""librdkafka's consumer, as one worker thread at a time uses it."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import structlog
import trio

from ._client import is_cooperative
from ._lane import Lane
from ._look_back import LookBack, go_back, is_what_was_committed
from ._message import Message, Passed, Refused, Understood
from ._start import Starter
from ._telling import Telling, nearest
from ._topics import is_pattern, matches_none

log = structlog.get_logger()

#: How long librdkafka waits for a message, and a broker for an answer to whether it is there, in seconds.
#: So long the transport takes to see that it is cancelled.
_POLL, _PROBE = 0.2, 0.5

#: How long commits may fail before that is told, and until it is told again, in seconds.
_UNCOMMITTED, _UNCOMMITTED_AGAIN = 60.0, 300.0

#: A batch: so many messages at most, and no more after so many bytes.
_BATCH, _BATCH_BYTES = 500, 4 * 2**20

#: How long the last commit may take, in seconds; then the offsets before it stand, and some messages come
#: twice.
_LAST_COMMIT = 3.0

Found = tuple[Lane, Message, Understood]
Partitions = Sequence[tuple[str, int]]


@attrs.define(eq=False, kw_only=True)
class Reading:
    """A consumer. All is called in worker threads, one at a time; it calls back to the event loop.

    Attributes:
        config: librdkafka's configuration.
        topics: what to subscribe to.
        starter: finds the place to go on from.
        understand: says what a message is.
        max_message: the longest message to ask it about, in bytes.
        look_back: how far to read back in a partition that is assigned, in seconds; 0 for not at all.
        telling: what tells of trouble.
        lane_of: gives the lane of a partition that is ours.
        assigned: on the event loop, takes partitions, and of those in which nothing was committed yet the
            offsets with which they begin.
        release: on the event loop, gives partitions up; returns what to commit.
        lost: on the event loop, drops partitions.
        uncommitted: the partitions whose last commit failed.
    """

    config: Mapping[str, Any] = attrs.field(repr=False)
    topics: tuple[str, ...]
    starter: Starter
    understand: Callable[[Message], Understood]
    max_message: int
    look_back: float
    telling: Telling
    lane_of: Callable[[str, int], Lane | None]
    assigned: Callable[[Partitions, Mapping[tuple[str, int], int]], None]
    release: Callable[[Partitions], Any]
    lost: Callable[[Partitions], None]
    uncommitted: list[tuple[str, int]] = attrs.field(factory=list, init=False)
    _consumer: Any = attrs.field(default=None, init=False)
    _paused: bool = attrs.field(default=False, init=False)
    _closing: bool = attrs.field(default=False, init=False)
    _commits: int = attrs.field(default=0, init=False)
    _refused_since: float | None = attrs.field(default=None, init=False)
    _told_at: float = attrs.field(default=-_UNCOMMITTED_AGAIN, init=False)
    _existing: list[str] = attrs.field(factory=list, init=False)
    _backs: dict[tuple[str, int], LookBack] = attrs.field(factory=dict, init=False)

    def open(self) -> None:
        """Make the consumer and subscribe; nothing is read yet.

        Raises:
            confluent_kafka.KafkaException: librdkafka does not take the configuration.
        """
        from confluent_kafka import Consumer

        config = {**self.config, "error_cb": self.telling.error, "on_commit": self._on_commit}
        self._consumer = Consumer(config, logger=self.telling.logger())
        self._consumer.subscribe(
            list(self.topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def read(self, due: Sequence[Any], *, pause: bool) -> list[Found]:
        """Read a batch; wait for its first message, but not long.

        Args:
            due: what to commit first.
            pause: whether nothing is to be read now.
        """
        consumer = self._consumer
        if pause != self._paused:
            self._paused = pause
            (consumer.pause if pause else consumer.resume)(consumer.assignment())
        if due:
            self._commit(due)
        if not self.telling.up:
            self._probe()
        found: list[Found] = []
        number = size = 0
        wait = _POLL
        while number < _BATCH and size < _BATCH_BYTES:
            raw = consumer.poll(wait)
            if raw is None:
                break
            wait = 0.0
            if (error := raw.error()) is not None:
                self._told(error, raw)
            elif (lane := self.lane_of(raw.topic(), raw.partition())) is not None:
                message = _message(raw)
                number += 1
                size += len(message.value or b"")
                if (meaning := self._news(message)) is not None:
                    found.append((lane, message, meaning))
        if number and not self.telling.up:
            self.telling.connected()
        return found

    def close(self, due: Sequence[Any]) -> None:
        """Commit what is done, leave the group and close.

        It may take for as long as the broker does not answer: librdkafka waits for the answer to a commit.
        """
        self._closing = True
        consumer = self._consumer
        if due and self.telling.up:
            self._commit(due)
            end = time.monotonic() + _LAST_COMMIT
            while self._commits and time.monotonic() < end:
                consumer.poll(0.05)
        consumer.close()

    def _commit(self, due: Sequence[Any]) -> None:
        self._commits += 1
        self._consumer.commit(offsets=list(due), asynchronous=True)

    def _on_commit(self, error: Any, partitions: Sequence[Any]) -> None:
        self._commits -= 1
        failed = [each for each in partitions if each.error is not None or error is not None]
        if failed:
            cause = error or failed[0].error
            self.uncommitted += [(each.topic, each.partition) for each in failed]
            self._tell_uncommitted(self.telling.problem(cause))
            if cause.name().endswith("AUTHORIZATION_FAILED"):
                self.telling.trouble(cause)
        else:
            self._refused_since = None

    def _tell_uncommitted(self, reason: str) -> None:
        """Tell that a commit was refused: news if it lasts, for so it is while partitions move."""
        now = time.monotonic()
        since = self._refused_since = now if self._refused_since is None else self._refused_since
        lasts = now >= max(since + _UNCOMMITTED, self._told_at + _UNCOMMITTED_AGAIN)
        if lasts:
            self._told_at = now
        tell = log.error if lasts else log.debug
        tell("offsets not committed", transport=self.telling.name, reason=reason)

    def _on_assign(self, consumer: Any, partitions: list[Any]) -> None:
        if self._closing:
            return
        placed, fresh = self.starter.places(consumer, partitions)
        if self.look_back:
            self._backs |= go_back(consumer, [each for each in placed if each not in fresh], self.look_back)
        if is_cooperative(self.config):
            consumer.incremental_assign(placed)
        else:
            consumer.assign(placed)
        if self._paused:
            consumer.pause(placed)
        begins = {(each.topic, each.partition): each.offset for each in fresh}
        trio.from_thread.run_sync(self.assigned, _pairs(placed), begins)
        if fresh:
            self._commit(fresh)  # or who comes next before the first message would begin anew

    def _on_revoke(self, consumer: Any, partitions: list[Any]) -> None:
        self._forget(partitions)
        if not self._closing and (due := trio.from_thread.run(self.release, _pairs(partitions))):
            self._commit(due)  # it goes out before the word that we have let go

    def _on_lost(self, consumer: Any, partitions: list[Any]) -> None:
        self._forget(partitions)
        if not self._closing:
            trio.from_thread.run_sync(self.lost, _pairs(partitions))

    def _forget(self, partitions: Sequence[Any]) -> None:
        for each in _pairs(partitions):
            self._backs.pop(each, None)

    def _told(self, error: Any, raw: Any) -> None:
        """Tell of an error that came as a message."""
        if error.code() == error._PARTITION_EOF:
            return
        topic = raw.topic()
        if topic and error.code() == error.UNKNOWN_TOPIC_OR_PART:
            if not is_pattern(topic):  # of those it is told that nothing matches
                self.telling.trouble(error, topic=topic, nearest=nearest(topic, self._existing))
        elif topic and error.code() == error.TOPIC_AUTHORIZATION_FAILED:
            self.telling.trouble(error, topic=topic)
        else:
            self.telling.error(error)

    def _probe(self) -> None:
        """Ask whether a broker is there, and has topics that were asked for."""
        from confluent_kafka import KafkaException

        try:
            metadata = self._consumer.list_topics(timeout=_PROBE)
        except KafkaException:
            return  # why is told by `error_cb`
        self.telling.connected()
        self.starter.saw(metadata.topics)
        self._existing = list(metadata.topics)
        for pattern in matches_none(self.topics, metadata.topics):
            remedy = self.telling.remedies.about_topic(pattern)
            log.warning("no topic matches yet", transport=self.telling.name, pattern=pattern, remedy=remedy)

    def _news(self, message: Message) -> Understood | None:
        """Say what a message is, or nothing where it was only read again."""
        meaning = self._meaning(message)
        place = message.topic, message.partition
        if (back := self._backs.get(place)) is None:
            return meaning
        if not back.sure and not self._is_sure(message, back):
            return None
        if message.offset < back.committed:
            back.note(meaning)
            return None
        if back.over:
            del self._backs[place]
        elif back.knows(meaning):
            log.debug("dealt with by another member", transport=self.telling.name, where=message.where)
            return Passed()
        return meaning

    def _is_sure(self, message: Message, back: LookBack) -> bool:
        """Say whether what is read back has been dealt with; else begin anew, as the topic seems to have."""
        topic, partition = message.topic, message.partition
        back.sure = is_what_was_committed(self._consumer, topic, partition, back.committed)
        if not back.sure:
            from confluent_kafka import OFFSET_BEGINNING, TopicPartition

            del self._backs[topic, partition]
            self._consumer.seek(TopicPartition(topic, partition, OFFSET_BEGINNING))
            log.warning(
                "nothing is read back",
                transport=self.telling.name,
                partition=f"{topic}[{partition}]",
                reason=f"it ends before {back.committed}, which is committed: the topic seems to be new,"
                " and is read from its first message",
            )
        return back.sure

    def _meaning(self, message: Message) -> Understood:
        size = len(message.value or b"")
        if size > self.max_message:
            return Refused(f"it has {size} bytes; max_message is {self.max_message}")
        if message.malformed:
            return Refused(message.malformed)
        try:
            return self.understand(message)
        except Exception as bug:  # one message that trips us must not stop all that come after it
            log.error("a message tripped its reader; please report it", where=message.where, exc_info=bug)
            return Refused("this node cannot read it")


def _message(raw: Any) -> Message:
    kind, milliseconds = raw.timestamp()
    headers, malformed = _headers(raw)
    return Message(
        topic=raw.topic(),
        partition=raw.partition(),
        offset=raw.offset(),
        key=raw.key(),
        value=raw.value(),
        headers=headers,
        time=milliseconds / 1000 if kind else None,
        malformed=malformed,
    )


#: Not `raw.headers()`: where the name of a header is not UTF-8, confluent-kafka (seen in 2.16) sets an
#: exception and returns a broken list all the same. Python looks for that where C calls but, since 3.11,
#: not in code that runs often; the list would then crash the process.
_read_headers: Callable[[Any], Sequence[tuple[str, bytes | None]] | None] = operator.methodcaller("headers")


def _headers(raw: Any) -> tuple[dict[str, bytes], str]:
    """Give the headers of a message, or why they cannot be read."""
    try:
        return {name: value or b"" for name, value in _read_headers(raw) or ()}, ""
    except (SystemError, ValueError):
        return {}, "the name of one of its headers is not UTF-8"


def _pairs(partitions: Sequence[Any]) -> list[tuple[str, int]]:
    return [(each.topic, each.partition) for each in partitions]
