"""The yardstick: the least that a durable broker in Python has to do. One process, one thread, one loop.

    python limit.py AUTHOR_PORT SUBSCRIBER_PORT STORE GRAMMAR [PROGRAM]

What it shares with voeflow is the promise: each packet is parsed once, checked against the same grammar,
hashed, and on disk (SQLite, write-ahead log, `synchronous = FULL`) before its receipt; whatever came in
meanwhile shares a commit. Subscribers with XPath filters get what these let pass, each distinct filter being
asked once an event.

What it has not is everything that makes a broker fit to be run: no limits on size, depth, time, memory or
number; hostile XML, slow peers and full disks are nobody's concern; no log, no sinks with places in it, no
retries, no iamalive. It is there to say how near voeflow comes to it, and to be used for nothing else.
"""

from __future__ import annotations

import hashlib
import os
import select
import signal
import socket
import sqlite3
import sys
import time
from xml.sax.saxutils import escape

from lxml import etree

_BACKLOG = 1024
_READ = 65536

#: How much of one connection is read before the others have their turn, in bytes.
_MOST_AT_ONCE = 2**18

_AT_ONCE = 512

_RECEIPT = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<trn:Transport xmlns:trn="http://telescope-networks.org/schema/Transport/v1.1" version="1.0" role="%s">'
    "<Origin>%s</Origin><Response>ivo://org.example.benchmark/limit</Response>"
    "<TimeStamp>2026-11-24T01:02:03Z</TimeStamp></trn:Transport>"
)

Packet = tuple[bytes, etree._Element]


class Peer:
    """An author or a subscriber, with what it has not finished sending and what has not been sent to it."""

    __slots__ = ("filters", "read", "socket", "subscribes", "unsent")

    def __init__(self, sock: socket.socket, subscribes: bool) -> None:
        self.socket = sock
        self.subscribes = subscribes
        self.read = b""
        self.unsent = bytearray()
        self.filters: tuple[str, ...] = ()

    def frames(self, data: bytes) -> list[bytes]:
        """Cut what came into payloads."""
        data = self.read + data if self.read else data
        found, at = [], 0
        while len(data) - at >= 4 and (end := at + 4 + int.from_bytes(data[at : at + 4], "big")) <= len(data):
            found.append(data[at + 4 : end])
            at = end
        self.read = data[at:]
        return found


class Log:
    """The store."""

    def __init__(self, path: str, grammar: str) -> None:
        self._parser = etree.XMLParser(resolve_entities=False, no_network=True, collect_ids=False)
        self._grammar = etree.XMLSchema(file=grammar)
        self._database = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -8000"):
            self._database.execute(f"PRAGMA {pragma}").fetchall()
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS events("
            "seq INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, ivorn TEXT NOT NULL, role TEXT,"
            " author TEXT, received REAL, raw BLOB NOT NULL)"
        )

    def keep(self, packets: list[bytes]) -> tuple[list[str], list[Packet]]:
        """Put packets on disk with one commit; give the answers to their authors, and those that are new."""
        answers, rows, new, seen = [], [], [], set()
        known = self._database.execute
        for raw in packets:
            try:
                root = etree.fromstring(raw, self._parser)
            except etree.XMLSyntaxError:
                answers.append(_RECEIPT % ("nak", ""))
                continue
            ivorn = root.get("ivorn", "")
            if not self._grammar.validate(root):
                answers.append(_RECEIPT % ("nak", escape(ivorn)))
                continue
            answers.append(_RECEIPT % ("ack", escape(ivorn)))
            digest = hashlib.sha256(raw).digest()
            if digest in seen or known("SELECT 1 FROM events WHERE digest = ?", (digest,)).fetchone():
                continue
            seen.add(digest)
            rows.append((digest, ivorn, root.get("role"), root.findtext("Who/AuthorIVORN"), time.time(), raw))
            new.append((raw, root))
        if rows:
            known("BEGIN IMMEDIATE")
            self._database.executemany("INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?)", rows)
            known("COMMIT")
        return answers, new


class Broker:
    """The loop."""

    def __init__(self, author_port: int, subscriber_port: int, log: Log, program: str) -> None:
        self._log = log
        self._program = program
        self._poll = select.epoll()
        self._peers: dict[int, Peer] = {}
        self._crowd: dict[int, Peer] = {}
        self._filters: dict[str, etree.XPath] = {}
        self._listeners = {
            self._listen(port): port == subscriber_port for port in (author_port, subscriber_port)
        }
        self._ports = {listener.fileno(): listener for listener in self._listeners}

    def run(self) -> None:
        """Serve for ever: read all that is there, keep it at once, answer, send on."""
        while True:
            packets: list[bytes] = []
            authors: list[Peer] = []
            for number, ready in self._poll.poll(-1, _AT_ONCE):
                if number in self._ports:
                    self._accept(self._ports[number])
                elif (peer := self._peers.get(number)) is not None:
                    if ready & select.EPOLLOUT:
                        self._send(peer, b"")
                    if ready & ~select.EPOLLOUT:
                        for payload in self._receive(peer):
                            if not peer.subscribes:
                                packets.append(payload)
                                authors.append(peer)
                            elif b'role="authenticate"' in payload:
                                self._set_filters(peer, payload)
            if packets:
                answers, new = self._log.keep(packets)
                for peer, answer in zip(authors, answers, strict=True):
                    self._send(peer, framed(answer.encode()))
                if new:
                    self._fan_out(new)

    def _fan_out(self, new: list[Packet]) -> None:
        everything = b"".join([framed(raw) for raw, _ in new])
        held = [{expression for expression, xpath in self._filters.items() if xpath(root)} for _, root in new]
        for peer in list(self._crowd.values()):
            if not peer.filters:
                self._send(peer, everything)
            else:
                passed = [
                    framed(raw)
                    for (raw, _), holds in zip(new, held, strict=True)
                    if not holds.isdisjoint(peer.filters)
                ]
                if passed:
                    self._send(peer, b"".join(passed))
        if self._program:
            for raw, _ in new:
                run(self._program, raw)

    def _set_filters(self, peer: Peer, payload: bytes) -> None:
        params = etree.fromstring(payload).iterfind("Meta/Param[@name='xpath-filter']")
        peer.filters = tuple(param.get("value", "") for param in params)
        wanted = {expression for each in self._crowd.values() for expression in each.filters}
        for expression in wanted - self._filters.keys():
            self._filters[expression] = etree.XPath(expression)
        for expression in self._filters.keys() - wanted:
            del self._filters[expression]

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            peer = Peer(sock, self._listeners[listener])
            self._peers[sock.fileno()] = peer
            self._poll.register(sock, select.EPOLLIN)
            if peer.subscribes:
                self._crowd[sock.fileno()] = peer
                self._send(
                    peer, framed((_RECEIPT % ("authenticate", "ivo://org.example.benchmark/limit")).encode())
                )

    def _receive(self, peer: Peer) -> list[bytes]:
        data: bytes | None = None
        try:
            data = piece = peer.socket.recv(_READ)
            while len(piece) == _READ and len(data) < _MOST_AT_ONCE:
                data += (piece := peer.socket.recv(_READ))
        except BlockingIOError:
            pass
        except OSError:
            data = b""
        if data is None:
            return []
        if not data:
            self._peers.pop(peer.socket.fileno())
            if self._crowd.pop(peer.socket.fileno(), None) and peer.filters:
                peer.filters = ()
            peer.socket.close()
            return []
        return peer.frames(data)

    def _send(self, peer: Peer, data: bytes) -> None:
        if peer.socket.fileno() < 0:
            return
        waited = bool(peer.unsent)
        if waited:
            peer.unsent += data
        try:
            sent = peer.socket.send(peer.unsent or data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # the next read finds it gone
        if waited:
            del peer.unsent[:sent]
        elif sent < len(data):
            peer.unsent += data[sent:]
        if bool(peer.unsent) != waited:
            self._poll.modify(peer.socket, select.EPOLLIN | (select.EPOLLOUT if peer.unsent else 0))

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)
        listener.setblocking(False)
        self._poll.register(listener, select.EPOLLIN)
        return listener


def framed(payload: bytes) -> bytes:
    """Put VTP's count before a payload."""
    return len(payload).to_bytes(4, "big") + payload


def run(program: str, raw: bytes) -> None:
    """Start a program with an event on its standard input, and wait for nothing; a pipe holds 64 KiB."""
    reading, writing = os.pipe()
    os.write(writing, raw)
    os.close(writing)
    os.posix_spawn(program, [program], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0)])
    os.close(reading)


def main() -> None:
    """Serve until killed."""
    author_port, subscriber_port, store, grammar, *program = sys.argv[1:]
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for programs
    Broker(int(author_port), int(subscriber_port), Log(store, grammar), "".join(program)).run()


if __name__ == "__main__":
    main()
