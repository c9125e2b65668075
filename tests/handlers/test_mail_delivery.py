"""The `email` handler against a real mail server (aiosmtpd), plain, with STARTTLS and over TLS."""

from __future__ import annotations

import asyncio
import email
import email.policy
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import attrs
import pytest
import structlog
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

import voeflow
from support.mail import MailController
from support.samples import voevent
from voeflow_handlers._smtp import MailError
from voeflow_handlers.mail import Email

NOON = 1_800_000_000.0
HOUR = 3600.0


@attrs.define
class Mailbox:
    """What a server does: keeps what it takes, refuses whom it is told to refuse."""

    refused: tuple[str, ...] = ()
    answer: str = "250 OK"
    envelopes: list[Envelope] = attrs.field(factory=list)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 no such \x1b[31muser"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        if self.answer.startswith("250"):
            self.envelopes.append(envelope)
        return self.answer

    @property
    def messages(self) -> list[EmailMessage]:
        parsed = []
        for envelope in self.envelopes:
            assert isinstance(envelope.content, bytes)
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            parsed.append(message)
        return parsed


class OnAnyPort(MailController):
    """A controller that listens where there is room."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]  # aiosmtpd's


Serve = Callable[..., int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers; give their ports."""
    started: list[MailController] = []

    def start(mailbox: Mailbox, **options: Any) -> int:
        controller = OnAnyPort(mailbox, hostname="127.0.0.1", port=0, ready_timeout=60.0, **options)
        controller.start()
        started.append(controller)
        return int(controller.port)

    yield start
    for controller in started:
        controller.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    command = f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split()
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "certificate.pem", folder / "key.pem"


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture
def trusted(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))


def mailer(port: int, scheme: str = "smtp", **options: Any) -> Email:
    options.setdefault("to", ("duty@example.org",))
    options.setdefault("timeout", 60.0)
    return Email(sender="voeflow@example.org", server=f"{scheme}://localhost:{port}", **options)


def delivered(n: int = 1) -> voeflow.Delivery:
    event = voeflow.Event.parse(voevent(ivorn=f"ivo://obspm.gepi/svom#trigger-{n}"))
    return voeflow.Delivery(event, f"delivery-{n}")


def give(handler: Email, n: int = 1, now: float = NOON) -> None:
    delivery = delivered(n)
    handler.handle_at(delivery.event, delivery, now)


def test_a_mail_arrives_with_its_packet(serve: Serve) -> None:
    mailbox = Mailbox()
    handler = mailer(serve(mailbox), to=("duty@example.org", "night@example.org"))
    delivery = delivered()
    handler.handle(delivery.event, delivery)
    (envelope,), (message,) = mailbox.envelopes, mailbox.messages
    assert envelope.mail_from == "voeflow@example.org"
    assert envelope.rcpt_tos == ["duty@example.org", "night@example.org"]
    assert message["Subject"] == "[voeflow] observation: ivo://obspm.gepi/svom#trigger-1"
    (attachment,) = message.iter_attachments()
    assert attachment.get_payload(decode=True) == delivery.event.raw


def test_a_line_of_one_dot_does_not_end_a_mail(serve: Serve) -> None:
    mailbox = Mailbox()
    give(mailer(serve(mailbox), body=".\n{ivorn}\n.\nQUIT\n"))
    body = mailbox.messages[0].get_body()
    assert body is not None
    assert body.get_content().split() == [".", "ivo://obspm.gepi/svom#trigger-1", ".", "QUIT"]


def authenticated(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
) -> AuthResult:
    return AuthResult(success=data == LoginPassword(b"voeflow", b"hunter2"), handled=False)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("scheme", ["smtp+starttls", "smtps"])
def test_tls_and_a_password(serve: Serve, tls: ssl.SSLContext, scheme: str) -> None:
    mailbox = Mailbox()
    if scheme == "smtps":  # which aiosmtpd does not know for TLS, and warns if it asks for a password without
        port = serve(mailbox, ssl_context=tls, authenticator=authenticated, auth_require_tls=False)
    else:
        port = serve(mailbox, tls_context=tls, authenticator=authenticated, require_starttls=True)
    give(mailer(port, scheme, username="voeflow", password=voeflow.Secret("hunter2")))
    assert len(mailbox.messages) == 1
    with pytest.raises(MailError, match="refused username and password: 535") as failed:
        give(mailer(port, scheme, username="voeflow", password=voeflow.Secret("other")))
    assert "other" not in str(failed.value)


@pytest.mark.parametrize("scheme", ["smtp+starttls", "smtps"])
def test_a_certificate_that_is_not_trusted_ends_it(serve: Serve, tls: ssl.SSLContext, scheme: str) -> None:
    mailbox = Mailbox()
    options = {"ssl_context": tls} if scheme == "smtps" else {"tls_context": tls}
    port = serve(mailbox, **options)
    with pytest.raises(MailError, match=r"certificate is not trusted: self.signed certificate"):
        give(mailer(port, scheme))
    assert not mailbox.messages


def test_a_server_without_starttls_gets_nothing(serve: Serve) -> None:
    mailbox = Mailbox()
    with pytest.raises(MailError, match="STARTTLS extension not supported"):
        give(mailer(serve(mailbox), "smtp+starttls"))
    assert not mailbox.messages


def test_a_refused_recipient_is_told_and_the_others_get_it(serve: Serve) -> None:
    mailbox = Mailbox(refused=("gone@example.org",))
    handler = mailer(serve(mailbox), to=("duty@example.org", "gone@example.org"))
    with structlog.testing.capture_logs() as logs:
        give(handler)
    assert [envelope.rcpt_tos for envelope in mailbox.envelopes] == [["duty@example.org"]]
    assert logs == [
        {
            "event": "the mail server refused a recipient",
            "log_level": "warning",
            "recipient": "gone@example.org",
            "answer": r"550 no such \x1b[31muser",
        }
    ]


def test_when_every_recipient_is_refused_it_is_a_failure(serve: Serve) -> None:
    handler = mailer(serve(Mailbox(refused=("duty@example.org",))))
    with pytest.raises(
        MailError, match=r"refused every recipient: duty@example.org \(550 no such "
    ) as failed:
        give(handler)
    assert str(failed.value).isprintable()


def test_what_the_server_answers_is_told(serve: Serve) -> None:
    with pytest.raises(MailError, match="answered 451 the disk is full"):
        give(mailer(serve(Mailbox(answer="451 the disk is full"))))


def test_a_server_that_is_down_is_a_failure_that_names_it() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # held, so that nobody else listens there
        port = deaf.getsockname()[1]
        with pytest.raises(MailError, match=f"smtp://localhost:{port}: Connection refused"):
            give(mailer(port))


def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(MailError, match=r"timed out|unexpectedly closed"),
    ):
        give(mailer(silent.getsockname()[1], timeout=0.05))


def test_above_the_ceiling_one_digest_tells_what_was_held_back(serve: Serve) -> None:
    mailbox = Mailbox()
    handler = mailer(serve(mailbox), ceiling=2)
    for n in range(2):
        give(handler, n)
    for n in range(2, 5):
        with pytest.raises(voeflow.Later, match="2 mails went out within the hour") as later:
            give(handler, n, NOON + 60)
        assert later.value.seconds == HOUR - 60
    for n in range(2, 5):
        give(handler, n, NOON + HOUR)
    assert len(mailbox.messages) == 3
    digest = mailbox.messages[-1]
    assert digest["Subject"].startswith("[voeflow] held back 3 alerts between ")
    assert digest["Message-ID"].startswith("<digest-")
    body = digest.get_body()
    assert body is not None
    lines = body.get_content().splitlines()
    assert [f"trigger-{n} " in line for n, line in enumerate(lines[4:7], 2)] == [True] * 3
    assert not list(digest.iter_attachments())
    give(handler, 2, NOON + HOUR)  # a new delivery by now, as after a replay
    assert len(mailbox.messages) == 4


def test_a_digest_that_is_not_taken_is_tried_again(serve: Serve) -> None:
    mailbox = Mailbox()
    handler = mailer(serve(mailbox), ceiling=1)
    give(handler, 0)
    for n in (1, 2):
        with pytest.raises(voeflow.Later):
            give(handler, n)
    mailbox.answer = "451 later"
    with pytest.raises(MailError):
        give(handler, 1, NOON + HOUR)
    mailbox.answer = "250 OK"
    give(handler, 2, NOON + HOUR)
    give(handler, 1, NOON + HOUR)
    assert [message["Subject"].startswith("[voeflow] held back 2") for message in mailbox.messages] == [
        False,
        True,
    ]


def test_a_mail_that_is_not_taken_does_not_count(serve: Serve) -> None:
    mailbox = Mailbox(answer="451 later")
    handler = mailer(serve(mailbox), ceiling=1)
    for _ in range(3):
        with pytest.raises(MailError):
            give(handler)
    mailbox.answer = "250 OK"
    give(handler)
    assert len(mailbox.messages) == 1
