"""Posting to an HTTP server, and what its answer means. Its URL may be a secret, and is never shown."""

from __future__ import annotations

import importlib.util
import logging
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs
import trio

import voeflow

if TYPE_CHECKING:
    import httpx

MISSING = "this handler needs httpx, which is not installed: pip install 'voeflow[webhook]'"

#: How much of an answer is read, in bytes: enough for the reason, which is all that is looked at.
ANSWER_MAX = 4096

#: How long is waited when a server says that it is too much now, and not until when; and the longest and
#: shortest that it may say, in seconds.
_SOON, _LONGEST, _SHORTEST = 30.0, 3600.0, 1.0

#: Answers that say "not now" (RFC 9110, sections 15.5.9 and 15.6; RFC 8470, section 5.2), and those after
#: which somebody may mend what is wrong with the address or the log-in, and the same message is taken.
_NOT_NOW = frozenset({408, 425})
_MENDABLE = frozenset({401, 402, 403, 404, 405, 407, 410})


class WebhookError(Exception):
    """A message that was not taken; says by which server, and what it answered."""


@attrs.frozen
class Server:
    """Where to post to.

    Attributes:
        url: the whole URL.
        shown: its scheme, host and port, which are no secret.
        local: whether it is this machine.
    """

    url: str = attrs.field(repr=False)
    shown: str
    local: bool


@attrs.frozen
class Answer:
    """What a server answered.

    Attributes:
        status: the status code.
        retry_after: the header of that name, or empty.
        text: the beginning of its body, printable.
    """

    status: int
    retry_after: str
    text: str


def read_url(url: voeflow.Secret) -> Server:
    """Read a URL.

    Raises:
        ValueError: it is none to post to; the message does not repeat it.
    """
    try:
        parts = urlsplit(url.reveal())
        port = parts.port
    except ValueError:
        raise ValueError('expected a URL such as "https://example.org/alerts", got another') from None
    if parts.scheme not in ("https", "http") or not parts.hostname or any(c.isspace() for c in url.reveal()):
        raise ValueError('expected a URL such as "https://example.org/alerts", got another')
    if "@" in parts.netloc:
        raise ValueError(
            "expected a URL without user and password; write"
            ' headers = { Authorization = "${NAME}" } beside it'
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown = f"{parts.scheme}://{voeflow.printable(host, 100)}{f':{port}' if port else ''}"
    return Server(url.reveal(), shown, parts.hostname in ("localhost", "127.0.0.1", "::1"))


def check_installed() -> None:
    """See that httpx is installed.

    Raises:
        ValueError: it is not; the message says what to do.
    """
    try:
        found = importlib.util.find_spec("httpx")
    except ValueError:  # a module without a spec stands in its place
        found = None
    if found is None:
        raise ValueError(MISSING)


def prepare() -> None:
    """Import httpx, and let it not write every URL to the log, as it does at the level `info`."""
    import httpx  # noqa: F401 - it takes a while: not at the first event

    logging.getLogger("httpx").setLevel(logging.WARNING)


async def post(
    server: Server, body: bytes, headers: Mapping[str, str], *, timeout: float, trust: ssl.SSLContext
) -> Answer:
    """Post once. Redirects are not followed: nobody but the operator says where alerts go.

    Args:
        server: where to.
        body: what.
        headers: with what.
        timeout: how long all of it may take, in seconds.
        trust: whose certificates are trusted.

    Raises:
        WebhookError: there was no answer.
    """
    import httpx

    try:
        with trio.fail_after(timeout):
            async with (
                httpx.AsyncClient(verify=trust, timeout=timeout, follow_redirects=False) as client,
                client.stream("POST", server.url, content=body, headers=dict(headers)) as response,
            ):
                return Answer(
                    response.status_code, response.headers.get("retry-after", ""), await _beginning(response)
                )
    except (trio.TooSlowError, httpx.TimeoutException):
        raise WebhookError(f"{server.shown} did not answer within {voeflow.show_seconds(timeout)}") from None
    except httpx.HTTPError as error:
        raise WebhookError(f"{server.shown}: {_why(error)}") from None  # the cause may tell the URL
    except (ValueError, httpx.InvalidURL):
        raise WebhookError(f"{server.shown}: the request cannot be made of its URL and headers") from None


async def _beginning(response: httpx.Response) -> str:
    read = bytearray()
    # To stop is to be cancelled at the next wait: httpx's generators, one in another, close in no other way.
    with trio.CancelScope() as enough:
        async for chunk in response.aiter_raw():
            read += chunk[:ANSWER_MAX]
            if len(read) >= ANSWER_MAX:
                enough.cancel()
    return voeflow.printable(" ".join(read[:ANSWER_MAX].decode(errors="replace").split()), 200)


def judge(server: Server, answer: Answer, now: float | None = None) -> None:
    """Say by raising what an answer means, unless it is that the message was taken.

    Args:
        server: who answered.
        answer: what it answered.
        now: seconds of Unix time; the clock's if left out.

    Raises:
        Later: it is too much for the server now: 429, or 503 with a `Retry-After`.
        GiveUp: the server has looked at the message and will not have it: 400, 413, 422 and the like.
        WebhookError: anything else; it may be mended by whoever runs the server or this node.
    """
    status = answer.status
    if 200 <= status < 300:
        return
    said = f"{server.shown} answered {status}" + (f": {answer.text}" if answer.text else "")
    if status == 429 or (status == 503 and answer.retry_after):
        raise voeflow.Later(_wait(answer.retry_after, time.time() if now is None else now), said)
    if 300 <= status < 400:
        raise WebhookError(f"{said}; redirects are not followed: give the address that it has moved to")
    if status in _MENDABLE:
        raise WebhookError(f"{said}; see whether the URL and what it needs to log in are still right")
    if 400 <= status < 500 and status not in _NOT_NOW:
        raise voeflow.GiveUp(said)
    raise WebhookError(said)


def _wait(text: str, now: float) -> float:
    """Read a `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3)."""
    wait = _SOON
    if text.strip().isascii() and text.strip().isdecimal():
        wait = float(text.strip()[:9])
    elif text:
        try:
            wait = parsedate_to_datetime(text).timestamp() - now
        except (ValueError, TypeError, OverflowError):
            wait = _SOON
    return min(max(wait, _SHORTEST), _LONGEST)


def _why(error: Exception) -> str:
    """Say why there is no answer, in words without the URL."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {voeflow.printable(cause.verify_message, 200)}"
        if isinstance(cause, OSError) and cause.strerror:
            return voeflow.printable(cause.strerror, 200)
        cause = cause.__cause__ or cause.__context__
    return voeflow.printable(f"no answer ({type(error).__name__})", 200)
