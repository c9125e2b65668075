"""A link between two nodes loses nothing: whichever is killed, and however it is cut."""

from __future__ import annotations

import random
import re
import select
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest

from interop.processes import PATIENCE, NeverHappenedError, until
from interop.stage import Node, Stage
from interop.wire import read_frame, role_of, send_frame
from support.ports import free_port
from support.samples import voevent

pytestmark = [pytest.mark.interop, pytest.mark.slow]

BROKER = """\
ivoid = "ivo://org.example/broker"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:{authors}"
[transports.public]
plugin = "vtp-broadcast"
listen = "127.0.0.1:{public}"
"""

SUBSCRIBER = """\
ivoid = "ivo://org.example/subscriber"
[transports.upstream]
plugin = "vtp-subscribe"
remote = "127.0.0.1:{public}"
reconnect_min = "0.05 s"
reconnect_max = "0.1 s"
[handlers.archive]
plugin = "save"
directory = "events"
"""


class Author(threading.Thread):
    """Sends one event after another, through refused and lost connections, and notes each ack."""

    def __init__(self, port: int) -> None:
        super().__init__(name="author", daemon=True)
        self.port = port
        self.acknowledged: list[bytes] = []
        self._enough = threading.Event()

    def run(self) -> None:
        numbers = count()
        while not self._enough.is_set():
            with (
                suppress(OSError),
                closing(socket.create_connection(("127.0.0.1", self.port), PATIENCE)) as connection,
            ):
                while not self._enough.is_set():
                    packet = voevent(f"ivo://org.example/linked#{next(numbers)}")
                    send_frame(connection, packet)
                    receipt = read_frame(connection)
                    if receipt is None:
                        break
                    assert role_of(receipt) == "ack"
                    self.acknowledged.append(packet)
            self._enough.wait(0.01)

    def stop(self) -> None:
        self._enough.set()
        self.join(PATIENCE)

    def wait_for(self, number: int, *nodes: Node) -> None:
        """Wait until it has `number` receipts more."""
        wanted = len(self.acknowledged) + number
        until(f"{wanted} receipts", lambda: len(self.acknowledged) >= wanted, *nodes)


class Cable(threading.Thread):
    """A port that leads to another; it can be cut, which both ends notice, and mended."""

    def __init__(self, remote: int) -> None:
        super().__init__(name="cable", daemon=True)
        self.remote = remote
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.whole = self.carries = True
        self._over = False

    def run(self) -> None:
        other: dict[socket.socket, socket.socket] = {}
        while not self._over:
            if not self.whole:
                for end in other:
                    end.close()
                other.clear()
            self.carries = bool(other)
            for ready in select.select([self.listener, *other], [], [], 0.01)[0]:
                if ready is self.listener:
                    near = self.listener.accept()[0]
                    try:
                        far = socket.create_connection(("127.0.0.1", self.remote), PATIENCE)
                    except OSError:
                        near.close()
                        continue
                    other[near], other[far] = far, near
                elif ready in other:
                    self._carry(ready, other)
        for end in (self.listener, *other):
            end.close()

    def _carry(self, ready: socket.socket, other: dict[socket.socket, socket.socket]) -> None:
        try:
            data = ready.recv(65536)
            other[ready].sendall(data)
        except OSError:
            data = b""
        if not data:
            end = other.pop(ready)
            del other[end]
            ready.close()
            end.close()

    def stop(self) -> None:
        self._over = True
        self.join(PATIENCE)


@contextmanager
def running(thread: Author | Cable) -> Iterator[None]:
    thread.start()
    try:
        yield
    finally:
        thread.stop()


def in_order(node: Node) -> bool:
    """Whether a node has stored the author's events in the order in which they were sent, each once."""
    with closing(sqlite3.connect(node.directory / "voeflow.db")) as store:
        ivorns = [ivorn for (ivorn,) in store.execute("SELECT ivorn FROM events ORDER BY seq")]
    numbers = [int(ivorn.partition("#")[2]) for ivorn in ivorns]
    return numbers == sorted(set(numbers))


def all_there(archive: Path, packets: list[bytes], *nodes: Node) -> None:
    """See that an archive has, or gets, every one of the packets."""
    wanted = set(packets)
    try:
        until(
            "all that was acknowledged",
            lambda: wanted <= {path.read_bytes() for path in archive.rglob("*.xml")},
            *nodes,
        )
    except NeverHappenedError as error:
        lost = wanted - {path.read_bytes() for path in archive.rglob("*.xml")}
        which = sorted(re.findall(rb"linked#\d+", b"".join(lost)))
        raise AssertionError(f"{len(lost)} of {len(wanted)} are lost: {which}") from error


@pytest.mark.parametrize("kills", [10])
def test_nothing_is_lost_when_either_node_is_killed_at_any_instant(stage: Stage, kills: int) -> None:
    pick = random.Random(20261124)
    ports = {"authors": free_port(), "public": free_port()}
    pipelines = {"broker": BROKER.format(**ports), "subscriber": SUBSCRIBER.format(**ports)}
    nodes = {name: stage.node(pipeline, name=name) for name, pipeline in pipelines.items()}
    nodes["subscriber"].wait_until_told("all that was missed has come")
    author = Author(ports["authors"])
    with running(author):
        for _ in range(kills):
            author.wait_for(pick.randrange(10, 60), *nodes.values())
            names = pick.choice([["broker"], ["subscriber"], ["broker", "subscriber"]])
            for name in names:
                nodes[name].kill()
            if names == ["subscriber"]:
                author.wait_for(20, *nodes.values())
            for name in names:
                nodes[name] = stage.node(pipelines[name], name=name)
    all_there(nodes["subscriber"].directory / "events", author.acknowledged, *nodes.values())
    assert in_order(nodes["broker"])
    assert in_order(nodes["subscriber"])


def test_a_cut_link_goes_on_where_it_was_and_in_order(stage: Stage) -> None:
    broker = stage.node(BROKER.format(authors=0, public=0), name="broker")
    cable, author = Cable(broker.port("public")), Author(broker.port("authors"))
    with running(cable):
        subscriber = stage.node(SUBSCRIBER.format(public=cable.port), name="subscriber")
        subscriber.wait_until_told("all that was missed has come")
        with running(author):
            for cuts in range(1, 4):
                author.wait_for(30, broker)
                cable.whole = False
                until("the cable has been cut", lambda: not cable.carries, broker)
                author.wait_for(100, broker)
                cable.whole = True
                subscriber.wait_until_told("all that was missed has come", number=cuts + 1)
        all_there(subscriber.directory / "events", author.acknowledged, broker, subscriber)
    assert in_order(broker)
    assert in_order(subscriber)
