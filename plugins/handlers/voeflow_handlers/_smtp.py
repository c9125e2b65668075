"""Handing a message to a mail server."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from email.message import EmailMessage
from typing import Literal
from urllib.parse import urlsplit

import attrs

import voeflow

#: The ways to a mail server, and their ports where none is given: relay between servers (RFC 5321),
#: submission with STARTTLS (RFC 6409, RFC 3207), submission over TLS (RFC 8314).
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}

_EXPECTED = 'expected "smtp://HOST:25", "smtp+starttls://HOST:587" or "smtps://HOST:465"'

#: An address without a display name (RFC 5321, section 4.1.2), in ASCII.
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.\[\]:-]{1,255}")


class MailError(Exception):
    """A mail that was not taken; says by which server, and what it answered."""


@attrs.frozen
class Server:
    """A mail server and the way to it.

    Attributes:
        scheme: plain, TLS after STARTTLS, or TLS from the start.
        host: its name or address.
        port: its port.
    """

    scheme: Literal["smtp", "smtp+starttls", "smtps"]
    host: str
    port: int

    @property
    def private(self) -> bool:
        """Whether nobody else can read what is said to it."""
        return self.scheme != "smtp" or self.host in ("localhost", "127.0.0.1", "::1")

    def __str__(self) -> str:
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def parse_server(url: str) -> Server:
    """Read a mail server's URL.

    Raises:
        ValueError: it is none, or holds a password; the message never repeats one.
    """
    if "@" in url:
        raise ValueError(
            'expected no user or password in the URL; write username = "..."'
            ' and password = "${NAME}" beside it'
        )
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise ValueError(f'{_EXPECTED}, got a bad port in "{url}"') from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f'{_EXPECTED}, got "{url}"')
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f'{_EXPECTED} and nothing after the port, got "{url}"')
    scheme: Literal["smtp", "smtp+starttls", "smtps"] = parts.scheme  # type: ignore[assignment]  # one of _PORTS
    return Server(scheme, parts.hostname, port or _PORTS[parts.scheme])


def check_address(address: str) -> None:
    """See that something is a mail address.

    Raises:
        ValueError: it is none.
    """
    if not _ADDRESS.fullmatch(address):
        raise ValueError(f'expected an address such as "duty@example.org", without a name, got "{address}"')


def send(
    server: Server,
    message: EmailMessage,
    *,
    sender: str,
    to: Sequence[str],
    login: tuple[str, voeflow.Secret] | None,
    timeout: float,
) -> Mapping[str, str]:
    """Hand over a message; blocks.

    Args:
        server: who takes it.
        message: the message, in ASCII.
        sender: where failures are reported to.
        to: who shall have it.
        login: user name and password, or None.
        timeout: how long any one answer may take, in seconds.

    Returns:
        The addresses that were refused, with the server's answers. At least one was not.

    Raises:
        MailError: nobody will get it from this attempt.
    """
    try:
        context = ssl.create_default_context()
        if server.scheme == "smtps":
            client: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=timeout, context=context
            )
        else:
            client = smtplib.SMTP(server.host, server.port, timeout=timeout)
        try:
            if server.scheme == "smtp+starttls":
                client.starttls(context=context)
            if login is not None:
                client.login(login[0], login[1].reveal())
            refused = client.send_message(message, sender, list(to))
            with suppress(
                OSError
            ):  # taken is taken, however the server takes leave; SMTPException is an OSError
                client.quit()
        finally:
            client.close()
    except OSError as error:
        raise MailError(f"{server}: {_why(error)}") from error
    return {address: _answer(*answer) for address, answer in refused.items()}


def _why(error: OSError) -> str:
    match error:
        case smtplib.SMTPSenderRefused():
            return f"refused the sender {error.sender}: {_answer(error.smtp_code, error.smtp_error)}"
        case smtplib.SMTPAuthenticationError():
            return f"refused username and password: {_answer(error.smtp_code, error.smtp_error)}"
        case smtplib.SMTPResponseException():
            return f"answered {_answer(error.smtp_code, error.smtp_error)}"
        case smtplib.SMTPRecipientsRefused():
            told = [f"{address} ({_answer(*answer)})" for address, answer in error.recipients.items()]
            return f"refused every recipient: {', '.join(told)}"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {voeflow.printable(error.verify_message)}"
    return voeflow.printable(error.strerror or str(error) or type(error).__name__)


def _answer(code: int, text: bytes | str) -> str:
    shown = text.decode(errors="replace") if isinstance(text, bytes) else text
    return voeflow.printable(f"{code} {shown}")
