"""The transport `forward` with Comet at the other end."""

from __future__ import annotations

import json

import pytest

from interop.packets import varied
from interop.processes import until
from interop.stage import Stage, contents, wait_for_contents
from support.samples import voevent

pytestmark = [pytest.mark.interop, pytest.mark.slow]

PIPELINE = """\
ivoid = "ivo://org.example/voeflow"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
[transports.onward]
plugin = "forward"
remote = "127.0.0.1:@PORT@"
"""


def test_what_a_node_sends_on_reaches_comet_byte_for_byte_and_what_it_refuses_is_a_dead_letter(
    stage: Stage,
) -> None:
    comet = stage.comet()
    known = voevent("ivo://org.example/voeflow#known")
    assert stage.comet_sendvo(comet.receive_port, known).status == 0
    node = stage.node(PIPELINE.replace("@PORT@", str(comet.receive_port)))
    packets = [known, *varied("ivo://org.example/voeflow#onward")]
    old = voevent("ivo://org.example/voeflow#old", version="1.1", body="")
    for number, packet in enumerate([*packets, old]):
        (stage.room("packets") / f"{number:02}.xml").write_bytes(packet)
    sent = stage.command(
        "send", *sorted(stage.room("packets").iterdir()), "--to", f"127.0.0.1:{node.port('authors')}"
    )
    assert sent.status == 0, sent.err
    wait_for_contents(comet.received, packets, comet, node)
    node.wait_until_told("delivery given up", ivorn="ivo://org.example/voeflow#old")
    until(
        "every other event delivered",
        lambda: len({r["ivorn"] for r in node.records() if r["event"] == "delivered"}) == len(packets),
        node,
    )
    node.stop()
    assert contents(comet.received) == sorted(packets)
    dead = stage.command("events", "list", node.directory / "pipeline.toml", "--dead", "--format", "json")
    (letter,) = [json.loads(line) for line in dead.out.splitlines()]
    assert "and the broker may take 2.0 only" in letter["reason"]
