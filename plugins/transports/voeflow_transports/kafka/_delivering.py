"""librdkafka's producer with the deliveries that are open in it; nothing is lost or overtaken."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import attrs

import voeflow

from ._telling import Telling

#: How long librdkafka waits for something to report, and a broker for an answer to whether it is there, in
#: seconds. So long the transport takes to see that it is cancelled.
_POLL, _PROBE = 0.2, 0.5

#: How long a broker that can be reached may acknowledge nothing before that is told, and until it is told
#: again, in seconds. librdkafka tries on without a word: where replicas are missing, say.
_SLOW, _SLOW_AGAIN = 60.0, 300.0

#: How many bytes of messages go out as one batch, at most; librdkafka's own default. A message that has more
#: is a batch of its own.
_BATCH_SIZE = 1_000_000

#: What is said of a batch, or of a message, that is larger than the broker or the topic takes.
_TOO_LARGE = ("MSG_SIZE_TOO_LARGE", "RECORD_LIST_TOO_LARGE")

#: What keeps one message from ever being taken, whatever the state of the broker: it fails alone.
_ITS_OWN_FAULT = (
    "INVALID_MSG",
    "INVALID_RECORD",
    "INVALID_TIMESTAMP",
    "POLICY_VIOLATION",
    "_BAD_MSG",
)


@attrs.define(eq=False)
class Delivering:
    """The way to one topic: one producer, and after trouble another, with what was open in the same order.

    An event is done when the broker has acknowledged it. One that can never be taken fails. Whatever else
    goes wrong, a topic that is not there, a permission that is missing, concerns all that are open: they stay
    open, and go out again in their order with the next producer. So is a batch that is too large, of messages
    that are not: the next producer makes smaller ones. A broker that is away is no trouble of this kind:
    librdkafka holds the messages until it is back.

    Attributes:
        topic: where to.
        config: librdkafka's configuration.
        telling: what tells of trouble.
        headers_of: gives the headers of the message for an event; `headers` if left out.
        trouble: why this producer is of no more use, or empty.
    """

    topic: str
    config: Mapping[str, Any] = attrs.field(repr=False)
    telling: Telling
    headers_of: Callable[[voeflow.Event], list[tuple[str, bytes]]] | None = None
    trouble: str = ""
    _open: dict[int, voeflow.Delivery] = attrs.field(factory=dict, init=False)
    _reports: deque[tuple[int, Any, bool]] = attrs.field(factory=deque, init=False)
    _number: int = attrs.field(default=0, init=False)
    _unsent: deque[int] = attrs.field(factory=deque, init=False)
    _producer: Any = attrs.field(default=None, init=False)
    _batch_size: int = attrs.field(init=False)
    _made_with: int = attrs.field(init=False)
    _waits_since: float = attrs.field(factory=time.monotonic, init=False)
    _told_at: float = attrs.field(default=-_SLOW_AGAIN, init=False)

    def __attrs_post_init__(self) -> None:
        self._batch_size = self._made_with = int(self.config.get("batch.size", _BATCH_SIZE))

    def make(self) -> Any:
        """Make a producer; called in a worker thread.

        Raises:
            confluent_kafka.KafkaException: librdkafka does not take the configuration.
        """
        from confluent_kafka import Producer

        self._made_with = self._batch_size
        config = {**self.config, "batch.size": self._batch_size, "error_cb": self.telling.error}
        return Producer(config, logger=self.telling.logger())

    def begin(self, producer: Any) -> None:
        """Go on with a producer: first with what is open."""
        self.trouble = ""
        self._reports = deque()
        self._unsent = deque(self._open)
        self._producer = producer

    def add(self, delivery: voeflow.Delivery) -> None:
        """Take a delivery, the next in order; it waits until `send`."""
        if not self._open:
            self._waits_since = time.monotonic()
        self._number += 1
        self._open[self._number] = delivery
        self._unsent.append(self._number)

    @property
    def blocked(self) -> bool:
        """Whether there is something that librdkafka has no room for now."""
        return bool(self._unsent)

    def send(self) -> None:
        """Hand what is new to librdkafka, as far as it has room; never waits."""
        from confluent_kafka import KafkaException

        while self._unsent and self._producer is not None and not self.trouble:
            number = self._unsent[0]
            event = self._open[number].event
            try:
                self._producer.produce(
                    self.topic,
                    event.raw,
                    key=event.ivorn.encode(),
                    headers=(self.headers_of or headers)(event),
                    on_delivery=self._reporter(number),
                )
            except BufferError:
                break
            except KafkaException as error:
                self._reports.append((number, error.args[0], True))
            self._unsent.popleft()

    def poll(self) -> None:
        """Let librdkafka report, and wait for that, but not long; called in a worker thread."""
        if not self.telling.up:
            self._probe()
        self._producer.poll(0.0 if self._reports else _POLL)

    def settle(self) -> int:
        """Settle what was reported, on the event loop; give how many deliveries were."""
        settled = 0
        while self._reports:
            number, error, alone = self._reports.popleft()
            if error is None:
                self._open.pop(number).done()
                settled += 1
            elif self._is_its_own_fault(number, error, alone):
                self._open.pop(number).failed(f"Kafka will not take it: {self.telling.problem(error)}")
                settled += 1
            elif not self.trouble:
                self.trouble = self.telling.problem(error)
                if error.code() in _codes(error, _TOO_LARGE):
                    self._batch_size = max(1, self._made_with // 4)
                    self.trouble += f"; trying batches of {self._batch_size} bytes, for some are refused"
        if settled:
            self._waits_since = time.monotonic()
        if self.telling.fatal:
            self.trouble, self.telling.fatal = self.telling.fatal, ""
        return settled

    def _is_its_own_fault(self, number: int, error: Any, alone: bool) -> bool:
        """Say whether a message can never be taken: not if it was too large together with others, maybe."""
        if error.code() in _codes(error, _TOO_LARGE):
            return alone or len(self._open[number].event.raw) >= self._made_with
        return error.code() in _codes(error, _ITS_OWN_FAULT)

    def stalled(self) -> str:
        """Say why events wait for a broker that can be reached, now and then; nothing if they do not."""
        now = time.monotonic()
        due = max(self._waits_since + _SLOW, self._told_at + _SLOW_AGAIN)
        if not self._open or not self.telling.up or now < due:
            return ""
        self._told_at = now
        lasted = voeflow.show_seconds(round(now - self._waits_since))
        return (
            f"nothing of {len(self._open)} events was acknowledged in {lasted}; see that the topic has as"
            " many in-sync replicas as its min.insync.replicas wants"
        )

    def close(self) -> None:
        """Forget what librdkafka holds, without waiting for a broker; called in a worker thread.

        What is on its way to the broker may still arrive there: it is then sent twice.
        """
        producer, self._producer = self._producer, None
        producer.purge()
        producer.flush(0)

    def _reporter(self, number: int) -> Callable[[Any, Any], None]:
        reports = self._reports  # those of a producer that was closed count no more

        def report(error: Any, _: Any) -> None:
            reports.append((number, error, False))

        return report

    def _probe(self) -> None:
        from confluent_kafka import KafkaException

        try:
            metadata = self._producer.list_topics(timeout=_PROBE)
        except KafkaException:
            return  # why is told by `error_cb`
        self.telling.connected()
        if self.topic not in metadata.topics:  # told now, and not only when the first event waits for it
            self.telling.missing(self.topic, metadata.topics)


def headers(event: voeflow.Event) -> list[tuple[str, bytes]]:
    """Give the headers of the message that carries an event; what an event has not has no header."""
    known = {
        "content-type": "application/xml",
        "role": event.role,
        "author": event.author,
        "version": event.version,
        "source": event.source,
    }
    return [(name, value.encode()) for name, value in known.items() if value]


def _codes(error: Any, names: tuple[str, ...]) -> frozenset[int]:
    return frozenset(getattr(error, name) for name in names)
