"""The example `tls` runs as its README says: TLS to the world, and plain VTP to a Comet on the loopback."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from interop.processes import Finished, finish, until
from interop.stage import ROOT, Comet, Node, Stage, contents, peer, voeflow
from support.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.slow]

EXAMPLE = ROOT / "examples" / "tls"
README = (EXAMPLE / "README.md").read_text()


def commands(words: str) -> list[str]:
    """Give the commands of the README that have these words in them, in order."""
    blocks = re.findall(r"^```(?:console|sh)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [line for line in lines if words in line]


def said(command: str) -> str:
    """Give what the README says that a command prints."""
    return README.partition(f"$ {command}\n")[2].partition("```")[0]


def test_an_event_goes_through_tls_and_comet_and_tls_again(stage: Stage) -> None:
    certificates = stage.directory / "certificates"
    ports = {name: str(free_port()) for name in ("18098", "18099", "8099", "8199")}
    environment = {
        "CERTIFICATES": str(certificates),
        "GATEWAY_AUTHORS": f"localhost:{ports['18098']}",
        "GATEWAY_PUBLIC": f"localhost:{ports['18099']}",
        "GATEWAY_TO_COMET": f"localhost:{ports['8099']}",
        "COMET": f"localhost:{ports['8199']}",
        "COMET_PATIENCE": "1 s",
        "GATEWAY": f"localhost:{ports['18099']}",
        "GATEWAY_STORE": str(stage.directory / "gateway.db"),
        "TELESCOPE_STORE": str(stage.directory / "telescope.db"),
        "TELESCOPE_EVENTS": str(stage.directory / "events"),
    }

    def here(command: str) -> list[str | Path]:
        """Give a command of the README with our directory, ports and programs in it."""
        for port, own in ports.items():
            command = re.sub(rf"\b{port}\b", own, command)
        command = command.replace("examples/tls/certificates ", f"{certificates} ")
        command = command.replace("examples/tls/certificates/", f"{certificates}/")
        words = shlex.split(command)
        if words[0] == "twistd":
            return [peer("twistd"), *words[1:], f"--eventdb={stage.room('comet') / 'seen'}"]
        return voeflow(*words[1:]) if words[0] == "voeflow" else [*words]

    def run(command: str) -> Finished:
        return finish(here(command), ROOT, environment=environment)

    (make,) = commands("certificates.sh")
    made = run(make)
    assert made.status == 0, made.err
    assert made.out.replace(f"{certificates}/", "examples/tls/certificates/") == said(make)

    (check,) = commands("voeflow check")
    assert run(check).status == 0, run(check).err
    json = ["--log-format", "json"]
    gate, telescope = (
        stage._keep(Node(name, [*here(f"voeflow run examples/tls/{name}.toml"), *json], ROOT, environment))
        for name in ("gateway", "telescope")
    )
    assert set(commands("voeflow run")) == {
        "voeflow run examples/tls/gateway.toml",
        "voeflow run examples/tls/telescope.toml",
    }
    gate.wait_until_told("node ready")
    (start,) = commands("twistd")
    stage._keep(Comet("comet", here(start), stage.room("comet")))
    gate.wait_until_told("subscribed", transport="from-comet")
    gate.wait_until_told("subscriber connected", transport="to-comet")
    telescope.wait_until_told("subscribed")

    good, naked, bound = commands("voeflow send")
    sent = run(good)
    assert (sent.status, sent.out) == (0, said(good)), sent.err
    assert "speaks TLS" in run(naked).out
    assert run(bound).out == said(bound)
    packet = (ROOT / "examples/quickstart/packets/01-burst.xml").read_bytes()
    events = stage.directory / "events"
    until("the event at the telescope", lambda: packet in contents(events), gate, telescope)
    for node in (gate, telescope):
        node.stop()
