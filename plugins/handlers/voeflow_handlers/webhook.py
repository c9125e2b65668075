"""The `webhook` handler: events to a web service, or into a chat."""

from __future__ import annotations

import functools
import json
import re
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import attrs

import voeflow

from ._chat import TEXT_MAX, mattermost_text, slack_text
from ._facts import facts
from ._http import check_installed, judge, post, prepare, read_url
from ._signature import key_of, signed
from ._summary import check_template, fields

#: A header's name (RFC 9110, section 5.1), and those that are not the operator's to set.
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", re.ASCII)
_OURS = frozenset(
    {"content-length", "content-type", "host", "transfer-encoding", "connection"}
    | {"webhook-id", "webhook-timestamp", "webhook-signature"}
)


def _url(instance: object, attribute: attrs.Attribute[voeflow.Secret], url: voeflow.Secret) -> None:
    read_url(url)


def _key(
    instance: object, attribute: attrs.Attribute[voeflow.Secret | None], secret: voeflow.Secret | None
) -> None:
    if secret is not None:
        key_of(secret)


def _headers(
    instance: object,
    attribute: attrs.Attribute[dict[str, voeflow.Secret]],
    headers: dict[str, voeflow.Secret],
) -> None:
    for name, value in headers.items():
        if not _HEADER.fullmatch(name):
            raise ValueError(f"expected names of HTTP headers, got {name!r}")
        if name.lower() in _OURS:
            raise ValueError(f"the header {name} is set by this handler itself")
        if not value.reveal().isascii() or not value.reveal().isprintable():
            raise ValueError(f"expected printable ASCII as the value of {name}")


def _template(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    check_template(value)


def _readable(instance: object, attribute: attrs.Attribute[Path | None], path: Path | None) -> None:
    if path is not None:
        _trust(path)


@attrs.frozen
class Webhook:
    """Post each event to a web service, or as a message into a chat (Slack, Mattermost).

    `style` says what is sent: `json`, the event's facts with the names of `voeflow events show --format
    json`; `packet`, its bytes as received; `slack` or `mattermost`, a message made of the template `text`,
    with the fields that `email` has. What a packet says is escaped there: it sets nothing in bold and wakes
    nobody.

    With a `secret` (at least 24 bytes, or `whsec_` and base64) each request is signed as Standard Webhooks
    has it: the headers `webhook-id`, the same at every repeat; `webhook-timestamp`; and `webhook-signature`,
    an HMAC-SHA256 of both and the body. A receiver refuses what is unsigned, or older than five minutes, or
    has an id that it knows.

    The URL of a chat's webhook is a secret itself. It is never in a log or a message; keep it out of the
    pipeline, too. Certificates are verified, redirects are not followed, and proxies are taken from the
    environment (`HTTPS_PROXY`). An answer of 2xx is success. 429, or 503 with `Retry-After`, is asked again
    when it says, and counts as no failure. After 400, 413, 422 and the like, another try would end the same:
    a dead letter at once. Anything else is tried again as any delivery that fails.

    Needs httpx: pip install 'voeflow[webhook]'.

        [handlers.chat]
        plugin = "webhook"
        style  = "slack"
        url    = "${SLACK_WEBHOOK_URL}"
        text   = "{role} at {position}, {time}"
        when   = "svom and not test"

        [handlers.scheduler]
        plugin = "webhook"
        url    = "https://scheduler.example.org/alerts"
        secret = { file = "webhook-secret" }
    """

    url: voeflow.Secret = attrs.field(
        validator=_url,
        repr=False,
        metadata={"help": 'where to post to: "${NAME}" of the environment, { file = "path" } or the URL'},
    )
    style: Literal["json", "packet", "slack", "mattermost"] = attrs.field(
        default="json", metadata={"help": "what is sent: facts, the packet's bytes, or a message in a chat"}
    )
    text: str = attrs.field(
        default="{role}: {ivorn}\n{time}, {position}, error radius {error}\n{description}",
        validator=_template,
        metadata={"help": "a template for a message in a chat; for the fields see `email`"},
    )
    secret: voeflow.Secret | None = attrs.field(
        default=None,
        validator=_key,
        repr=False,
        metadata={"help": "what requests are signed with, at least 24 bytes; not signed if left out"},
    )
    headers: dict[str, voeflow.Secret] = attrs.field(
        factory=dict,
        validator=_headers,
        repr=False,
        metadata={"help": 'more headers, as { Authorization = "${TOKEN}" }'},
    )
    ca: Path | None = attrs.field(
        default=None,
        validator=_readable,
        metadata={"help": "a PEM file with an authority to trust, besides those of the machine"},
    )
    plain: bool = attrs.field(
        default=False,
        metadata={"help": "allow http:// to another machine, which anybody on the way can read"},
    )
    timeout: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(15.0),
        validator=attrs.validators.gt(voeflow.Seconds(0)),
        metadata={"help": "how long the whole request may take"},
    )

    def __attrs_post_init__(self) -> None:
        """Refuse to say aloud over a network what is meant for one receiver.

        Raises:
            ValueError: the URL is plain HTTP's, or httpx is not installed.
        """
        check_installed()
        server = read_url(self.url)
        if server.shown.startswith("http:") and not server.local and not self.plain:
            raise ValueError(f"{server.shown} can be read on the way; write https://, or plain = true")

    @functools.cached_property
    def _context(self) -> ssl.SSLContext:
        return _trust(self.ca)

    def start(self) -> None:
        """Get ready for the first request.

        Raises:
            ValueError: the authority's file cannot be used.
        """
        prepare()
        self._context  # noqa: B018 - reading a few hundred certificates takes a while

    async def handle(self, event: voeflow.Event, delivery: voeflow.Delivery) -> None:
        """Post an event.

        Raises:
            WebhookError: it was not taken.
            Later: it is too much for the server now.
            GiveUp: the server will not have it.
        """
        server = read_url(self.url)
        body, kind = self.body(event, delivery)
        headers = self.signed(body, kind, delivery.id, time.time())
        judge(server, await post(server, body, headers, timeout=self.timeout, trust=self._context))

    def body(self, event: voeflow.Event, delivery: voeflow.Delivery) -> tuple[bytes, str]:
        """Give what is sent for an event, and its media type."""
        if self.style == "packet":
            return event.raw, "application/xml"
        if self.style == "json":
            told = {**facts(event, delivery.id), "attempt": delivery.attempt}
        else:
            escape = slack_text if self.style == "slack" else mattermost_text
            told = {"text": self.text.format_map(fields(event, delivery.id, escape))[:TEXT_MAX]}
        return json.dumps(told, ensure_ascii=True).encode(), "application/json"

    def signed(self, body: bytes, kind: str, delivery: str, now: float) -> Mapping[str, str]:
        """Give the headers of a request.

        Args:
            body: what is sent.
            kind: its media type.
            delivery: the delivery's id.
            now: when it is sent, in seconds of Unix time.
        """
        own = {name: value.reveal() for name, value in self.headers.items()}
        signature = signed(key_of(self.secret), delivery, now, body) if self.secret is not None else {}
        return {"user-agent": "voeflow", **own, "content-type": kind, **signature}


def _trust(ca: Path | None) -> ssl.SSLContext:
    """Give what the machine trusts, and an authority besides.

    Raises:
        ValueError: its file cannot be used.
    """
    context = ssl.create_default_context()
    if ca is not None:
        try:
            context.load_verify_locations(ca)
        except OSError as error:  # ssl.SSLError is one
            raise ValueError(
                f"{ca} holds no certificate that can be used: {error.strerror or error}"
            ) from None
    return context
