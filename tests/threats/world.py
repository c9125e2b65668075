"""A real node among hostile peers, and the ordinary event that still has to go through."""

from __future__ import annotations

import itertools
import json
import re
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Self

from lxml import etree

from interop.processes import PATIENCE, NeverHappenedError
from interop.stage import Node, voeflow
from interop.wire import read_frame, role_of, send_frame
from support.samples import voevent

#: How long an ordinary event may take from its author to a subscriber after an attack, in seconds.
SOON = 1.0

#: A machine that does other work besides may be slow once; an attack that still works is slow each time.
TRIES = 5

#: What no nak may tell of: what the node is written in, and how it failed.
_INSIDE = re.compile(
    r"\\n|\.py\b|Traceback|Error\b|lxml|libxml|sqlite|python|voeflow|<\w+ object", re.IGNORECASE
)


class World:
    """A node with a port for authors and one for subscribers, and a subscriber that means well.

    Args:
        directory: where the node runs.
        pipeline: its pipeline, with the transports `authors` and `public`.
        wrapper: a command that the node is run by, as strace.
    """

    def __init__(self, directory: Path, pipeline: str, wrapper: tuple[str, ...] = ()) -> None:
        (directory / "pipeline.toml").write_text(pipeline, encoding="utf-8")
        self.directory = directory
        command = [*wrapper, *voeflow("run", "pipeline.toml", "--log-format", "json", "--log-level", "debug")]
        self.node = Node("node", command, directory)
        self.node.wait_until_told("node ready")
        self.authors, self.public = self.node.port("authors"), self.node.port("public")
        self._numbers = itertools.count()
        self._had: dict[str, float] = {}
        self._changed = threading.Condition()
        self._reader = socket.create_connection(("127.0.0.1", self.public), PATIENCE)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.node.kill()
        self._reader.close()
        self._thread.join(PATIENCE)

    def author(self) -> socket.socket:
        """Connect as an author."""
        return socket.create_connection(("127.0.0.1", self.authors), PATIENCE)

    def subscriber(self) -> socket.socket:
        """Connect as a subscriber."""
        return socket.create_connection(("127.0.0.1", self.public), PATIENCE)

    def submit(self, payload: bytes) -> tuple[str | None, str]:
        """Submit a payload; give the role of the answer, None where the node closed, and what it says."""
        with self.author() as connection:
            send_frame(connection, payload)
            try:
                answer = read_frame(connection)
            except ConnectionError:
                answer = None
        if answer is None:
            return None, ""
        said = " ".join(etree.fromstring(answer).xpath("//Result//text()"))
        if role_of(answer) == "nak":
            assert said, "a nak without a reason"
            assert said.isprintable(), said
            assert len(said) <= 1000
            assert not _INSIDE.search(said), said
            for place in (self.directory, Path.cwd(), Path.home(), Path(sys.prefix)):
                assert str(place) not in said, said
        return role_of(answer), said

    def ordinary(self) -> None:
        """See that an ordinary event is acknowledged and reaches a subscriber, within a second.

        Raises:
            NeverHappenedError: none of `TRIES` did.
        """
        took = []
        for _ in range(TRIES):
            ivorn = f"ivo://org.example/ordinary#{next(self._numbers)}"
            began = time.monotonic()
            role, said = self.submit(voevent(ivorn))
            assert role == "ack", (said, self.node.transcript())
            with self._changed:
                there = self._changed.wait_for(lambda ivorn=ivorn: ivorn in self._had, PATIENCE)
            if not there:
                raise NeverHappenedError(f"the subscriber never had {ivorn}\n{self.node.transcript()}")
            took.append(self._had[ivorn] - began)
            if took[-1] < SOON:
                return
        raise NeverHappenedError(f"ordinary events took {took} s\n{self.node.transcript()}")

    def wait_until_broadcast(self, ivorn: str) -> None:
        """Wait until the subscriber that means well has an event."""
        with self._changed:
            assert self._changed.wait_for(lambda: ivorn in self._had, PATIENCE), self.node.transcript()

    def log_is_clean(self) -> None:
        """See that each line of the log is one printable JSON object, and tells of no bug of the node's."""
        for line in self.node.lines():
            assert line.isprintable(), line
            record = json.loads(line)
            assert "exception" not in record, line

    def _read(self) -> None:
        try:
            while (payload := read_frame(self._reader)) is not None:
                root = etree.fromstring(payload)
                role = root.get("role", "")
                if etree.QName(root).localname == "Transport":
                    origin, role = root.findtext("Origin", ""), role
                else:
                    origin, role = root.get("ivorn", ""), "ack"
                    with self._changed:
                        self._had[origin] = time.monotonic()
                        self._changed.notify_all()
                send_frame(self._reader, transport(role, origin))
        except (OSError, NeverHappenedError):
            return


def transport(role: str, origin: str = "ivo://org.example/peer", inside: str = "") -> bytes:
    """Write a Transport message as a peer does."""
    escaped = origin.replace("&", "&amp;").replace("<", "&lt;")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<trn:Transport xmlns:trn="http://telescope-networks.org/schema/Transport/v1.1"'
        f' role="{role}" version="1.0">'
        f"<Origin>{escaped}</Origin><Response>ivo://org.example/peer</Response>"
        f"<TimeStamp>2026-11-24T01:02:03Z</TimeStamp>{inside}</trn:Transport>"
    ).encode()


def filters(*expressions: str) -> bytes:
    """Write an `authenticate` that brings XPath filters."""
    escaped = [each.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;") for each in expressions]
    params = "".join(f'<Param name="xpath-filter" value="{each}"/>' for each in escaped)
    return transport("authenticate", inside=f"<Meta>{params}</Meta>")


def closed(connection: socket.socket) -> bool:
    """Wait until the other end closes; what it still sends is passed over."""
    connection.settimeout(PATIENCE)
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True
