"""What the `webhook` handler sends, and what it makes of an answer; no network."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import voeflow
from support.samples import voevent
from voeflow._command._facts import whole
from voeflow._store_records import StoredEvent
from voeflow_handlers._chat import mattermost_text, slack_text
from voeflow_handlers._facts import facts
from voeflow_handlers._http import Answer, Server, WebhookError, judge, read_url
from voeflow_handlers._signature import key_of, signed
from voeflow_handlers.webhook import Webhook

EVENT = voeflow.Event.parse(voevent(), source="authors")
DELIVERY = voeflow.Delivery(EVENT, "abc.hook")
URL = voeflow.Secret("https://hooks.example.org/services/T0/B0/sesame")
SERVER = Server(URL.reveal(), "https://hooks.example.org", local=False)


def hook(**options: Any) -> Webhook:
    return Webhook(URL, **options)


def test_json_has_the_names_and_values_of_events_show() -> None:
    stored = StoredEvent(
        EVENT.digest, EVENT.raw, EVENT.ivorn, EVENT.role, EVENT.version, EVENT.author,
        EVENT.date.isoformat() if EVENT.date else None, EVENT.received.timestamp(), "authors", True, 1, 0,
    )  # fmt: skip
    shown = whole(stored, EVENT)
    told = facts(EVENT, "abc.hook")
    assert told.pop("delivery") == "abc.hook"
    for not_here in ("defects", "attachments"):
        shown.pop(not_here)
    assert told == shown
    body, kind = hook().body(EVENT, DELIVERY)
    assert (json.loads(body)["attempt"], kind) == (1, "application/json")
    assert body.isascii()


def test_a_packet_is_sent_as_it_was_received() -> None:
    assert hook(style="packet").body(EVENT, DELIVERY) == (EVENT.raw, "application/xml")


def test_a_message_is_made_of_the_template() -> None:
    text = "{role} {param:SNR}, {param:Sun_Distance}, {param:Nothing} {{x}}"
    body, _ = hook(style="slack", text=text).body(EVENT, DELIVERY)
    assert json.loads(body) == {"text": "observation 12.5, 94.2 deg, unknown {x}"}


HOSTILE = voevent(
    body="<Who><AuthorIVORN>ivo://a.bc/d</AuthorIVORN></Who>"
    "<Description>&lt;!channel&gt; @all **loud** ![x](http://evil) &amp; `y`</Description>"
)


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("slack", "&lt;!channel&gt; @all **loud** ![x](http://evil) &amp; `y`"),
        ("mattermost", "\\<\\!channel\\> @\u200ball \\*\\*loud\\*\\* \\!\\[x\\]\\(http://evil\\) & \\`y\\`"),
    ],
)
def test_what_a_packet_says_means_nothing_to_a_chat(style: Any, expected: str) -> None:
    body, _ = hook(style=style, text="*{description}*").body(voeflow.Event.parse(HOSTILE), DELIVERY)
    assert json.loads(body)["text"] == f"*{expected}*"  # the operator's own asterisks stay


@given(st.text())
def test_no_text_mentions_anybody(text: str) -> None:
    assert "<" not in slack_text(text)
    assert all(after.startswith("\u200b") for after in mattermost_text(text).split("@")[1:])


def test_a_long_text_is_cut_to_what_a_chat_takes() -> None:
    body, _ = hook(style="slack", text="{description}" * 9).body(
        voeflow.Event.parse(voevent(body=f"<Description>{'x' * 5000}</Description>")), DELIVERY
    )
    assert len(json.loads(body)["text"]) == 4000


# Signatures


def test_a_signature_is_as_standard_webhooks_has_it() -> None:
    # An example that libraries of receivers are tested with (docs.svix.com, "Verifying webhooks manually").
    key = key_of(voeflow.Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    headers = signed(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330.9, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_every_request_is_signed_anew_with_the_id_that_a_repeat_has_too() -> None:
    secret = "a" * 24
    handler = hook(secret=voeflow.Secret(secret))
    for now in (1_800_000_000.0, 1_800_000_900.0):
        headers = handler.signed(b"body", "text/plain", "abc.hook", now)
        told = f"abc.hook.{now:.0f}.body".encode()
        digest = hmac.new(secret.encode(), told, hashlib.sha256).digest()
        assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
        assert headers["webhook-id"] == "abc.hook"
    assert "webhook-signature" not in hook().signed(b"body", "text/plain", "abc.hook", 0.0)


# Answers


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_success_is_any_2xx(status: int) -> None:
    judge(SERVER, Answer(status, "", ""))


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("7", 7),
        ("0", 1),
        ("999999", 3600),
        ("9" * 5000, 3600),
        ("", 30),
        ("soon", 30),
        ("²", 30),
        ("-5", 30),
        ("Fri, 15 Jan 2027 08:01:00 GMT", 60),
        ("Fri, 15 Jan 2020 08:01:00 GMT", 1),
    ],
)
def test_too_many_requests_are_put_off_as_long_as_the_server_says(retry_after: str, seconds: float) -> None:
    with pytest.raises(voeflow.Later) as later:
        judge(SERVER, Answer(429, retry_after, "slow down"), now=1_800_000_000.0)
    assert later.value.seconds == pytest.approx(seconds)
    assert later.value.reason == "https://hooks.example.org answered 429: slow down"


def test_a_server_that_is_busy_is_asked_again_when_it_says_or_else_as_any_that_fails() -> None:
    with pytest.raises(voeflow.Later):
        judge(SERVER, Answer(503, "120", ""))
    with pytest.raises(WebhookError, match=r"answered 503$"):
        judge(SERVER, Answer(503, "", ""))


@pytest.mark.parametrize("status", [400, 406, 409, 413, 415, 422, 451])
def test_a_message_that_is_refused_is_given_up(status: int) -> None:
    with pytest.raises(voeflow.GiveUp, match=f"answered {status}: invalid_payload"):
        judge(SERVER, Answer(status, "", "invalid_payload"))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (301, "give the address that it has moved to"),
        (307, "redirects are not followed"),
        (401, "what it needs to log in"),
        (403, "still right"),
        (404, "still right"),
        (408, "answered 408$"),
        (410, "still right"),
        (425, "answered 425$"),
        (500, "answered 500$"),
        (502, "answered 502$"),
        (100, "answered 100$"),
        (999, "answered 999$"),
    ],
)
def test_what_may_be_mended_is_tried_again(status: int, words: str) -> None:
    with pytest.raises(WebhookError, match=words):
        judge(SERVER, Answer(status, "", ""))


# Options


@pytest.mark.parametrize(
    "url",
    ["", "hooks.example.org/sesame", "ftp://x/sesame", "https://", "https://u:sesame@x/", "https://x:port/sesame",
     "https://x/ses ame", "http://x/sesame", "https://[sesame/"],
)  # fmt: skip
def test_a_bad_url_is_a_mistake_that_does_not_repeat_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"expected|plain = true") as mistake:
        Webhook(voeflow.Secret(url))
    assert "sesame" not in str(mistake.value)


@pytest.mark.parametrize("url", ["http://localhost:8000/x", "http://127.0.0.1/x", "http://[::1]:1/x"])
def test_plain_http_is_for_this_machine(url: str) -> None:
    assert read_url(voeflow.Secret(url)).local
    Webhook(voeflow.Secret(url))


@pytest.mark.parametrize("secret", ["short", "", "whsec_*", "whsec_c2hvcnQ="])
def test_a_secret_that_keeps_nothing_secret_is_a_mistake(secret: str) -> None:
    with pytest.raises(ValueError, match="expected") as mistake:
        hook(secret=voeflow.Secret(secret))
    assert not secret or secret not in str(mistake.value)


@pytest.mark.parametrize(
    "headers", [{"A b": "x"}, {"Webhook-Id": "x"}, {"Host": "x"}, {"X": "a\nb"}, {"X": "é"}, {"": "x"}]
)
def test_headers_that_cannot_be_sent_are_a_mistake(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"header|expected"):
        hook(headers={name: voeflow.Secret(value) for name, value in headers.items()})


@pytest.mark.parametrize("text", ["{nonsense}", "{param}", "{param:}", "{role!r}"])
def test_a_template_with_what_is_not_there_is_a_mistake(text: str) -> None:
    with pytest.raises(ValueError, match=r"field|expected"):
        hook(text=text)


def test_nothing_secret_is_in_what_it_shows_of_itself() -> None:
    handler = hook(secret=voeflow.Secret("s" * 30), headers={"Authorization": voeflow.Secret("sesame")})
    assert "sesame" not in repr(handler)
    assert "sss" not in repr(handler)
