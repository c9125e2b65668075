"""Case 9: a Kafka that is away, that refuses what is written to it, and that lets nobody in any more."""

from __future__ import annotations

import functools
import json
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
from confluent_kafka import Producer

from faults.archive import Archive
from faults.authors import Book, Load
from faults.cable import Cable
from faults.ground import Ground, killed, settle, wait_until
from faults.outcome import Effort, Row, account
from interop.processes import PATIENCE, NeverHappenedError
from interop.stage import Node
from support.kafka_broker import Broker, broker
from support.kafka_mock import PRODUCE, mock_cluster
from support.kafka_network import Network, gcn_network
from support.ports import free_port
from support.samples import voevent

_TOPIC = "gcn.classic.voevent.SWIFT_BAT_GRB_POS_ACK"

_WRITER = """\
ivoid = "ivo://org.example/writer"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
linger = "10 s"
[transports.kafka]
plugin = "kafka-produce"
servers = "@KAFKA@"
topic = "alerts"
settings = { "reconnect.backoff.max.ms" = 500, "retry.backoff.ms" = 50 }
"""

#: `save` stands for the mail that would be sent: it is given the node's own events alone.
_READER = """\
ivoid = "ivo://org.example/reader"
[transports.kafka]
plugin = "@PLUGIN@"
servers = "@KAFKA@"
topics = "@TOPIC@"
start = "earliest"
silent_after = "@SILENT@ s"
@LOGIN@
[transports.kafka.settings]
"session.timeout.ms" = @SESSION@
"heartbeat.interval.ms" = 200
"reconnect.backoff.max.ms" = 500
@SETTINGS@
[handlers.archive]
plugin = "save"
directory = "events"
sources = ["kafka"]
[handlers.duty]
plugin = "save"
directory = "alarms"
sources = ["node"]
"""

#: How many events a second are sent while Kafka is away.
_RATE = 20.0

#: How long a token is good for, in seconds; librdkafka asks for another after four fifths of that.
_LIFETIME = 4.0

#: What a broker answers to what is written, by error codes of Kafka: NOT_LEADER_OR_FOLLOWER,
#: REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS, NOT_ENOUGH_REPLICAS_AFTER_APPEND, and rarely
#: TOPIC_AUTHORIZATION_FAILED, after which voeflow begins anew. Zero is none.
_ERRORS, _DENIED = (0, 6, 7, 19, 20), 29


def outlast_outages(ground: Ground, effort: Effort) -> Sequence[Row]:
    """Make all three kinds of trouble at one time, each with nodes of its own."""
    with ThreadPoolExecutor() as pool:
        cases = [pool.submit(each, ground, effort) for each in (_stopped, _refusing, _expired)]
    return [row for each in cases for row in each.result()]


def _stopped(ground: Ground, effort: Effort) -> list[Row]:
    """Stop the broker, as its clients see it, and let it come back."""
    case, room, port = "9 Kafka stopped", ground.room("stopped"), free_port()
    book = Book("ivo://org.example/stopped#")
    with Cable(port) as cable, broker(room, port=port, told=cable.port) as inner:
        kafka = Broker(cable.port, inner.process)
        kafka.create("alerts", 2)
        pipeline = _WRITER.replace("@KAFKA@", kafka.address).replace(
            "127.0.0.1:0", f"127.0.0.1:{free_port()}"
        )
        writer = ground.node(pipeline, name="stopped-writer")
        reader = _read(ground, "stopped-reader", kafka.address, effort.kafka_down / 2)
        archive = Archive(reader.directory / "events", book)
        with Load(book, writer.port("authors"), rate=_RATE, seed=effort.seed):
            settle(case, lambda: len(archive.ivorns()), 10, writer, reader)
            alarms = len(_alarms(reader, "silent"))  # a slow start may have raised one
            cable.cut(silent=False)
            time.sleep(effort.kafka_down)  # the length of the fault itself
            _told(writer, "connection lost")
            killed(writer)  # what waits in its store is to go on from there
            writer = ground.node(pipeline, name="stopped-writer")
            cable.mend()
            raised = _wait_for_alarms(reader, alarms)
        owed = set(book.acknowledged)
        settle(case, lambda: len(owed.intersection(archive.ivorns())), len(owed), writer, reader)
        row = account(case, "save", 1, owed, archive.ivorns(), sent=book.sent, repeats_show=False)
        rows = [
            attrs.evolve(row, note=f"away for {effort.kafka_down:g} s, and the writer killed"),
            _of_alarms(case, raised),
        ]
        writer.stop()
        reader.stop()
    return rows


def _refusing(ground: Ground, effort: Effort) -> list[Row]:
    """Answer what is written with errors."""
    case, pick = "9 Kafka refuses", random.Random(effort.seed)
    book = Book("ivo://org.example/refused#")
    with mock_cluster() as mock:
        mock.create("alerts", 2)
        writer = ground.node(_WRITER.replace("@KAFKA@", mock.address), name="refused-writer")
        # The mock cluster lets three seconds pass before it has a group.
        reader = _read(ground, "refused-reader", mock.address, 600, session=6000)
        archive = Archive(reader.directory / "events", book)
        codes = pick.choices((*_ERRORS, _DENIED), (*[9] * len(_ERRORS), 1), k=effort.produce_errors)
        codes[len(codes) // 2] = _DENIED
        with Load(book, writer.port("authors"), rate=10 * _RATE, seed=effort.seed):
            settle(case, lambda: len(archive.ivorns()), 10, writer, reader)
            mock.fail(PRODUCE, *codes)
            book.wait(acknowledged=len(book.acknowledged) + 2 * effort.produce_errors, patience=10 * PATIENCE)
        owed = set(book.acknowledged)
        settle(case, lambda: len(owed.intersection(archive.ivorns())), len(owed), writer, reader, patience=90)
        writer.stop()
        reader.stop()
    failed = sum(code != 0 for code in codes)
    note = f"{failed} errors, of which {codes.count(_DENIED)} are such that the client begins anew"
    return [
        account(case, "save", failed, owed, archive.ivorns(), sent=book.sent, repeats_show=False, note=note)
    ]


def _expired(ground: Ground, effort: Effort) -> list[Row]:
    """Let tokens expire while the node runs: first so that it gets others, then so that it gets none."""
    case = "9 token expires"
    with gcn_network(ground.room("expired")) as network:
        for topic in (_TOPIC, "gcn.heartbeat"):
            network.broker.create(topic)
        author = _Author(network)
        network.tokens.lifetime = _LIFETIME
        login = f'client_id = "{network.tokens.client_id}"\nclient_secret = "{network.tokens.client_secret}"'
        settings = "".join(f'"{name}" = "{value}"\n' for name, value in network.gcn_settings.items())
        reader = _read(
            ground, "expired-reader", network.broker.address, _LIFETIME / 2, "gcn", _TOPIC, login, settings
        )
        reader.wait_until_told("partitions assigned")
        asked = len(network.tokens.requests)
        author.send_until(lambda: len(network.tokens.requests) >= asked + effort.renewals, reader)
        alarms = len(_alarms(reader, "silent"))
        network.tokens.refuse = "invalid_client"
        author.send_until(lambda: len(_alarms(reader, "silent")) > alarms, reader)
        network.tokens.refuse = ""
        author.send_until(lambda: _cleared(reader) > alarms, reader)
        raised = _cleared(reader)
        author.finish()
        saved = functools.partial(_saved, reader.directory / "events")
        settle(case, lambda: len(author.sent.intersection(saved())), len(author.sent), reader)
        refused = sum(request.status != 200 for request in network.tokens.requests)
        row = account(case, "save", 1, author.sent, saved(), sent=author.sent, repeats_show=False)
        note = f"{effort.renewals} renewed, {refused} then refused"
        rows = [attrs.evolve(row, note=note), _of_alarms(case, raised)]
        _told(reader, "connection lost", "not connected")
        reader.stop()
    return rows


class _Author:
    """Somebody who writes to GCN with a token that holds for long."""

    def __init__(self, network: Network) -> None:
        self._producer = Producer({**network.broker.config, "linger.ms": 0})
        self._producer.list_topics(timeout=PATIENCE)
        self.sent: set[str] = set()

    def send_until(self, happened: Callable[[], bool], reader: Node) -> None:
        """Write events, one a moment after the other, until something has happened.

        Raises:
            NeverHappenedError: it did not.
        """
        end = time.monotonic() + 4 * PATIENCE
        while not happened():
            if time.monotonic() > end:
                raise NeverHappenedError(reader.transcript())
            ivorn = f"ivo://org.example/expired#{len(self.sent)}"
            self._producer.produce(_TOPIC, voevent(ivorn))
            self._producer.poll(0)
            self.sent.add(ivorn)
            time.sleep(1 / _RATE)  # the rate of the events

    def finish(self) -> None:
        """Wait until all are written."""
        assert self._producer.flush(PATIENCE) == 0


def _read(
    ground: Ground,
    name: str,
    address: str,
    silent_after: float,
    plugin: str = "kafka-consume",
    topic: str = "alerts",
    login: str = "",
    settings: str = "",
    session: int = 2000,
) -> Node:
    given = {"KAFKA": address, "SILENT": f"{silent_after:g}", "PLUGIN": plugin, "TOPIC": topic}
    pipeline = _READER
    for word, value in {**given, "LOGIN": login, "SETTINGS": settings, "SESSION": str(session)}.items():
        pipeline = pipeline.replace(f"@{word}@", value)
    return ground.node(pipeline, name=name)


def _saved(directory: Path) -> list[str]:
    """Give the IVORNs of what was saved."""
    packets = [path.read_bytes() for path in directory.glob("*.xml")]
    return [packet.split(b'ivorn="', 1)[1].split(b'"', 1)[0].decode() for packet in packets]


def _alarms(reader: Node, what: str) -> list[str]:
    return [each for each in _saved(reader.directory / "alarms") if f"#{what}-" in each]


def _cleared(reader: Node) -> int:
    """Give how many alarms were raised if all are cleared, else 0."""
    raised = len(_alarms(reader, "silent"))
    return raised if len(_alarms(reader, "heard")) == raised else 0


def _wait_for_alarms(reader: Node, before: int) -> int:
    """Wait until there are more alarms than before and all are cleared; give how many."""
    wait_until("alarms cleared", lambda: _cleared(reader) > before, reader, patience=2 * PATIENCE)
    return _cleared(reader)


def _of_alarms(case: str, raised: int) -> Row:
    """Give the row of who is told of silence: he was told of each, and that it was over."""
    note = f"{raised} raised, and cleared"
    return Row(
        case=case, sink="save, of alarms", tries=1, acknowledged=2 * raised, delivered=2 * raised, note=note
    )


def _told(node: Node, *events: str) -> None:
    """See that the node has told of one of these, or does."""
    node.wait_for(
        " or ".join(events), lambda line: line.startswith("{") and json.loads(line)["event"] in events
    )
