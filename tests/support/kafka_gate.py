"""A gate before a Kafka broker that lets in who shows a token: SASL/OAUTHBEARER, which Tansu does not check.

It answers the requests with which a client shows who it is (SaslHandshake and SaslAuthenticate, see the Kafka
protocol guide and RFC 7628) and hands on everything else. A connection whose token has expired is closed,
unless the client has shown another before, as a broker with `connections.max.reauth.ms` does (KIP-368).
"""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext, SSLError

from support.oidc_server import TokenServer

_API_VERSIONS, _SASL_HANDSHAKE, _SASL_AUTHENTICATE = 18, 17, 36
_SASL_AUTHENTICATION_FAILED, _UNSUPPORTED_MECHANISM = 58, 33

#: The first message of the client (RFC 7628, section 3.1).
_SHOWN = re.compile(rb"n,[^,]*,\x01auth=Bearer ([^\x01]+)\x01(?:[^\x01]*\x01)*\x01", re.DOTALL)


class Gate:
    """Stands between clients and one broker.

    Attributes:
        port: where clients connect; the broker has to advertise it.
        shown: the tokens that clients have shown, in their order.
        expired: how many connections were closed because their token had expired.
    """

    def __init__(self, tokens: TokenServer, upstream: int, context: SSLContext | None) -> None:
        self.shown: list[str] = []
        self.expired = 0
        self._tokens = tokens
        self._upstream = upstream
        self._context = context
        self._closing = False
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._listen, name="gate", daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """End it, and every connection through it."""
        self._closing = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _listen(self) -> None:
        while not self._closing:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._attend, args=(client,), name="gate client", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _attend(self, client: socket.socket) -> None:
        try:
            if self._context is not None:
                client = self._context.wrap_socket(client, server_side=True)
            with client, socket.create_connection(("127.0.0.1", self._upstream)) as broker:
                self._open |= {client, broker}
                try:
                    _Connection(self, self._tokens, client, broker).serve()
                finally:
                    self._open -= {client, broker}
        except (OSError, SSLError, EOFError):
            client.close()


class _Connection:
    """One client: its requests are read one by one; the answers of the broker come back as they are."""

    def __init__(self, gate: Gate, tokens: TokenServer, client: socket.socket, broker: socket.socket) -> None:
        self._gate = gate
        self._tokens = tokens
        self._client = client
        self._broker = broker
        self._until = 0.0  # when the shown token expires; 0 before there is one
        self._sending = threading.Lock()

    def serve(self) -> None:
        back = threading.Thread(target=self._hand_back, name="gate answers", daemon=True)
        back.start()
        try:
            while request := _frame(self._client):
                key, version, correlation = struct.unpack(">hhi", request[:8])
                if key == _SASL_HANDSHAKE:
                    self._handshake(correlation, _body(request))
                elif key == _SASL_AUTHENTICATE:
                    if not self._authenticate(correlation, version, _body(request)):
                        break
                elif key == _API_VERSIONS:
                    self._hand_on(request)
                elif time.time() >= self._until:
                    self._gate.expired += bool(self._until)
                    break
                else:
                    self._hand_on(request)
        finally:
            for each in (self._broker, self._client):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            back.join(10)

    def _hand_on(self, request: bytes) -> None:
        self._broker.sendall(struct.pack(">i", len(request)) + request)

    def _hand_back(self) -> None:
        with suppress(OSError, EOFError):
            while answer := _frame(self._broker):
                self._answer(answer)
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)

    def _answer(self, content: bytes) -> None:
        with self._sending:
            self._client.sendall(struct.pack(">i", len(content)) + content)

    def _handshake(self, correlation: int, body: bytes) -> None:
        (length,) = struct.unpack(">h", body[:2])
        known = body[2 : 2 + length] == b"OAUTHBEARER"
        self._answer(
            struct.pack(">ihi", correlation, 0 if known else _UNSUPPORTED_MECHANISM, 1)
            + struct.pack(">h", 11)
            + b"OAUTHBEARER"
        )

    def _authenticate(self, correlation: int, version: int, body: bytes) -> bool:
        """Answer what a client shows, and give whether it may go on."""
        (length,) = struct.unpack(">i", body[:4])
        found = _SHOWN.fullmatch(body[4 : 4 + length])
        left = 0.0
        if found is not None:
            token = found[1].decode()
            self._gate.shown.append(token)
            left = self._tokens.seconds_left(token)
        reason = b"" if left > 0 else b"the token is not valid"
        answer = struct.pack(">ih", correlation, _SASL_AUTHENTICATION_FAILED if reason else 0)
        answer += struct.pack(">h", len(reason) or -1) + reason
        answer += struct.pack(">i", 0)  # no message of the mechanism's own
        if version >= 1:
            answer += struct.pack(">q", max(0, int(left * 1000)))  # the life of the session, in ms
        self._answer(answer)
        self._until = time.time() + left if left > 0 else 0.0
        return not reason


def _frame(source: socket.socket) -> bytes:
    """Read one frame; empty at the end of the stream."""
    head = _exactly(source, 4)
    return _exactly(source, struct.unpack(">i", head)[0]) if head else b""


def _exactly(source: socket.socket, number: int) -> bytes:
    found = b""
    while len(found) < number:
        part = source.recv(number - len(found))
        if not part:
            return b""
        found += part
    return found


def _body(request: bytes) -> bytes:
    """Give a request of version 1 header without it: key, version, correlation id and client id."""
    (length,) = struct.unpack(">h", request[8:10])
    return request[10 + max(length, 0) :]


@contextmanager
def gate(
    tokens: TokenServer, upstream: int, *, certificate: tuple[Path, Path] | None = None
) -> Iterator[Gate]:
    """Stand a gate before the broker at a port of the loopback.

    Args:
        tokens: who makes the tokens and judges them.
        upstream: the broker's port.
        certificate: the files of a certificate and its key, for TLS.
    """
    context = None
    if certificate is not None:
        context = SSLContext(PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
    standing = Gate(tokens, upstream, context)
    try:
        yield standing
    finally:
        standing.close()
