"""An OpenID Connect token endpoint for the tests: client credentials in, short-lived JSON Web Tokens out."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

import attrs


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@attrs.frozen
class TokenRequest:
    """What was asked of the endpoint, and how it answered.

    Attributes:
        at: when, by `time.time()`.
        client_id: who asked.
        status: the answer's HTTP status.
        form: the fields of the request's body.
    """

    at: float
    client_id: str
    status: int
    form: dict[str, str]


class TokenServer:
    """Gives tokens to one client.

    Attributes:
        client_id: the id of the client.
        client_secret: its secret.
        lifetime: how long the next token will be good for, in seconds.
        refuse: a text such as `invalid_client` with which the next requests are refused; empty for none.
        requests: what was asked so far.
    """

    def __init__(self, lifetime: float = 3600.0) -> None:
        self.client_id = "the-client"
        self.client_secret = "the-secret"
        self.lifetime = lifetime
        self.refuse = ""
        self.requests: list[TokenRequest] = []
        self.url = ""
        self._key = b"known to this server alone"
        self._changed = threading.Condition()

    def token(self, *, lifetime: float | None = None) -> str:
        """Make a token: a JSON Web Token (RFC 7519) signed with HMAC-SHA256."""
        now = time.time()
        claims = {
            "sub": self.client_id,
            "iat": int(now),
            "exp": int(now + (self.lifetime if lifetime is None else lifetime)),
        }
        signed = ".".join(
            _encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)
        )
        return f"{signed}.{_encoded(hmac.digest(self._key, signed.encode(), hashlib.sha256))}"

    def seconds_left(self, token: str) -> float:
        """Give how long a token is still good for; at most zero where it has expired or is none of ours."""
        signed, _, signature = token.rpartition(".")
        if signature != _encoded(hmac.digest(self._key, signed.encode(), hashlib.sha256)):
            return 0.0
        body = signed.partition(".")[2]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return float(claims["exp"] - time.time())

    def wait_for_requests(self, number: int, *, timeout: float = 30.0) -> list[TokenRequest]:
        """Wait until it was asked so many times, and give all requests.

        Raises:
            AssertionError: it was not, in time.
        """
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.requests) >= number, timeout), self.requests
            return list(self.requests)

    def answer(self, authorization: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Answer one request, and note it."""
        kind, _, words = authorization.partition(" ")
        given = base64.b64decode(words).decode() if kind == "Basic" else ""
        client_id, _, secret = (urllib.parse.unquote(part) for part in given.partition(":"))
        status = 200
        content: dict[str, Any]
        if self.refuse:
            status, content = 400, {"error": self.refuse}
        elif (client_id, secret) != (self.client_id, self.client_secret):
            status, content = 401, {"error": "invalid_client"}
        elif form.get("grant_type") != "client_credentials":
            status, content = 400, {"error": "unsupported_grant_type"}
        else:
            content = {
                "access_token": self.token(),
                "token_type": "Bearer",
                "expires_in": int(self.lifetime),
            }
        with self._changed:
            self.requests.append(TokenRequest(time.time(), client_id, status, form))
            self._changed.notify_all()
        return status, content


@contextmanager
def token_server(
    *, lifetime: float = 3600.0, certificate: tuple[Path, Path] | None = None
) -> Iterator[TokenServer]:
    """Run a token endpoint on a free port of the loopback.

    Args:
        lifetime: how long its tokens are good for, in seconds.
        certificate: the files of a certificate and its key, for HTTPS; HTTP if left out.
    """
    tokens = TokenServer(lifetime)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
            status, content = tokens.answer(
                self.headers.get("Authorization", ""), dict(urllib.parse.parse_qsl(body))
            )
            answer = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scheme = "http"
    if certificate is not None:
        context = SSLContext(PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    tokens.url = f"{scheme}://127.0.0.1:{server.server_port}/oauth2/token"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="token endpoint", daemon=True)
    thread.start()
    try:
        yield tokens
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
