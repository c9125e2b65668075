"""The `webhook` handler against a real server, plain and over TLS."""

from __future__ import annotations

import io
import json
import logging
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trustme
from trio.testing import MockClock

import voeflow
from support.nodes import running
from support.samples import voevent
from voeflow._log import configure_log
from voeflow._store import Store
from voeflow._store_select import Selection, select_dead
from voeflow_handlers._http import WebhookError
from voeflow_handlers.webhook import Webhook

EVENT = voeflow.Event.parse(voevent())
DELIVERY = voeflow.Delivery(EVENT, "abc.hook")


@attrs.define
class Service:
    """A web service: it keeps what it is sent, and answers as it is told."""

    url: str = ""
    answers: list[tuple[int, dict[str, str], bytes]] = attrs.field(factory=list)
    requests: list[tuple[str, dict[str, str], bytes]] = attrs.field(factory=list)


def serve(context: ssl.SSLContext | None = None) -> Iterator[Service]:
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            service.requests.append((self.path, headers, body))
            status, extra, text = service.answers.pop(0) if service.answers else (200, {}, b"ok")
            self.send_response(status)
            for name, value in extra.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    scheme = "http"
    if context is not None:
        scheme = "https"
        server.socket = context.wrap_socket(server.socket, server_side=True)
    service.url = f"{scheme}://127.0.0.1:{server.server_port}/services/sesame"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def service() -> Iterator[Service]:
    yield from serve()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[Service]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    yield from serve(context)


Silent = Callable[[bytes], tuple[str, threading.Event]]


@pytest.fixture
def silent() -> Iterator[Silent]:
    """Servers that take a connection, say something and then nothing; with what is set once they have."""
    sockets: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(words: bytes) -> tuple[str, threading.Event]:
        listener, said = socket.create_server(("127.0.0.1", 0)), threading.Event()
        sockets.append(listener)

        def accept() -> None:
            with suppress(OSError):  # the other end may leave before it has heard all, or never come
                stream, _ = listener.accept()
                sockets.append(stream)
                stream.sendall(words)
            said.set()

        threads.append(threading.Thread(target=accept))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/sesame", said

    yield start
    for each in sockets[:]:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)  # wakes who waits in `accept`
    for thread in threads:
        thread.join()
    for each in sockets:
        each.close()


def hook(url: str, **options: Any) -> Webhook:
    handler = Webhook(voeflow.Secret(url), **options)
    handler.start()
    return handler


async def test_an_event_is_posted_signed_and_with_the_headers_asked_for(service: Service) -> None:
    headers = {"Authorization": voeflow.Secret("Bearer x")}
    await hook(service.url, secret=voeflow.Secret("s" * 24), headers=headers).handle(EVENT, DELIVERY)
    ((path, got, body),) = service.requests
    assert path == "/services/sesame"
    assert json.loads(body)["ivorn"] == EVENT.ivorn
    assert (got["content-type"], got["authorization"], got["webhook-id"]) == (
        "application/json", "Bearer x", "abc.hook",
    )  # fmt: skip
    assert got["webhook-signature"].startswith("v1,")


async def test_a_redirect_is_not_followed(service: Service) -> None:
    service.answers = [(302, {"location": service.url}, b"")]
    with pytest.raises(WebhookError, match="redirects are not followed"):
        await hook(service.url).handle(EVENT, DELIVERY)
    assert len(service.requests) == 1


async def test_certificates_are_verified(secure: Service, authority: trustme.CA, tmp_path: Path) -> None:
    with pytest.raises(WebhookError, match="its certificate is not trusted"):
        await hook(secure.url).handle(EVENT, DELIVERY)
    assert secure.requests == []
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    await hook(secure.url, ca=ca).handle(EVENT, DELIVERY)
    assert len(secure.requests) == 1
    with pytest.raises(WebhookError, match="its certificate is not trusted"):  # of another name
        await hook(secure.url.replace("127.0.0.1", "localhost"), ca=ca).handle(EVENT, DELIVERY)


@pytest.mark.parametrize(
    "words", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok"]
)
async def test_a_server_that_falls_silent_is_left_in_time(
    silent: Silent, words: bytes, mock_clock: MockClock
) -> None:
    url, said = silent(words)

    async def let_time_pass() -> None:  # and none before, which a slow machine may need to get there
        await trio.to_thread.run_sync(said.wait, 60)
        mock_clock.rate = 1.0

    async with trio.open_nursery() as nursery:
        nursery.start_soon(let_time_pass)
        with trio.fail_after(60), pytest.raises(WebhookError, match="did not answer within 200 ms"):
            await hook(url, timeout=0.2).handle(EVENT, DELIVERY)


@pytest.mark.parametrize("words", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000])
async def test_what_is_no_answer_is_a_failure(silent: Silent, words: bytes) -> None:
    url, _ = silent(words)
    with trio.fail_after(60), pytest.raises(WebhookError, match="no answer"):
        await hook(url, timeout=50).handle(EVENT, DELIVERY)


async def test_of_a_long_answer_the_beginning_is_read(service: Service) -> None:
    service.answers = [(500, {}, b"\x1b[31mno " * 10**6)]
    with trio.fail_after(60), pytest.raises(WebhookError) as failed:
        await hook(service.url).handle(EVENT, DELIVERY)
    assert len(str(failed.value)) < 300
    assert str(failed.value).isprintable()


async def test_nobody_there_is_a_failure_that_names_the_host_alone() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # held, so that nobody else listens there
        port = deaf.getsockname()[1]
        with pytest.raises(WebhookError) as failed:
            await hook(f"http://127.0.0.1:{port}/sesame").handle(EVENT, DELIVERY)
    assert str(failed.value) in (
        f"http://127.0.0.1:{port}: Connection refused",
        f"http://127.0.0.1:{port}: no answer (ConnectError)",
    )


def test_without_httpx_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(ValueError, match=r"pip install 'voeflow\[webhook\]'"):
        Webhook(voeflow.Secret("https://x/"))


PIPELINE = """
[transports.in]
plugin = "hand"
[handlers.chat]
plugin = "webhook"
url = "{url}"
retry_wait = 0.01
"""


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    levels = {name: logging.getLogger(name).level for name in ("", "httpx", "httpcore")}
    configure_log("debug", "json", stream)
    yield stream
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


async def test_in_a_node_failures_are_tried_again_refusals_are_not_and_no_log_tells_the_url(
    tmp_path: Path, service: Service, log: io.StringIO
) -> None:
    service.answers = [
        (500, {}, b""),
        (429, {"retry-after": "1"}, b""),
        (200, {}, b"ok"),
        (400, {}, b"invalid_payload"),
    ]
    ended: list[tuple[str, bool]] = []
    changed = trio.Event()

    class Watches:
        @voeflow.hookimpl
        def event_delivered(self, event: voeflow.Event) -> None:
            ended.append((event.ivorn, False))
            changed.set()

        @voeflow.hookimpl
        def delivery_failed(self, event: voeflow.Event, dead: bool) -> None:
            if dead:
                ended.append((event.ivorn, True))
                changed.set()

    toml = PIPELINE.replace("{url}", service.url)
    async with running(tmp_path, toml, [Watches()]) as (pipeline, _):
        for number in (1, 2):
            changed = trio.Event()
            await pipeline.transports["in"].instance.node.submit(voevent(f"ivo://a.bc/d#{number}"))
            with trio.fail_after(60):
                await changed.wait()
    assert ended == [("ivo://a.bc/d#1", False), ("ivo://a.bc/d#2", True)]
    ids = [headers.get("user-agent") for _, headers, _ in service.requests]
    assert ids == ["voeflow"] * 4
    store = Store.open(tmp_path / "voeflow.db")
    (dead,) = select_dead(store, Selection())
    store.close()
    assert (dead.attempts, "answered 400: invalid_payload" in dead.reason) == (1, True)
    told = log.getvalue()
    assert "delivery failed" in told
    assert "delivery put off" in told
    assert "sesame" not in told
