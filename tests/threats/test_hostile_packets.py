"""What hostile authors send to a real node over real sockets, and the ordinary event after each."""

from __future__ import annotations

import os
import random
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

import pytest

from interop.wire import read_frame, role_of, send_frame
from support.samples import voevent
from threats.world import World, closed, transport

PIPELINE = """\
ivoid = "ivo://org.example/voeflow"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
idle_timeout = "2 s"
[transports.public]
plugin = "vtp-broadcast"
listen = "127.0.0.1:0"
test_interval = "0"
[handlers.archive]
plugin = "save"
directory = "events"
by = "author"
[handlers.script]
plugin = "spawn"
command = ["/bin/sh", "-c", "env | grep -a ^VOEVENT_ >> environment; cat > /dev/null"]
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


def doctype(declarations: str, body: str) -> bytes:
    return f'<?xml version="1.0"?>\n<!DOCTYPE VOEvent [{declarations}]>\n{body}'.encode()


def named(ivorn: str) -> str:
    return f'<VOEvent ivorn="{ivorn}" role="test" version="2.0">&a9;</VOEvent>'


LAUGHS = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
QUADRATIC = f'<!ENTITY a9 "{"x" * 100_000}">'
HEAD = (
    '<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" ivorn="ivo://a.b/c#1"'
    ' role="test" version="2.0"'
)
END = "</voe:VOEvent>"

REFUSED = {
    "entities in entities": doctype(LAUGHS, named("ivo://a.b/c#1")),
    "one large entity, often": doctype(QUADRATIC, named("ivo://a.b/c#1").replace("&a9;", "&a9;" * 5000)),
    "an entity without a declaration": voevent(body="<What>&nothing;</What>"),
    "a doctype after a comment": b"<!-- x --><!DOCTYPE a><a/>",
    "a doctype in lower case": b"<!doctype a><a/>",
    "very deep": b"<a>" * 140_000 + b"</a>" * 140_000,
    "deep, and unended": b"<a>" * 300_000,
    "many attributes": (HEAD + "".join(f' a{n}="{n}"' for n in range(50_000)) + ">" + END).encode(),
    "a megabyte of text": voevent(body=f"<What>{'x' * 1_000_000}</What>"),
    "a million entities of its own": voevent(body=f"<What>{'&amp;' * 200_000}</What>"),
    "an attribute that does not end": b'<a b="' + b"x" * 1_000_000,
    "a comment that does not end": b"<!--" + b"-" * 1_000_000,
    "many comments that do not end": b"<!--" * 250_000,
    "an instruction that does not end": b"<?x " * 250_000,
    "no UTF-8": voevent(body="<What>x</What>").replace(b"x</", b"\xff\xfe\xc0\x80</"),
    "overlong UTF-8": voevent(body="<What>x</What>").replace(b"x</", b"\xc0\xbc</"),
    "half a surrogate": "\ufeff<VOEvent/>".encode("utf-16-le") + b"\x00\xd8",
    "UTF-16 of odd length": voevent(declaration="").decode().encode("utf-16") + b"\x00",
    "UTF-7": voevent(declaration='<?xml version="1.0" encoding="UTF-7"?>'),
    "an encoding that is none": voevent(declaration='<?xml version="1.0" encoding="../../etc/passwd"?>'),
    "NULs": b"\0" * 1000,
    "a NUL in a name": voevent().replace(b"Who", b"W\0o"),
    "control characters": voevent("ivo://a.b/c#\x1b[2J"),
    "control characters by reference": voevent("ivo://a.b/c#&#27;[2J"),
    "a line break in the IVORN": voevent("ivo://a.b/c#&#10;[critical] all is well"),
    "C1 controls in the IVORN": voevent("ivo://a.b/c#&#x9b;2J"),
    "an IVORN of a megabyte": voevent("ivo://a.b/c#" + "x" * 1_000_000),
    "no IVORN": voevent().replace(b"ivorn=", b"nrovi="),
    "another root": b"<html><script>alert(1)</script></html>",
    "a root whose name is a megabyte": b"<" + b"a" * 1_000_000 + b"/>",
    "no XML": os.urandom(1000),
    "JSON": b'{"ivorn": "ivo://a.b/c#1"}',
    "nothing at all": b"",
    "two roots": voevent() + voevent("ivo://a.b/c#2", declaration=""),
}


TAKEN = {
    "many namespaces": (HEAD + "".join(f' xmlns:n{n}="u:{n}"' for n in range(40_000)) + ">" + END).encode(),
    "many comments around it": b"<!--x-->" * 60_000
    + voevent("ivo://a.b/c#k", declaration="", tail="<!--x-->" * 60_000),
    "many elements": voevent(
        "ivo://a.b/c#m", body="<What>" + '<Param name="a" value="b"/>' * 30_000 + "</What>"
    ),
    "a large description": voevent("ivo://a.b/c#d", body=f"<Description>{'x&#10;' * 150_000}</Description>"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_large_packet_of_a_hostile_shape_delays_nobody(world: World, name: str) -> None:
    assert world.submit(TAKEN[name])[0] == "ack"


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_packet_is_refused_with_a_reason_that_tells_nothing_of_the_node(
    world: World, name: str
) -> None:
    role, _ = world.submit(REFUSED[name])
    assert role == "nak"


def test_a_frame_that_is_too_long_closes_the_connection(world: World) -> None:
    assert world.submit(voevent(body=f"<What>{'x' * 2**21}</What>")) == (None, "")


def test_a_count_of_four_gigabytes_closes_the_connection(world: World) -> None:
    with world.author() as connection:
        connection.sendall(b"\xff\xff\xff\xff" + b"x" * 1000)
        assert closed(connection)


def test_random_bytes_close_the_connection_or_wait_for_more(world: World) -> None:
    pick = random.Random(20261127)
    for _ in range(20):
        with world.author() as connection, suppress(ConnectionError):
            connection.sendall(pick.randbytes(pick.randrange(1, 5000)))


def test_connections_that_are_reset_in_the_middle_of_a_frame(world: World) -> None:
    for _ in range(50):
        connection = world.author()
        connection.sendall(struct.pack("!I", 5000) + b"<a>" * 100)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


@pytest.mark.slow
def test_an_author_that_sends_a_byte_now_and_then_is_cut_off(world: World) -> None:
    loris = [world.author() for _ in range(20)]
    for connection in loris:
        connection.sendall(b"\0\0\x10\0<")
    world.ordinary()
    for connection in loris:
        assert closed(connection)
        connection.close()


MESSAGES = {
    "with a doctype": b"<!DOCTYPE Transport ["
    + LAUGHS.encode()
    + b']><Transport role="ack"><Origin>&a9;</Origin></Transport>',
    "without an end": b"<Transport role=",
    "of no role": transport(""),
    "of a role that there is not": transport("\u202erole"),
    "deep": b"<Transport>" * 1000 + b"</Transport>" * 1000,
    "of another namespace": b'<x:Transport xmlns:x="x" role="authenticate"/>',
    "with an origin of 100 kB": transport("iamalive", "ivo://x/" + "y" * 100_000),
    "that answer what nobody asked": transport("nak", inside="<Meta><Result>\u202eno</Result></Meta>"),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_strange_transport_messages_from_an_author(world: World, name: str) -> None:
    with world.author() as connection, suppress(ConnectionError):
        for _ in range(5):
            send_frame(connection, MESSAGES[name])
        send_frame(connection, voevent("ivo://a.b/c#after-a-message"))
        while (answer := read_frame(connection)) is not None:
            if role_of(answer) == "ack":
                break


def test_a_flood_of_frames_without_an_event_is_cut_off(world: World) -> None:
    with world.author() as connection, suppress(ConnectionError):
        flood = b"".join(struct.pack("!I", len(each)) + each for each in [transport("iamalive")] * 100)
        for _ in range(200):
            connection.sendall(flood)
    world.ordinary()


def test_hostile_text_in_a_valid_packet_stays_where_it_belongs(world: World) -> None:
    evil = "ivo://a.b/../../../etc/$(reboot);`reboot`\u202e#|&amp;&gt;x"
    assert world.submit(voevent(evil))[0] == "nak"  # authors are held to the rules for IVOIDs
    forged = "ivo://x/../../..&#10;VOEVENT_ROLE=forged&#x9b;2J\u202e"
    assert world.submit(voevent("ivo://a.b/x-.._~*'()!+=#y", author=forged))[0] == "ack"
    world.ordinary()
    root = world.directory
    outside = [path for path in root.rglob("*") if path.is_file() and root / "events" not in path.parents]
    assert {path.name.partition(".")[0] for path in outside} <= {"pipeline", "voeflow", "environment"}
    environment = (root / "environment").read_text(encoding="utf-8", errors="surrogateescape")
    for line in environment.splitlines():
        assert line.startswith("VOEVENT_"), line
        assert line.isprintable(), line
    assert "VOEVENT_ROLE=forged" not in environment.splitlines()


def test_the_log_of_all_this_is_lines_of_printable_json(shared: World) -> None:
    shared.log_is_clean()
