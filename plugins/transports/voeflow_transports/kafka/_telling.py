"""What librdkafka reports, in words: what is wrong, how to mend it, and each thing only now and then."""

from __future__ import annotations

import difflib
import logging
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

import attrs
import structlog

import voeflow
from voeflow_transports.vtp._sparingly import Sparingly

log = structlog.get_logger()

#: How often the same trouble with a connection is told, and with a topic, in seconds; librdkafka reports some
#: many times a second.
_TOLD_EVERY, _TOPIC_TOLD_EVERY = 300.0, 3600.0

#: How librdkafka says that it got no token because the endpoint has another certificate than it trusts, or
#: cannot be reached: by the code for a refused credential, which it is not, and in libcurl's words.
_OF_CERTIFICATE = re.compile(r"certificate|\bSSL\b", re.IGNORECASE)
_OF_NETWORK = re.compile(r"connect|resolve|timed? ?out", re.IGNORECASE)


@attrs.frozen(kw_only=True)
class Remedies:
    """What to do about what can go wrong, in words; a transport for one service knows better than these."""

    credentials: str = "see that the user and password, or the token, in `settings` are those of the broker"
    certificate: str = "set ssl.ca.location in `settings` to the certificate of the authority that signed it"
    topic: str | Callable[[str], str] = "see that it is spelt as the broker has it, or create it"
    permission: str = "let the broker's administrator permit it to this user"
    reach: str = "see that `servers` names the broker and that a firewall lets the connection through"
    tokens: str = "see that the token endpoint in `settings` is right and can be reached from here"

    def about_topic(self, name: str) -> str:
        """Say what to do about a topic that is not there."""
        return self.topic if isinstance(self.topic, str) else self.topic(name)


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
    _topics_told: Sparingly = attrs.field(factory=lambda: Sparingly(_TOPIC_TOLD_EVERY))
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
        elif kind in ("credentials", "certificate", "tokens"):
            self._lost(reason, kind)
        elif kind == "reach":
            self._reason = reason  # one broker of several: news only if it is all of them
            log.debug("a broker does not answer", transport=self.name, reason=reason)
        else:
            self.trouble(error)

    def trouble(self, error: Any, **facts: object) -> None:
        """Tell of something that does not end the connection, with what it is about."""
        kind = self._kind(error)
        reason = voeflow.printable(error.str() or str(error), 300)
        remedy = self._remedy(kind, str(facts.get("topic", "")))
        about, told = "trouble with Kafka", self._told
        if kind == "topic":
            about, told = "unknown topic", self._topics_told
        self._tell(about, str(error.code()) + str(facts), told, reason=reason, remedy=remedy, **facts)

    def missing(self, topic: str, existing: Iterable[str]) -> None:
        """Tell that a topic is not among those of the brokers; some make one when it is first written to."""
        if self._topics_told.due(topic, time.monotonic()) is not None:
            near = nearest(topic, existing)
            shown = {"nearest": near} if near else {}
            remedy = self.remedies.about_topic(topic)
            log.warning("topic is not there yet", transport=self.name, topic=topic, **shown, remedy=remedy)

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
        remedy = self._remedy(kind)
        self._tell(event, kind, self._told, servers=self.servers, reason=reason, remedy=remedy)

    def _tell(self, event: str, thing: str, told: Sparingly, **facts: object) -> None:
        more = told.due(f"{event} {thing}", time.monotonic())
        if more is not None:
            shown = {key: value for key, value in facts.items() if value != ""}
            log.error(event, transport=self.name, **shown, **({"unsaid": more} if more else {}))

    def _kind(self, error: Any) -> str:
        if not self._kinds:
            self._kinds = _codes(error)
        kind = self._kinds.get(error.code(), "")
        if kind == "credentials" and "token" in error.str():
            if _OF_CERTIFICATE.search(error.str()):
                return "certificate"
            if _OF_NETWORK.search(error.str()):
                return "tokens"
        return kind

    def _remedy(self, kind: str, topic: str = "") -> str:
        if kind == "topic":
            return self.remedies.about_topic(topic)
        return str(getattr(self.remedies, kind)) if kind else ""


def nearest(topic: str, existing: Iterable[str]) -> str:
    """Give the topic of those there are that another may be meant for, or nothing."""
    return next(iter(difflib.get_close_matches(topic, list(existing), 1, 0.8)), "")


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
