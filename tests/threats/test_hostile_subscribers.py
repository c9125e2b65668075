"""What hostile subscribers do to a real node over real sockets, and the ordinary event after each."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

import pytest

from interop.wire import read_frame, role_of, send_frame
from support.samples import voevent
from threats.world import World, filters, transport

PIPELINE = """\
ivoid = "ivo://org.example/voeflow"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
[transports.public]
plugin = "vtp-broadcast"
listen = "127.0.0.1:0"
test_interval = "0"
max_unsent = "2 MiB"
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world"), PIPELINE) as world:
        yield world
        world.log_is_clean()


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    yield shared
    shared.ordinary()


ANSWERS = {
    "no XML": b"\xff" * 500,
    "nothing": b"",
    "an event": voevent("ivo://a.b/c#1"),
    "a doctype": b'<!DOCTYPE Transport [<!ENTITY a "b">]><Transport role="ack">&a;</Transport>',
    "an ack to what nobody sent": transport("ack", "ivo://nobody/x#1"),
    "a nak to what nobody sent": transport("nak", "ivo://nobody/x#1"),
    "a nak with a megabyte of reasons": transport(
        "nak", "ivo://nobody/x#1", "<Meta><Result>" + "\n[critical] \u202e" * 10_000 + "</Result></Meta>"
    ),
    "an ack with control characters": transport("ack", "ivo://x\r\n\u009b2J"),
    "a role that there is not": transport("reboot"),
    "an authenticate without Meta": transport("authenticate"),
    "ten thousand filters": filters(*(f"//Param[@name='{n}']" for n in range(5_000))),
    "one long filter": filters("//Param[" + " or ".join(f"@name='{n}'" for n in range(20_000)) + "]"),
    "a deep filter": filters("(" * 2000 + "1" + ")" * 2000),
    "filters that are none": filters("//[", "$x", "document('/etc/passwd')", "x:y", "\u202e", "a" * 5000),
    "a count of four gigabytes": b"",
}


@pytest.mark.parametrize("name", ANSWERS)
def test_strange_answers_from_a_subscriber(world: World, name: str) -> None:
    with world.subscriber() as connection, suppress(ConnectionError):
        assert role_of(read_frame(connection) or b"") in ("iamalive", "authenticate")
        for _ in range(3):
            if name == "a count of four gigabytes":
                connection.sendall(b"\xff\xff\xff\xff")
            else:
                send_frame(connection, ANSWERS[name])
        world.ordinary()


def test_subscribers_that_send_random_bytes(world: World) -> None:
    pick = random.Random(20261127)
    for _ in range(20):
        with world.subscriber() as connection, suppress(ConnectionError):
            connection.sendall(pick.randbytes(pick.randrange(1, 5000)))


def test_subscribers_that_are_reset_while_events_are_sent(world: World) -> None:
    connections = [world.subscriber() for _ in range(50)]
    assert world.submit(voevent("ivo://a.b/reset#1"))[0] == "ack"
    for connection in connections:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


@pytest.mark.slow
def test_a_subscriber_that_refuses_everything(world: World) -> None:
    with world.subscriber() as connection:
        for number in range(5):
            assert world.submit(voevent(f"ivo://a.b/refused#{number}"))[0] == "ack"
        refused = 0
        while refused < 5:
            payload = read_frame(connection)
            assert payload is not None
            if role_of(payload) is None:
                refused += 1
                send_frame(connection, transport("nak", f"ivo://a.b/refused#{refused - 1}"))


def test_subscribers_that_read_nothing_are_dropped(world: World) -> None:
    deaf = [world.subscriber() for _ in range(10)]
    for connection in deaf:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for number in range(60):
        ivorn = f"ivo://a.b/large#{number}"
        large = f"<What><Description>{'x' * 250_000}</Description></What>"
        assert world.submit(voevent(ivorn, body=large))[0] == "ack"
        world.wait_until_broadcast(ivorn)
    world.ordinary()
    world.node.wait_until_told("subscriber dropped")  # of the others the kernel holds as much as there was
    for connection in deaf:
        connection.close()


def test_a_flood_of_messages_from_a_subscriber(world: World) -> None:
    message = transport("iamalive")
    flood = (struct.pack("!I", len(message)) + message) * 100
    with world.subscriber() as connection, suppress(OSError):
        connection.settimeout(1)
        for _ in range(100):
            connection.sendall(flood)
        world.ordinary()


def test_the_log_of_all_this_is_lines_of_printable_json(shared: World) -> None:
    shared.log_is_clean()
