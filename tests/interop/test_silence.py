"""A node whose upstream falls silent mails an alarm, and mails that it is over, also after a restart."""

from __future__ import annotations

import email
import email.policy
import queue
import signal
from collections.abc import Iterator
from email.message import EmailMessage

import attrs
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

import voeflow
from interop.processes import PATIENCE
from interop.stage import Stage
from support.mail import MailController
from support.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.slow]

UPSTREAM = """\
ivoid = "ivo://org.example/upstream"
[transports.public]
plugin = "vtp-broadcast"
listen = "127.0.0.1:0"
alive_interval = "0.3 s"
alive_patience = 1000
test_interval = "0"
"""

NODE = """\
ivoid = "ivo://org.example/voeflow"
[transports.upstream]
plugin = "vtp-subscribe"
remote = "127.0.0.1:@PORT@"
reconnect_max = "1 s"
silent_after = "3 s"
[handlers.duty]
plugin = "email"
to = "duty@example.org"
sender = "voeflow@example.org"
server = "smtp://127.0.0.1:@MAIL@"
sources = ["node"]
"""


@attrs.define
class Mailbox:
    """A mail server's memory."""

    port: int = attrs.field(factory=free_port)
    _mails: queue.Queue[EmailMessage] = attrs.field(factory=queue.Queue)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self._mails.put(message)
        return "250 OK"

    def next(self) -> tuple[str, voeflow.Event]:
        """Wait for a mail; give its text, and the event that is attached to it."""
        message = self._mails.get(timeout=PATIENCE)
        body = message.get_body()
        assert body is not None
        (attached,) = message.iter_attachments()
        packet = attached.get_content()
        event = voeflow.Event.parse(packet if isinstance(packet, bytes) else packet.encode())
        return " ".join(body.get_content().split()), event

    @property
    def empty(self) -> bool:
        return self._mails.empty()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    controller = MailController(mailbox, hostname="127.0.0.1", port=mailbox.port, ready_timeout=PATIENCE)
    controller.start()
    yield mailbox
    controller.stop()


def test_an_upstream_that_falls_silent_is_mailed_once_and_so_is_its_return(
    stage: Stage, mailbox: Mailbox
) -> None:
    upstream = stage.node(UPSTREAM, name="upstream")
    pipeline = NODE.replace("@PORT@", str(upstream.port("public"))).replace("@MAIL@", str(mailbox.port))
    node = stage.node(pipeline)
    node.wait_until_told("subscribed")
    assert stage.command("sources", stage.room("node") / "pipeline.toml").status == 0

    upstream.signal(signal.SIGSTOP)
    text, alarm = mailbox.next()
    assert "transports.upstream of ivo://org.example/voeflow has heard nothing since" in text
    assert (alarm.role, alarm.valid, alarm.params["source"].value) == ("utility", True, "upstream")
    shown = stage.command("sources", stage.room("node") / "pipeline.toml")
    assert shown.status == 1, shown

    node.signal(signal.SIGKILL)  # the alarm was raised, and is not raised again
    node.wait()
    node = stage.node(pipeline)
    upstream.signal(signal.SIGCONT)
    text, clearing = mailbox.next()
    if clearing.ivorn == alarm.ivorn:  # a mail that was taken just before the kill may come once more
        text, clearing = mailbox.next()
    assert "hears again" in text
    assert clearing.citations == (voeflow.Citation(alarm.ivorn, "supersedes"),)
    assert mailbox.empty
    node.wait_until_told("source is heard again")
    assert not any(record["event"] == "source is silent" for record in node.records())
    node.stop()
