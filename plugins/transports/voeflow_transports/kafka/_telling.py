"""What librdkafka reports, in words: what is wrong, how to mend it, and each thing only now and then."""

from __future__ import annotations

import logging
import time
from typing import Any

import attrs
import structlog

import voeflow
from voeflow_transports.vtp._sparingly import Sparingly

log = structlog.get_logger()

#: How often the same trouble is told, in seconds; librdkafka reports some many times a second.
_TOLD_EVERY = 300.0


@attrs.frozen(kw_only=True)
class Remedies:
    """What to do about what can go wrong, in words; a transport for one service knows better than these."""

    credentials: str = "see that the user and password, or the token, in `settings` are those of the broker"
    certificate: str = "set ssl.ca.location in `settings` to the certificate of the authority that signed it"
    topic: str = "see that it is spelt as the broker has it, or create it"
    permission: str = "let the broker's administrator permit it to this user"
    reach: str = "see that `servers` names the broker and that a firewall lets the connection through"


def _codes(error: Any) -> dict[int, str]:
    """Give the kind of trouble by librdkafka's codes."""
    kinds = {
        "credentials": ("_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED", "UNSUPPORTED_SASL_MECHANISM"),
        "certificate": ("_SSL",),
        "topic": ("UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION", "TOPIC_EXCEPTION"),
        "permission": (
            "TOPIC_AUTHORIZATION_FAILED",
            "GROUP_AUTHORIZATION_FAILED",
            "CLUSTER_AUTHORIZATION_FAILED",
        ),
        "reach": ("_TRANSPORT", "_RESOLVE", "_ALL_BROKERS_DOWN", "_TIMED_OUT", "NETWORK_EXCEPTION"),
    }
    return {getattr(error, name): kind for kind, names in kinds.items() for name in names}


@attrs.define(eq=False)
class Telling:
    """Follows one client's connection, and tells of it; called from its worker thread.

    Attributes:
        servers: the brokers, as told in the log.
        remedies: what to do about what goes wrong.
        up: whether the brokers answer; None before that is known.
        fatal: why this client is of no more use, or empty.
    """

    name: str
    servers: str
    remedies: Remedies
    up: bool | None = None
    fatal: str = ""
    _reason: str = ""
    _why: str = ""
    _told: Sparingly = attrs.field(factory=lambda: Sparingly(_TOLD_EVERY))
    _kinds: dict[int, str] = attrs.field(factory=dict)

    def connected(self) -> None:
        """Note that a broker answered."""
        if not self.up:
            log.info("connected", transport=self.name, servers=self.servers)
        self.up = True

    def error(self, error: Any) -> None:
        """Note an error of the client as a whole: librdkafka's `error_cb`."""
        kind = self._kind(error)
        reason = voeflow.printable(error.str() or str(error), 300)
        if error.fatal():
            self.fatal = reason
        elif error.code() == error._ALL_BROKERS_DOWN:
            if self.up is not False or self._why == "reach":  # else why is known, and told
                self._lost(self._reason or reason, "reach")
        elif kind in ("credentials", "certificate"):
            self._lost(reason, kind)
        elif kind == "reach":
            self._reason = reason  # one broker of several: news only if it is all of them
            log.debug("a broker does not answer", transport=self.name, reason=reason)
        else:
            self.trouble(error)

    def trouble(self, error: Any, **facts: object) -> None:
        """Tell of something that does not end the connection, with what it is about."""
        remedy = self._remedy(self._kind(error))
        reason = voeflow.printable(error.str() or str(error), 300)
        about = "unknown topic" if self._kind(error) == "topic" else "trouble with Kafka"
        self._tell(about, str(error.code()) + str(facts), reason=reason, remedy=remedy, **facts)

    def problem(self, error: Any) -> str:
        """Give an error and its remedy as one text, for what is told elsewhere."""
        remedy = self._remedy(self._kind(error))
        reason = voeflow.printable(error.str() or str(error), 300)
        return f"{reason}; {remedy}" if remedy else reason

    def logger(self) -> logging.Logger:
        """Make what librdkafka writes its own log to."""
        logger = logging.Logger(f"voeflow.kafka.{self.name}")
        logger.addHandler(_Handler(self.name))
        return logger

    def _lost(self, reason: str, kind: str) -> None:
        event = "connection lost" if self.up else "not connected"
        if self.up:
            self._told = Sparingly(_TOLD_EVERY)  # it is news again
        self.up, self._why = False, kind
        self._tell(event, kind, servers=self.servers, reason=reason, remedy=self._remedy(kind))

    def _tell(self, event: str, thing: str, **facts: object) -> None:
        more = self._told.due(f"{event} {thing}", time.monotonic())
        if more is not None:
            shown = {key: value for key, value in facts.items() if value != ""}
            log.error(event, transport=self.name, **shown, **({"unsaid": more} if more else {}))

    def _kind(self, error: Any) -> str:
        if not self._kinds:
            self._kinds = _codes(error)
        return self._kinds.get(error.code(), "")

    def _remedy(self, kind: str) -> str:
        return str(getattr(self.remedies, kind)) if kind else ""


class _Handler(logging.Handler):
    """Carries librdkafka's log into ours: for debugging, but for what nothing else reports."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._transport = name
        self._told = Sparingly(_TOLD_EVERY, most=20)

    def emit(self, record: logging.LogRecord) -> None:
        """Tell one line."""
        text = voeflow.printable(record.getMessage(), 400)
        if text.startswith("OFFSET") and record.levelno >= logging.WARNING:
            if self._told.due("offset", time.monotonic()) is not None:
                log.warning("what was to come next is no longer kept", transport=self._transport, reason=text)
        else:
            log.debug("librdkafka", transport=self._transport, text=text)
