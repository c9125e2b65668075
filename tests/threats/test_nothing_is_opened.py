"""What a packet names is not opened: seen by strace, by the kernel's inotify, and by who listens there.

Each observer is first shown to see: a parser that trusts its input reads the same packets, under the same
eyes.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import attrs
import pytest

from interop.processes import PATIENCE, finish
from interop.wire import send_frame
from support.samples import voevent
from threats.world import World, closed, filters, transport

PIPELINE = """\
ivoid = "ivo://org.example/voeflow"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
[transports.upstream]
plugin = "vtp-subscribe"
remote = "127.0.0.1:{upstream}"
[transports.public]
plugin = "vtp-broadcast"
listen = "127.0.0.1:0"
test_interval = "0"
"""

#: Reads the packets in a directory as one would who trusts them.
TRUSTING = """\
import pathlib, socket, sys
from lxml import etree
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.xml")):
    parser = etree.XMLParser(load_dtd=True, resolve_entities=True, no_network=False, huge_tree=True)
    try:
        tree = etree.parse(str(path), parser)
        tree.xinclude()
        for name in tree.xpath("string(//@*[local-name()='schemaLocation'])").split()[1::2]:
            etree.XMLSchema(file=name)
    except (etree.LxmlError, OSError):
        pass
with socket.create_connection(("127.0.0.1", int(sys.argv[2]))):  # libxml2 may have been built without HTTP
    pass
"""

#: What a process opens as it starts; the one that asks subscribers' filters does so on the way.
_LOADING = (
    "/etc/ld.so.cache",
    "/lib",
    "/usr/lib",
    "/usr/local/lib",
    "/usr/share/locale",
    "/dev/null",
    "/proc/self",
    "/etc/localtime",
)

_IN_OPEN = 0x20
_OPENED = re.compile(r'\bopen(?:at2?)?\((?:AT_FDCWD, |\d+, )?"((?:[^"\\]|\\.)*)"')
_CONNECTED = re.compile(r"\bconnect\(\d+, \{sa_family=AF_INET6?,")


@attrs.define
class Listener:
    """An address that nobody should connect to; counts who does."""

    connections: int = 0
    _socket: socket.socket = attrs.field(factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                connection.sendall(b"HTTP/1.0 404 Not Found\r\n\r\n")
                connection.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class Watch:
    """Sees every open() of a file, by whatever process."""

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.inotify_init1(os.O_NONBLOCK)
        assert self._fd >= 0
        assert libc.inotify_add_watch(self._fd, bytes(path), _IN_OPEN) >= 0

    def opened(self) -> bool:
        """Whether it was opened since this was last asked."""
        try:
            return bool(os.read(self._fd, 2**16))
        except BlockingIOError:
            return False

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture
def listener() -> Iterator[Listener]:
    one = Listener()
    thread = threading.Thread(target=one.serve, daemon=True)
    thread.start()
    yield one
    one.close()
    thread.join(PATIENCE)


def packets(secret: Path, port: int) -> dict[str, bytes]:
    """Write packets that name a file and an address, in every way that XML has."""
    http = f"http://127.0.0.1:{port}"
    head = '<?xml version="1.0"?>\n'
    body = '<VOEvent ivorn="ivo://a.b/{0}" role="test" version="2.0">&e;</VOEvent>'
    found: dict[str, bytes] = {}
    for kind, uri in (("file", secret.as_uri()), ("path", str(secret)), ("http", f"{http}/entity")):
        found[f"entity-{kind}"] = (
            f'{head}<!DOCTYPE VOEvent [<!ENTITY e SYSTEM "{uri}">]>{body.format("e" + kind)}'.encode()
        )
        found[f"doctype-{kind}"] = (
            f'{head}<!DOCTYPE VOEvent SYSTEM "{uri}">{body.format("d" + kind)}'.encode()
        )
        found[f"parameter-{kind}"] = (
            f'{head}<!DOCTYPE VOEvent [<!ENTITY % p SYSTEM "{uri}"> %p;]>{body.format("p" + kind)}'.encode()
        )
        xi = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{uri}" parse="text"/>'
        found[f"xinclude-{kind}"] = voevent(f"ivo://a.b/x#{kind}", body=f"<What>{xi}</What>")
        location = (
            ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation='
            f'"http://www.ivoa.net/xml/VOEvent/v2.0 {uri}"'
        )
        found[f"schema-{kind}"] = voevent(f"ivo://a.b/s#{kind}").replace(
            b" role=", location.encode() + b" role=", 1
        )
        sheet = f'<?xml-stylesheet type="text/xsl" href="{uri}"?>\n<?xml-model href="{uri}"?>\n'
        found[f"stylesheet-{kind}"] = (
            head.encode() + sheet.encode() + voevent(f"ivo://a.b/t#{kind}", declaration="")
        )
        reference = f'<Reference uri="{uri}" type="voevent"/>'
        found[f"reference-{kind}"] = voevent(f"ivo://a.b/r#{kind}", body=f"{reference}")
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    found["bomb"] = (
        f'{head}<!DOCTYPE VOEvent [<!ENTITY e0 "ha">{levels}]>{body.replace("&e;", "&e9;")}'.encode()
    )
    return found


def attack(world: World, upstream: socket.socket, hostile: dict[str, bytes], secret: Path, port: int) -> None:
    """Send packets by every way into a node, as events, as Transport messages and as filters."""
    for raw in hostile.values():
        assert world.submit(raw)[0] in ("ack", "nak")
        with world.author() as connection, suppress(ConnectionError):
            send_frame(connection, raw.replace(b"VOEvent", b"Transport"))
            connection.shutdown(socket.SHUT_WR)
            closed(connection)
        with world.subscriber() as connection, suppress(ConnectionError):
            send_frame(connection, raw.replace(b"VOEvent", b"Transport"))
            send_frame(connection, raw)
    with world.subscriber() as connection:
        paths = [
            f'document("{secret}")',
            f'document("http://127.0.0.1:{port}/x")',
            f'unparsed-text("{secret}")',
        ]
        send_frame(connection, filters(*paths))
        world.ordinary()
    broker, _ = upstream.accept()
    with broker:
        broker.settimeout(PATIENCE)
        for raw in hostile.values():
            send_frame(broker, raw)
        send_frame(broker, voevent("ivo://a.b/upstream#last"))
        send_frame(broker, transport("iamalive"))
        seen = b""
        while b"upstream#last" not in seen:
            more = broker.recv(65536)
            assert more, "the node closed its link to the upstream"
            seen += more
    world.ordinary()


@pytest.mark.slow
def test_a_node_opens_nothing_that_a_packet_names(tmp_path: Path, listener: Listener) -> None:
    secret = tmp_path / "secret"
    secret.write_text("<!-- the secret -->")
    hostile = packets(secret, listener.port)
    for name in hostile.keys() - {"bomb"}:  # which would take that parser's memory
        raw = hostile[name]
        (tmp_path / f"{name}.xml").write_bytes(raw)
    trace, watch = tmp_path / "trace", Watch(secret)
    wrapper = strace(trace)

    script = [sys.executable, "-c", TRUSTING, tmp_path, str(listener.port)]
    finish([*wrapper, *script], tmp_path)
    assert watch.opened(), "the kernel's watch sees nothing"
    assert listener.connections >= 1, "who listens sees nothing"
    if wrapper:
        opened, connected = seen_in(trace.read_text())
        assert opened.count(str(secret)) >= 5, "strace sees no file"
        assert connected, "strace sees no connection"
    reached = listener.connections

    room = tmp_path / "node"
    room.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        port = upstream.getsockname()[1]
        pipeline = PIPELINE.format(upstream=port)
        with World(room, pipeline, wrapper) as world:
            world.ordinary()
            before = trace.stat().st_size if wrapper else 0
            attack(world, upstream, hostile, secret, listener.port)
            world.log_is_clean()
            during = trace.read_text()[before:] if wrapper else ""
    assert not watch.opened()
    assert listener.connections == reached
    watch.close()
    opened, connected = seen_in(during)
    assert [line for line in connected if f"htons({port})" not in line] == []  # that one it is to reach
    allowed = (str(room), sys.prefix, sys.base_prefix, str(Path(__file__).parents[2]), *_LOADING)
    assert [path for path in opened if path.startswith("/") and not path.startswith(allowed)] == []
    assert [path for path in opened if "secret" in path or "http" in path] == []


def strace(trace: Path) -> tuple[str, ...]:
    """Give the command that traces another; empty where this machine does not let one."""
    words = (
        "strace",
        "-f",
        "-qq",
        "-s",
        "4096",
        "-o",
        str(trace),
        "-e",
        "trace=open,openat,openat2,connect,execve",
    )
    if shutil.which("strace") is None:
        return ()
    tried = subprocess.run([*words, "true"], capture_output=True, check=False)
    return words if tried.returncode == 0 else ()


def seen_in(trace: str) -> tuple[list[str], list[str]]:
    """Give the files that were opened and the connections that were made."""
    return _OPENED.findall(trace), [line for line in trace.splitlines() if _CONNECTED.search(line)]
