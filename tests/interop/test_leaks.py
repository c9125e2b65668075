"""What a running node says to the log and to authors tells no secret, and steers no terminal."""

from __future__ import annotations

import getpass
import re
import signal
import socket

import pytest
from lxml import etree

from interop.processes import PATIENCE
from interop.stage import Stage, voeflow
from interop.wire import read_frame, role_of, send_frame
from support.ports import free_port
from support.samples import voevent

pytestmark = [pytest.mark.interop, pytest.mark.slow]

SECRET = "swordfish-in-the-environment"

PIPELINE = """\
ivoid = "ivo://org.example/voeflow"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:@PORT@"
validate = "wellformed"
authors = ["ivo://org.example/*"]
[filters.odd]
plugin = "xpath"
expression = '//Param[@name="odd"]'
[handlers.mail]
plugin = "email"
to = ["duty@example.org"]
sender = "voeflow@example.org"
server = "smtp://127.0.0.1:1"
username = "voeflow"
password = "${MAIL_PASSWORD}"
retries = 0
[handlers.broken]
plugin = "spawn"
command = ["sh", "-c", "printf 'out \\\\033[31m%s' \\"$VOEVENT_IVORN\\"; exit 3"]
retries = 0
[handlers.archive]
plugin = "save"
directory = "events"
"""

ESCAPES = "\x1b]0;title\x07\x1b[31m\u202e\u2028"

HOSTILE = [
    b"",
    b"no XML at all \x1b[31m\n",
    b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>",
    b"<VOEvent ivorn='\xff\xfe'/>",
    b"<VOEvent/>",
    b"<a" + b" b='c'" * 3 + b"/>",
    voevent("ivo://org.example/x#\u202e\u2066").replace(b'role="observation"', b'role="&#27;[31m"'),
    voevent("ivo://org.example/x#1").replace(
        b"<AuthorIVORN>", b"<AuthorIVORN>ivo://evil/" + ESCAPES[5:].encode()
    ),
    voevent("ivo://org.example/x#1", author="ivo://evil/\u202e\u2028x"),
    voevent("/etc/passwd"),
    voevent("ivo://org.example/x#1")[:-40],
]

GOOD = [
    voevent("ivo://org.example/x#\u202eok", author="ivo://org.example/\u2066\u202e"),
    voevent("ivo://org.example/x#2", author="ivo://org.example/me"),
]


def test_neither_the_log_nor_a_nak_tells_what_is_of_this_machine(stage: Stage) -> None:
    port = free_port()
    room = stage.room("node")
    (room / "pipeline.toml").write_text(PIPELINE.replace("@PORT@", str(port)), encoding="utf-8")
    words = voeflow("run", "pipeline.toml", "--log-format", "console", "--log-level", "debug")
    node = stage.program("node", words, environment={"MAIL_PASSWORD": SECRET})
    node.wait_for("that it is ready", lambda line: "node ready" in line)
    naks = []
    for packet in [*HOSTILE, *GOOD]:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
            send_frame(connection, packet)
            receipt = read_frame(connection)
        assert receipt is not None
        if packet in GOOD:
            assert role_of(receipt) == "ack", receipt
        else:
            assert role_of(receipt) == "nak", packet
            naks.append(etree.fromstring(receipt).findtext(".//Result") or "")
    node.wait_for("that both handlers have given up", lambda line: "delivery given up" in line, number=4)
    node.signal(signal.SIGTERM)
    assert node.wait() == 0

    told = "\n".join(node.lines())
    assert "event refused" in told
    assert "\\x1b[31m" in told  # what the program wrote, escaped
    assert SECRET not in told
    assert [character for line in node.lines() for character in line if not character.isprintable()] == []
    of_this_machine = re.compile(
        "|".join(
            map(re.escape, (str(stage.directory), "site-packages", ".py", "Traceback", "lxml", "sqlite"))
        )
    )
    for nak in naks:
        assert nak.isprintable()
        assert not of_this_machine.search(nak)
        assert SECRET not in nak
        assert len(nak) <= 1000
    assert getpass.getuser() not in " ".join(naks).split()
