"""The `email` handler: events in people's inboxes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime

import attrs
import structlog

import voeflow

from ._ceiling import Ceiling, Digest, Go, Hold, Told
from ._digest import MOST, Digests
from ._names import file_name
from ._smtp import check_address, parse_server, send
from ._summary import check_template, fields, headline, one_line

log = structlog.get_logger()

#: The longest subject in characters; few programs show more.
SUBJECT_MAX = 200

#: What a digest says of one event, at most, in characters.
ENTRY_MAX = 2000

# Seven bits, so that no server on the way needs an extension to carry it.
_POLICY = policy.SMTP.clone(cte_type="7bit")


def _addresses(instance: object, attribute: attrs.Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    if not value:
        raise ValueError('expected at least one address such as "duty@example.org", got none')
    for address in value:
        check_address(address)


def _address(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    check_address(value)


def _server(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    parse_server(value)


def _template(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    check_template(value)


def _username(instance: Email, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    if value is None:
        return
    if not value.isascii() or not value:
        raise ValueError("expected a name in ASCII: SMTP's log-in as spoken here has no other letters")
    if instance.password is None:
        raise ValueError('expected a password as well; write password = "${NAME}" or { file = "path" }')
    try:
        server = parse_server(instance.server)
    except ValueError:
        return  # told of `server` itself
    if not server.private:
        raise ValueError(
            f"{server} would get the password over the network for all to read;"
            ' write server = "smtp+starttls://..." or "smtps://..."'
        )


def _password(
    instance: Email, attribute: attrs.Attribute[voeflow.Secret | None], value: voeflow.Secret | None
) -> None:
    if value is None:
        return
    if instance.username is None:
        raise ValueError('expected a user name as well; write username = "..."')
    if not value or not value.reveal().isascii():
        raise ValueError("expected a password in ASCII that is not empty")


@attrs.frozen
class Email:
    """Mail each event to people: a summary to read, with the packet attached.

    For whoever must know at once. The summary says what it is, who says so, when and where it happened, with
    the parameters; subject and body may be written otherwise, as templates with these fields in braces:

        {ivorn} {role} {version} {author} {description} {concepts} {names} {importance} {date} {time}
        {position} {ra} {dec} {error} {frame} {parameters} {citations} {source} {received} {delivery}
        {summary} {param:NAME}

    One that the packet lacks reads `unknown`; the last is the value, with its unit, of the Param of that
    name. Nothing from a packet gets into a header but in the subject, as one line of printable text.

    When more than `ceiling` mails would go out in an hour, the rest is held back, and told in one digest
    after the hour. With `digest = "6 hours"` no event has a mail of its own: at 0, 6, 12 and 18 hours UTC
    those of the last stretch go out in one, earlier if there are `digest_max`. What is held back waits in the
    node's store, over any restart; at the worst it is told twice.

    A mail counts as delivered when the server takes it for at least one of its recipients;
    refused ones are told in the log. A server that is down is asked again, as any handler that fails is.

        [handlers.duty]
        plugin   = "email"
        to       = ["duty@example.org"]
        sender   = "voeflow@example.org"
        server   = "smtp+starttls://mail.example.org:587"
        username = "voeflow"
        password = "${VOEFLOW_MAIL_PASSWORD}"
        subject  = "{role} at {position}"
        when     = "svom and not test"
    """

    to: tuple[str, ...] = attrs.field(
        validator=_addresses,
        metadata={"help": "who gets the mails: one address or a list", "one_or_many": True},
    )
    sender: str = attrs.field(
        validator=_address,
        metadata={"help": "the address that the mails come from, and that failures are reported to"},
    )
    server: str = attrs.field(
        default="smtp://localhost:25",
        validator=_server,
        metadata={"help": "smtp://HOST:PORT, smtp+starttls://HOST:PORT or smtps://HOST:PORT"},
    )
    username: str | None = attrs.field(
        default=None,
        validator=_username,
        metadata={"help": "the user name for the server, if it wants one"},
    )
    password: voeflow.Secret | None = attrs.field(
        default=None,
        validator=_password,
        repr=False,
        metadata={"help": 'the password for it: "${NAME}" of the environment or { file = "path" }'},
    )
    subject: str = attrs.field(
        default="[voeflow] {role}: {ivorn}",
        validator=_template,
        metadata={"help": "a template for the subject; for the fields see above"},
    )
    body: str = attrs.field(
        default="{summary}\n",
        validator=_template,
        metadata={"help": "a template for the body; for the fields see above"},
    )
    ceiling: int = attrs.field(
        default=20,
        validator=attrs.validators.ge(0),
        metadata={
            "help": "the most mails in an hour, besides one digest of what was held back; 0 for no limit"
        },
    )
    digest: voeflow.Seconds | None = attrs.field(
        default=None,
        validator=attrs.validators.optional(attrs.validators.ge(voeflow.Seconds(60))),
        metadata={
            "help": "one mail for all events of a stretch of time as long as this, by the clock, UTC; a mail"
            " for each event if left out"
        },
    )
    digest_max: int = attrs.field(
        default=100,
        validator=[attrs.validators.ge(1), attrs.validators.le(MOST)],
        metadata={"help": "how many events make a digest that is sent at once"},
    )
    digest_line: str = attrs.field(
        default="{time}  {role}  {position}\n    {ivorn}",
        validator=_template,
        metadata={"help": "a template for what a digest says of each event; for the fields see above"},
    )
    timeout: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(30.0),
        validator=attrs.validators.gt(voeflow.Seconds(0)),
        metadata={"help": "how long the server may take for any one answer"},
    )
    _hour: Ceiling = attrs.field(
        init=False,
        repr=False,
        eq=False,
        default=attrs.Factory(lambda self: Ceiling(self.ceiling), takes_self=True),
    )

    _digests: Digests | None = attrs.field(init=False, repr=False, eq=False)

    @_digests.default
    def _collecting(self) -> Digests | None:
        return Digests(self.digest, self.digest_max) if self.digest else None

    def handle(self, event: voeflow.Event, delivery: voeflow.Delivery) -> None:
        """Mail an event, or hold it back for a digest.

        Raises:
            Later: it is held back.
            MailError: the server did not take it.
        """
        self.handle_at(event, delivery, time.time())

    def handle_at(self, event: voeflow.Event, delivery: voeflow.Delivery, now: float) -> None:
        """Do as `handle` does, at a time given in seconds of Unix time."""
        if self._digests is not None:
            self._collect(self._digests, event, delivery, now)
            return
        match self._hour.ask(delivery.id, headline(event), now):
            case Hold(seconds):
                raise voeflow.Later(seconds, f"{self.ceiling} mails went out within the hour")
            case Digest() as digest:
                self._send(self._digest_message(digest, now), lambda: self._hour.untold(digest))
                self._hour.told(digest)
                self._hour.ask(delivery.id, "", now)  # this delivery is now done with, as the others will be
            case Go():
                self._send(self.message(event, delivery.id, now), self._hour.unsent)
            case Told():
                pass

    def _collect(
        self, digests: Digests, event: voeflow.Event, delivery: voeflow.Delivery, now: float
    ) -> None:
        entry = self.digest_line.format_map(fields(event, delivery.id))[:ENTRY_MAX]
        match digests.ask(delivery.id, entry, event.received.timestamp(), now):
            case Hold(seconds):
                raise voeflow.Later(seconds, "it is held back for a digest")
            case Digest() as digest:
                self._send(self._digest_of(digest, now), lambda: digests.untold(now))
                digests.told(digest)
                digests.ask(delivery.id, "", 0.0, now)  # this delivery is now done with
            case Told():
                pass

    def _digest_of(self, digest: Digest, now: float) -> EmailMessage:
        count = len(digest.ids)
        first, last = (datetime.fromtimestamp(moment, UTC) for moment in (digest.since, digest.until))
        same_day = first.date() == last.date()
        told = (
            f"{count} {'event' if count == 1 else 'events'} from {first:%Y-%m-%d %H:%M} to"
            f" {last:{'%H:%M' if same_day else '%Y-%m-%d %H:%M'}} UTC"
        )
        body = "\n".join([f"{told}:", "", *digest.lines, ""])
        return self._message(f"digest-{_name_of(digest)}", f"[voeflow] {told}", body, now)

    def message(self, event: voeflow.Event, delivery: str, now: float) -> EmailMessage:
        """Give the mail for an event, with the packet attached as it was received.

        Args:
            event: the event.
            delivery: the delivery's id, which the Message-ID is made of: servers may drop a repeat.
            now: when it is sent, in seconds of Unix time.
        """
        values = fields(event, delivery)
        message = self._message(delivery, self.subject.format_map(values), self.body.format_map(values), now)
        message.add_attachment(
            event.raw, maintype="application", subtype="xml", filename=file_name(event.ivorn, event.digest)
        )
        return message

    def _digest_message(self, digest: Digest, now: float) -> EmailMessage:
        first, last = (datetime.fromtimestamp(moment, UTC) for moment in (digest.since, digest.until))
        count = len(digest.ids)
        held = (
            f"held back {count} {'alert' if count == 1 else 'alerts'}"
            f" between {first:%H:%M} and {last:%H:%M} UTC"
        )
        more = count - len(digest.lines)
        body = "\n".join(
            [
                f"voeflow {held} ({first:%Y-%m-%d}):",
                f"more than {self.ceiling} mails would have gone out within an hour.",
                "They were received, kept and handed to everything else as always:",
                "",
                *digest.lines,
                *([f"... and {more} more"] if more else []),
                "",
            ]
        )
        return self._message(f"digest-{_name_of(digest)}", f"[voeflow] {held}", body, now)

    def _message(self, name: str, subject: str, body: str, now: float) -> EmailMessage:
        message = EmailMessage(policy=_POLICY)
        message["From"] = self.sender
        message["To"] = ", ".join(self.to)
        message["Subject"] = _header_text(subject)
        message["Date"] = format_datetime(datetime.fromtimestamp(int(now), UTC))
        message["Message-ID"] = f"<{name}@{self.sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes, please
        message.set_content(body, cte="quoted-printable")
        return message

    def _send(self, message: EmailMessage, failed: Callable[[], None]) -> None:
        login = None
        if self.username is not None and self.password is not None:
            login = (self.username, self.password)
        try:
            refused = send(
                parse_server(self.server),
                message,
                sender=self.sender,
                to=self.to,
                login=login,
                timeout=self.timeout,
            )
        except BaseException:
            failed()
            raise
        for address, answer in refused.items():
            log.warning("the mail server refused a recipient", recipient=address, answer=answer)


def _name_of(digest: Digest) -> str:
    """Name a digest by what is in it, so that the same one sent twice is known for that."""
    return hashlib.sha256("\n".join(digest.ids).encode()).hexdigest()[:32]


def _header_text(text: str) -> str:
    """Make text fit for a header: one printable line in which nothing is an encoded word (RFC 2047).

    Python's email package decodes encoded words in what it is given: with 3.11, `=?utf-8?q?=0D=0ABcc:_x?=`,
    every letter of it printable, becomes a header of its own.
    """
    return one_line(text, SUBJECT_MAX).replace("=?", "= ?")
