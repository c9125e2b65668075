"""Case 8: receivers, workers and a broadcaster around Kafka topics; workers join, die and come back."""

from __future__ import annotations

import functools
import signal
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import attrs

from faults.downstream import DOWNSTREAM
from faults.ground import Ground, killed, settle
from faults.outcome import Effort, Row, account
from faults.stories import CHAPTERS, Listener, chapter, label, logged, out_of_order, tell
from interop.stage import Node
from support.kafka_broker import Broker, broker
from support.ports import free_port

CASE = "8 cluster"

#: More than there are workers, so that each has its share.
_PARTITIONS = 6

RECEIVER = """\
ivoid = "ivo://org.example/receiver-@NAME@"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
linger = "10 s"
[transports.kafka]
plugin = "kafka-produce"
servers = "@KAFKA@"
topic = "received"
"""

#: A short session, since the test broker waits half of it for more members to join a group.
WORKER = """\
[transports.received]
plugin = "kafka-consume"
servers = "@KAFKA@"
topics = "received"
group = "workers"
start = "earliest"
commit = "delivered"
look_back = "5 min"
settings = { "session.timeout.ms" = 2000, "heartbeat.interval.ms" = 200 }
[transports.passed]
plugin = "kafka-produce"
servers = "@KAFKA@"
topic = "passed"
[handlers.work]
plugin = "save"
directory = "handled"
"""

BROADCASTER = """\
ivoid = "ivo://org.example/broadcaster"
[transports.passed]
plugin = "kafka-consume"
servers = "@KAFKA@"
topics = "passed"
start = "earliest"
settings = { "session.timeout.ms" = 2000, "heartbeat.interval.ms" = 200 }
[transports.public]
plugin = "vtp-broadcast"
listen = "127.0.0.1:@PORT@"
test_interval = "0"
alive_interval = "1 s"
max_unsent = "64 MiB"
"""


def share_the_work(ground: Ground, effort: Effort) -> Sequence[Row]:
    """Let two workers begin, a third join, one be killed and come back; see what came out at the far end."""
    kafka = ground.stack.enter_context(broker(ground.directory))
    for topic in ("received", "passed"):
        kafka.create(topic, _PARTITIONS)
    broadcaster, listener, downstream = _broadcast(ground, kafka)
    worker = functools.partial(ground.node, WORKER.replace("@KAFKA@", kafka.address))
    workers = {name: worker(name=name, ready=False) for name in ("one", "two")}
    receivers = [_receive(ground, kafka, name) for name in ("a", "b")]
    for node in workers.values():
        node.wait_until_told("partitions assigned")

    number = effort.shared // CHAPTERS
    ivorns = [f"ivo://org.example/shared#{each}" for each in range(number)]
    halves = ivorns[::2], ivorns[1::2]
    # Some are sent to the other receiver too, when partitions have moved.
    copied = halves[1][::10], halves[0][::10]
    committed = functools.partial(kafka.committed, "workers", "received", _PARTITIONS)
    told: list[Future[set[str]]] = []
    with ThreadPoolExecutor() as authors:

        def send(part: int) -> None:
            for receiver, some, others in zip(receivers, halves, copied, strict=True):
                packets = chapter(some, part)
                if part == CHAPTERS - 1:
                    packets += chapter(others, 0) + chapter(others, 1)
                told.append(authors.submit(tell, receiver.port("authors"), packets))

        def reached(events: float) -> None:
            settle("plain subscriber", lambda: len(listener.labels), int(events), *receivers, downstream)

        send(0)
        reached(number)
        send(1)
        workers["three"] = worker(name="three")
        workers["three"].wait_until_told("partitions assigned")
        reached(number * 2)
        settle("committed by the workers", committed, number * 2, *workers.values())
        send(2)
        reached(number * 2.5)
        killed(workers["one"])
        reached(number * 3)
        settle("committed by the workers", committed, number * 3, *workers.values())
        workers["one"] = worker(name="one")
        # What had moved on before a worker was through with it, and what one had when it was killed.
        settle("backlogs", lambda: sum(map(_is_through, workers.values())), 3, *workers.values())
        before = _handled(*workers.values())
        send(3)
        acknowledged = set().union(*(each.result() for each in told))
        reached(number * CHAPTERS)

    store = downstream.directory / "voeflow.db"
    settle("voeflow subscriber", lambda: len(logged(store)), number * CHAPTERS, downstream)
    twice = [label(packet) for some in copied for part in (0, 1) for packet in chapter(some, part)]
    # These too: whatever would come out twice has come by then.
    settle("committed by the workers", committed, number * CHAPTERS + len(twice), *workers.values())
    _stop(*receivers, *workers.values(), broadcaster, downstream)
    listener.stop()

    sent = {label(packet) for each in range(CHAPTERS) for packet in chapter(ivorns, each)}
    row = functools.partial(account, CASE, tries=1, acknowledged=acknowledged, sent=sent)
    handled = _handled(*workers.values())
    return [
        _each_once(row("workers' save", deliveries=handled), Counter(handled) - Counter(before), twice),
        _in_order(row("plain subscriber", deliveries=listener.labels), listener.labels),
        _in_order(row("voeflow subscriber", deliveries=logged(store)), logged(store)),
    ]


def _receive(ground: Ground, kafka: Broker, name: str) -> Node:
    pipeline = RECEIVER.replace("@KAFKA@", kafka.address).replace("@NAME@", name)
    return ground.node(pipeline, name=f"receiver-{name}", ready=False)


def _broadcast(ground: Ground, kafka: Broker) -> tuple[Node, Listener, Node]:
    """Run a broadcaster, with a plain subscriber and one that is a node."""
    port = free_port()
    pipeline = BROADCASTER.replace("@KAFKA@", kafka.address).replace("@PORT@", str(port))
    broadcaster = ground.node(pipeline, name="broadcaster", ready=False)
    listener = Listener(port)
    listener.start()
    downstream = ground.node(DOWNSTREAM.replace("@PORT@", str(port)), name="downstream")
    downstream.wait_until_told("subscribed")
    return broadcaster, listener, downstream


def _is_through(node: Node) -> bool:
    """Whether all sinks of a node have had all that is in its store."""
    with closing(sqlite3.connect(f"file:{node.directory / 'voeflow.db'}?mode=ro", uri=True)) as store:
        ((last,), (cursor,)) = (
            store.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone(),
            store.execute("SELECT min(cursor) FROM sinks WHERE active").fetchone(),
        )
    return bool(cursor is not None and cursor >= last)


def _handled(*nodes: Node) -> list[str]:
    """Give the labels of what nodes have handled."""
    return [label(path.read_bytes()) for node in nodes for path in node.directory.glob("handled/*.xml")]


def _each_once(row: Row, since: Mapping[str, int], twice: Sequence[str]) -> Row:
    """Add to a row whether what was sent to a second receiver was handled again, after partitions had moved.

    Args:
        row: of the workers' handlers.
        since: what was handled since then, and how often.
        twice: what was sent again.
    """
    again = [each for each in twice if since.get(each)]
    broken = (f"{len(again)} events were handled again, as {again[0]}",) if again else ()
    note = f"{len(twice)} were sent to a second receiver: {len(again)} handled again"
    return attrs.evolve(row, note=note, broken=row.broken + broken)


def _stop(*nodes: Node) -> None:
    """End nodes at one time."""
    for node in nodes:
        node.signal(signal.SIGTERM)
    for node in nodes:
        assert node.wait() == 0, node.transcript()


def _in_order(row: Row, labels: Sequence[str]) -> Row:
    """Add to a row whether each IVORN's events came in their order, and each once."""
    wrong = out_of_order(labels)
    broken = list(row.broken)
    if wrong:
        broken.append(f"{row.sink} had {len(wrong)} events after later ones of their IVORN, as {wrong[0]}")
    if row.repeated:
        broken.append(f"{row.sink} had {row.repeated} events twice")
    note = (
        "OUT OF ORDER" if wrong else f"in order within each of {len({_ivorn(each) for each in labels})} keys"
    )
    return attrs.evolve(row, note=note, broken=tuple(broken))


def _ivorn(name: str) -> str:
    return name.rpartition(" ")[0]
