"""The envelope of Hopskotch's messages, as hop-client 0.13 writes and reads it.

What a message is says its header `_format`: a packet (`voevent`), `json`, `blob` and some more. Messages
without that header may be of an old hop-client, which wrapped them: `{"format": "json", "content": {...}}`.

A header `_test`, whatever its value, marks what is to be taken for a test; `_id` (16 bytes, a UUID) and
`_sender` are for those who look.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import attrs

import voeflow

from ._hop_voevent import packet_of
from ._message import Message, Packet, Passed, Refused, SignOfLife, Told, Understood, is_xml

#: Where Hopskotch shows that it is alive.
HEARTBEAT = "sys.heartbeat"

#: What the other formats are; `external` is apart.
_MEDIA_TYPES = {
    "json": "application/json",
    "circular": "application/json",
    "avro": "application/avro",
    "gcntextnotice": "text/plain",
    "blob": "application/octet-stream",
}

#: The start of a packet that hop-client takes for one: it looks for a voe:VOEvent, prefix and all.
_VOE = re.compile(rb"<voe:VOEvent[\s>]")
_OTHER_NAMESPACE = re.compile(rb"<voe:VOEvent\s[^>]*\bxmlns\s*=")

#: A namespace of UUIDs of ours, made for this purpose at random.
_IDS = uuid.UUID("0a3ee1a6-52e3-4b0e-9a5a-8b4b5a3c1f52")

#: What becomes of messages that are marked as tests.
Tests: TypeAlias = Literal["drop", "keep"]


def understand(message: Message, *, tests: Tests, mapping: str = "") -> Understood:
    """Say what a message of Hopskotch is.

    A packet that an old hop-client had made JSON of is a packet again. A packet that is marked as a test but
    does not itself say so is refused where tests are kept, and so is a notice of which no test is made: the
    role is all that tells a test from the real thing further on.

    Args:
        message: the message.
        tests: what becomes of those that are marked as tests.
        mapping: the one mapping that notices are for; empty for those whose topics fit.
    """
    if message.topic == HEARTBEAT:
        return SignOfLife()
    if message.value is None:
        return Refused("it has no content: a tombstone, and voeflow forgets no event")
    marked = "_test" in message.headers
    if marked and tests == "drop":
        return Passed()
    found = _unwrapped(message, message.value, mapping)
    if marked and isinstance(found, Packet):
        return _of_role_test(found)
    if marked and isinstance(found, Told):
        return attrs.evolve(found, check=_no_test)
    return found


def _of_role_test(packet: Packet) -> Packet | Refused:
    try:
        event = voeflow.Event.parse(packet.raw, max_bytes=len(packet.raw))
    except voeflow.EventError:
        return packet  # the node says what is wrong with it
    reason = _no_test(event)
    return Refused(reason) if reason else packet


def _no_test(event: voeflow.Event) -> str:
    """Say what is wrong with an event whose message is marked as a test; nothing if it is one."""
    if event.role == "test":
        return ""
    role = voeflow.printable(event.role, 20)
    return f"its header marks it as a test, but its role is {role}: it would pass for the real thing"


def _unwrapped(message: Message, value: bytes, mapping: str) -> Understood:
    form = message.headers.get("_format", b"").decode("utf-8", "replace").lower()
    if form == "external":
        return Refused(
            "the message itself is kept elsewhere (hop-client's format external), and voeflow does not fetch"
            " what a message points to"
        )
    if is_xml(value):
        return Packet(value)
    try:
        if form == "voevent":
            return _made(voeflow.Notice(value).json)
        if not form and _is_json(value):
            wrapped = voeflow.Notice(value).json
            if isinstance(wrapped, Mapping) and {"format", "content"} <= wrapped.keys():
                if wrapped["format"] == "voevent":
                    return _made(wrapped["content"])
                value = _as_bytes(wrapped["content"])
    except voeflow.EventError as error:
        return Refused(str(error))
    if form in ("", "blob") and _is_json(value):
        form = "json"
    kind = _MEDIA_TYPES.get(form, "application/octet-stream")
    return Told(voeflow.Notice(value, message.topic, message.key, message.headers, kind), mapping)


def _is_json(value: bytes) -> bool:
    return value[:1024].lstrip()[:1] in (b"{", b"[")


def _as_bytes(content: Any) -> bytes:
    """Give JSON as bytes, the same for the same content: a notice is known again by its bytes."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _made(content: Any) -> Packet:
    if not isinstance(content, Mapping):
        raise voeflow.EventError("a VOEvent as JSON that is no object")
    return Packet(packet_of(content))


def headers_for(event: voeflow.Event, sender: str) -> list[tuple[str, bytes]]:
    """Give the headers with which hop-client reads a packet.

    Its format is `voevent` where hop-client can read it as one: its element has to be called `voe:VOEvent`
    and must not name another default namespace. Others go as `blob`, which is what they are to it.

    Args:
        event: the event.
        sender: the user's name at Hopskotch, or empty.

    Returns:
        `_id`, the same whenever the same packet is sent; `_sender`; `_test` for events of the role test;
        `_format`.
    """
    head = event.element[:4096]
    readable = _VOE.match(head) and not _OTHER_NAMESPACE.match(head)
    headers = [("_id", uuid.uuid5(_IDS, event.digest.hex()).bytes)]
    if sender:
        headers.append(("_sender", sender.encode()))
    if event.role == "test":
        headers.append(("_test", b"true"))
    headers.append(("_format", b"voevent" if readable else b"blob"))
    return headers
