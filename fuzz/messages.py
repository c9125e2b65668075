"""Transport messages: read or refused in words that can be shown; a shortcut reads nothing otherwise."""

from __future__ import annotations

from datetime import UTC, datetime

import voeflow
from voeflow_transports.vtp._frames import frame
from voeflow_transports.vtp._messages import (
    Message,
    is_transport,
    read_acks,
    read_message,
    write_authenticate,
    write_nak,
)


def one(data: bytes) -> None:
    is_transport(data)
    message = _read(data)
    origins = read_acks(frame(data))
    if origins is not None and message is not None:
        assert (message.role, [message.origin]) == ("ack", origins)
    read_acks(data)
    if message is None:
        return
    assert is_transport(data) or b"\0" in data[:4] or len(data) > 200
    answer = write_nak(message.origin or "", message.response or "", message.result or "", _clock)
    assert read_message(answer).role == "nak"
    asked = write_authenticate(message.origin or "", _clock, "ivo://a/b", message.filters)
    assert len(read_message(asked).filters) == len(message.filters)


def _read(data: bytes) -> Message | None:
    try:
        return read_message(data)
    except voeflow.EventError as error:
        assert voeflow.printable(str(error), 10_000) == str(error), str(error)
        return None


def _clock() -> datetime:
    return datetime(2026, 11, 24, tzinfo=UTC)
