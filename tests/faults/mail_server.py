"""A mail server that does as it is told, and remembers which mails it has taken."""

from __future__ import annotations

import asyncio
import email
import email.policy
import threading
from collections.abc import Callable
from typing import Self

import attrs
from aiosmtpd.smtp import SMTP, Envelope, Session

from support.mail import MailController
from support.ports import free_port


@attrs.define
class Mail:
    """A mail that the server has taken.

    Attributes:
        subject: its subject; the pipelines here have the event's IVORN in it.
        message_id: its Message-ID.
        told: whether the sender has read that: only then does it take its leave. That the answer was sent is
            not enough, as the sender may have given up at that very moment.
    """

    subject: str
    message_id: str
    told: bool = False


@attrs.frozen
class Behaviour:
    """What the server does with a mail.

    Attributes:
        answer: what it answers; a code other than 250 means that it does not take it.
        delay: how long it keeps its answer to itself, in seconds.
    """

    answer: str = "250 taken"
    delay: float = 0.0


def _take_all(message_id: str, attempt: int) -> Behaviour:
    return Behaviour()


@attrs.define(eq=False)
class MailServer:
    """A mail server; as a context it is up from the beginning, and down at the end.

    Attributes:
        behave: says what is done with a mail, from its Message-ID and from how often it has come, from 1.
    """

    behave: Callable[[str, int], Behaviour] = _take_all
    port: int = attrs.field(factory=free_port)
    _taken: list[Mail] = attrs.field(factory=list, init=False)
    _came: dict[str, int] = attrs.field(factory=dict, init=False)
    _read: dict[Session, Mail] = attrs.field(factory=dict, init=False)  # once the sender takes its leave
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _controller: MailController | None = attrs.field(default=None, init=False)

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def up(self) -> None:
        """Take connections."""
        if self._controller is None:
            self._controller = MailController(self, hostname="127.0.0.1", port=self.port, ready_timeout=30)
            self._controller.start()

    def down(self) -> None:
        """Take none, and end those that there are."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def taken(self) -> list[Mail]:
        """Give the mails so far."""
        with self._lock:
            return list(self._taken)

    def ivorns(self) -> list[str]:
        """Give the IVORNs of the events in the mails so far."""
        return [mail.subject for mail in self.taken()]

    def came(self, message_id: str) -> int:
        """Give how often a mail has come, taken or not."""
        with self._lock:
            return self._came.get(message_id, 0)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Take a mail, or not; where the sender does not wait for the answer this is cancelled."""
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=email.policy.default)
        message_id = str(message["Message-ID"])
        with self._lock:
            attempt = self._came[message_id] = self._came.get(message_id, 0) + 1
        behaviour = self.behave(message_id, attempt)
        mail = Mail(str(message["Subject"]), message_id)
        taken = behaviour.answer.startswith("250")
        if taken:
            with self._lock:
                self._taken.append(mail)
        await asyncio.sleep(behaviour.delay)
        if taken:
            self._read[session] = mail
        return behaviour.answer

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Note that the sender has read the answer to its mail."""
        if (mail := self._read.pop(session, None)) is not None:
            mail.told = True
        return "221 good bye"
