"""librdkafka's clients: made with settings that keep voeflow's promises, and checked before anything runs."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
from collections.abc import Mapping
from typing import Any

import voeflow

#: A value of the table `settings`: text is a secret, for a password may be among it.
Value = bool | int | float | voeflow.Secret

#: What is said where confluent-kafka is not installed.
MISSING = "this transport needs confluent-kafka, which is not installed: pip install 'voeflow[kafka]'"

_AS_OPTION = {
    "bootstrap.servers": "write it as the option `servers`",
    "metadata.broker.list": "write it as the option `servers`",
}
_OFFSETS = "voeflow commits an offset itself, and only once the event is stored"
_ACKNOWLEDGED = "an event counts as delivered only when all in-sync replicas have it, once and in order"
_WAITING = "an event waits for as long as the broker is away, and is not given up"
_OURS = "voeflow reads what librdkafka reports itself"

#: Settings that are refused, for consumers and for producers, and why.
CONSUMER_REFUSES: Mapping[str, str] = {
    **_AS_OPTION,
    "group.id": "write it as the option `group`",
    "auto.offset.reset": "write it as the option `start`",
    **dict.fromkeys(("enable.auto.commit", "auto.commit.enable", "auto.commit.interval.ms"), _OFFSETS),
    **dict.fromkeys(("enable.auto.offset.store", "offset.store.method"), _OFFSETS),
}
PRODUCER_REFUSES: Mapping[str, str] = {
    **_AS_OPTION,
    **dict.fromkeys(("acks", "request.required.acks", "enable.idempotence"), _ACKNOWLEDGED),
    **dict.fromkeys(("transactional.id", "delivery.report.only.error"), _ACKNOWLEDGED),
    **dict.fromkeys(("message.timeout.ms", "delivery.timeout.ms"), _WAITING),
    **dict.fromkeys(("retries", "message.send.max.retries"), _WAITING),
}

#: How a client of voeflow differs from librdkafka's defaults; `settings` may say otherwise.
_CLIENT: Mapping[str, Any] = {
    "client.id": "voeflow",
    "socket.keepalive.enable": True,
    # A broker that is frozen, or a cut cable, shows by nothing but silence: by default after a minute.
    "socket.timeout.ms": 20_000,
    "log.connection.close": False,  # brokers close idle connections: no news
    "topic.metadata.refresh.interval.ms": 60_000,  # how soon a new topic is seen; by default 5 minutes
}
_CONSUMER: Mapping[str, Any] = {
    **_CLIENT,
    # Spreads topics of one partition over the members, and lets the others go on while one moves.
    "partition.assignment.strategy": "cooperative-sticky",
    "queued.max.messages.kbytes": 16_384,
    "fetch.max.bytes": 16 * 2**20,
    "topic.blacklist": "^__",  # a pattern is not meant for Kafka's own topics
    "allow.auto.create.topics": False,
}
_CONSUMER_ALWAYS: Mapping[str, Any] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    # Where `start` has no say: what was committed is no longer kept. Begin with the oldest that still is.
    "auto.offset.reset": "earliest",
}
_PRODUCER: Mapping[str, Any] = {
    **_CLIENT,
    "linger.ms": 5,
    # With more on their way, librdkafka takes a batch that failed for written when the next one succeeds: a
    # broker that checks the order of idempotent batches would have refused that. Not every broker does, and
    # what is lost so is lost unseen. Batches grow under load, so one at a time is enough.
    "max.in.flight": 1,
    "queue.buffering.max.kbytes": 65_536,
    "message.max.bytes": 4 * 2**20,
    "compression.type": "none",
}
_PRODUCER_ALWAYS: Mapping[str, Any] = {
    "acks": "all",
    "enable.idempotence": True,
    "message.timeout.ms": 0,  # never: what waits for a broker keeps its place in the order
}


def consumer_config(
    servers: tuple[str, ...], group: str, settings: Mapping[str, Any], **callbacks: Any
) -> dict[str, Any]:
    """Give the configuration of a consumer.

    Args:
        servers: HOST:PORT of one broker or more.
        group: the consumer group.
        settings: librdkafka's own, which win over voeflow's defaults; secrets among them.
        callbacks: librdkafka's callbacks.
    """
    own = {"bootstrap.servers": ",".join(servers), "group.id": group}
    return {**_CONSUMER, **revealed(settings), **_CONSUMER_ALWAYS, **own, **callbacks}


def producer_config(
    servers: tuple[str, ...], settings: Mapping[str, Any], **callbacks: Any
) -> dict[str, Any]:
    """Give the configuration of a producer; see `consumer_config`."""
    own = {"bootstrap.servers": ",".join(servers)}
    return {**_PRODUCER, **revealed(settings), **_PRODUCER_ALWAYS, **own, **callbacks}


def revealed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give settings with the text of secrets."""
    return {name: _plain(value) for name, value in settings.items()}


def is_cooperative(config: Mapping[str, Any]) -> bool:
    """Say whether partitions are assigned and revoked one by one, or always all of them."""
    strategy = str(config.get("partition.assignment.strategy", ""))
    return "cooperative" in strategy or config.get("group.protocol") == "consumer"


def check_installed() -> None:
    """See that confluent-kafka is installed.

    Raises:
        ValueError: it is not; the message says what to do.
    """
    try:
        found = importlib.util.find_spec("confluent_kafka")
    except ValueError:  # a module without a spec stands in its place
        found = None
    if found is None:
        raise ValueError(MISSING)


def check_settings(
    settings: Mapping[str, Any], refused: Mapping[str, str], *, producer: bool = False
) -> None:
    """See that librdkafka takes these settings and that they break no promise; nothing is connected.

    Without confluent-kafka nobody can say: that it is missing is told by `check_installed`.

    Raises:
        ValueError: one of them is wrong, named in the message.
    """
    for name, value in settings.items():
        if name in refused:
            raise ValueError(f"{name} cannot be set here: {refused[name]}")
        if name.endswith(".location") and not str(_plain(value)).startswith("/"):
            raise ValueError(
                f"{name}: expected an absolute path: any other depends on where voeflow is started"
            )
    try:
        from confluent_kafka import Consumer, KafkaException, Producer
    except ImportError:
        return
    silent = logging.Logger("voeflow.kafka.check", level=logging.CRITICAL + 1)
    try:
        if producer:
            config = producer_config((), settings)
            del config["bootstrap.servers"]
            Producer(config, logger=silent)
        else:
            config = consumer_config((), "check", settings)
            del config["bootstrap.servers"]
            with contextlib.closing(Consumer(config, logger=silent)):
                pass
    except KafkaException as error:
        raise ValueError(_mistake(error.args[0].str())) from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"librdkafka does not take it: {error}") from None


def _plain(value: Any) -> Any:
    return value.reveal() if isinstance(value, voeflow.Secret) else value


def _mistake(text: str) -> str:
    """Give librdkafka's words for a bad setting in words that fit a pipeline."""
    said = voeflow.printable(text.strip(), 400)
    if said.startswith("No such configuration property"):
        name = said.partition('"')[2].rstrip('"')
        return f"librdkafka has no setting called {name!r}; see its CONFIGURATION.md for their names"
    return f"librdkafka does not take it: {said}"
