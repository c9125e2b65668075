"""TLS between real processes: who is let in and who is not, who may say what, and what is told of it."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import attrs
import pytest

from interop.processes import Finished, until
from interop.stage import Node, Stage, contents, voeflow
from support.certificates import Authority, Certified
from support.samples import voevent

pytestmark = [pytest.mark.interop, pytest.mark.slow]

PASSWORD = "a password that nobody is told"

GATE = """\
ivoid = "ivo://org.example/gate"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
allow = ["cert:*"]
tls = { certificate = "gate.pem", key = "gate.key", client_ca = "ca.pem" }
validate = "wellformed"
[[transports.authors.bind]]
peers = ["cert:CN=svom-fsc"]
authors = ["ivo://obspm.gepi/*"]
[[transports.authors.bind]]
peers = ["@FINGERPRINT@"]
authors = ["ivo://org.example/*"]
[transports.public]
plugin = "vtp-broadcast"
listen = "127.0.0.1:0"
allow = ["127.0.0.1 cert:CN=site"]
tls = { certificate = "gate.pem", key = "gate.key", client_ca = "ca.pem", password = "@PASSWORD@" }
test_interval = "0"
[handlers.archive]
plugin = "save"
directory = "events"
"""

SITE = """\
ivoid = "ivo://org.example/site"
[transports.gate]
plugin = "vtp-subscribe"
remote = "localhost:@PORT@"
tls = { ca = "ca.pem", certificate = "@NAME@.pem", key = "@NAME@.key" }
reconnect_max = 1
[handlers.archive]
plugin = "save"
directory = "events"
"""


@attrs.frozen
class World:
    """Certificates, and the node that they are for."""

    stage: Stage
    authority: Authority
    gate: Node
    pipeline: str

    def send(self, packet: bytes, *options: str | Path) -> Finished:
        remote = f"localhost:{self.gate.port('authors')}"
        return self.stage.command("send", "-", "--to", remote, *options, stdin=packet)

    def certified(self, name: str) -> list[str | Path]:
        own = self.authority.directory
        return ["--ca", self.authority.path, "--cert", own / f"{name}.pem", "--key", own / f"{name}.key"]

    def everything_written(self) -> str:
        return "\n".join(self.gate.lines())


@pytest.fixture
def world(stage: Stage) -> World:
    authority = Authority(stage.room("gate"))
    authority.certify("gate", "localhost")
    for name in ("svom-fsc", "observer", "site", "nobody"):
        authority.certify(name, f"{name}.example.org", subject=name)
    observer = Certified(stage.room("gate") / "observer.pem", stage.room("gate") / "observer.key")
    pipeline = GATE.replace("@FINGERPRINT@", observer.fingerprint).replace("@PASSWORD@", PASSWORD)
    return World(stage, authority, stage.node(pipeline, name="gate"), pipeline)


def by(author: str, ivorn: str) -> bytes:
    packet = voevent(ivorn)
    start, stop = packet.index(b"<AuthorIVORN>"), packet.index(b"</AuthorIVORN>")
    return packet[:start] + f"<AuthorIVORN>{author}".encode() + packet[stop:]


def test_an_author_is_known_by_its_certificate_and_may_speak_for_itself_alone(world: World) -> None:
    own = by("ivo://obspm.gepi/svom", "ivo://obspm.gepi/svom#1")
    sent = world.send(own, *world.certified("svom-fsc"))
    assert (sent.status, sent.out) == (0, "accepted ivo://obspm.gepi/svom#1\n")

    forged = by("ivo://obspm.gepi/svom", "ivo://obspm.gepi/svom#2")
    sent = world.send(forged, *world.certified("observer"))
    assert sent.status == 1
    assert sent.out == (
        "refused ivo://obspm.gepi/svom#2: this peer may not speak for the author ivo://obspm.gepi/svom\n"
    )
    (told,) = world.gate.wait_until_told("event refused", ivorn="ivo://obspm.gepi/svom#2")
    assert told["reason"] == "this peer may not speak for the author ivo://obspm.gepi/svom"
    assert str(told["peer"]).startswith("127.0.0.1:")

    sent = world.send(by("ivo://org.example/me", "ivo://org.example/me#1"), *world.certified("observer"))
    assert (sent.status, sent.out) == (0, "accepted ivo://org.example/me#1\n")

    listed = world.stage.command("events", "list", "gate/pipeline.toml", "--refused", "--format", "json")
    (refused,) = [json.loads(line) for line in listed.out.splitlines()]
    assert refused["ivorn"] == "ivo://obspm.gepi/svom#2"
    world.gate.stop()
    assert len(contents(world.gate.directory / "events")) == 2


def test_who_is_not_known_is_not_served_and_both_ends_say_why(world: World) -> None:
    packet = by("ivo://obspm.gepi/svom", "ivo://obspm.gepi/svom#1")

    plain = world.send(packet)
    assert plain.status == 1
    assert "speaks TLS, and this end does not: set tls at both ends or at neither" in plain.out
    world.gate.wait_until_told(
        "no TLS with a client", reason="speaks without TLS, and this port takes nothing else"
    )

    unnamed = world.send(packet, "--ca", world.authority.path)
    assert unnamed.status != 0
    assert "asks for a certificate, and this end has shown none" in unnamed.out + unnamed.err

    untrusting = world.send(packet, "--tls", *world.certified("svom-fsc")[2:])
    assert untrusting.status == 3
    assert "has a certificate that is not taken: " in untrusting.err

    misnamed = world.send(packet, *world.certified("svom-fsc"), "--server-name", "other.example.org")
    assert misnamed.status == 3
    assert "not valid for 'other.example.org'" in misnamed.err

    stranger = Authority(world.stage.room("stranger"))
    fake = stranger.certify("fake", "x.example.org", subject="svom-fsc")
    forged = world.send(packet, "--ca", world.authority.path, "--cert", fake.certificate, "--key", fake.key)
    assert forged.status != 0
    assert "does not trust who signed this end's certificate" in forged.out + forged.err

    sent = world.send(packet, *world.certified("svom-fsc"))
    assert sent.status == 0
    assert PASSWORD not in world.everything_written()
    world.gate.stop()


def test_a_subscriber_is_known_by_its_certificate(world: World) -> None:
    port = str(world.gate.port("public"))
    for name in ("site", "nobody"):
        room = world.stage.room(name)
        for file in (world.authority.path, *world.authority.directory.glob(f"{name}.*")):
            (room / file.name).write_bytes(file.read_bytes())
    site = world.stage.node(SITE.replace("@PORT@", port).replace("@NAME@", "site"), name="site")
    nobody = world.stage.node(SITE.replace("@PORT@", port).replace("@NAME@", "nobody"), name="nobody")
    site.wait_until_told("subscribed")
    nobody.wait_until_told("not subscribed")
    (told, *_) = world.gate.wait_until_told("connection refused", transport="public")
    assert told["reason"] == "not in allow"
    assert str(told["certificate"]).endswith("CN=nobody")
    packet = by("ivo://obspm.gepi/svom", "ivo://obspm.gepi/svom#1")
    assert world.send(packet, *world.certified("svom-fsc")).status == 0
    until("the event at the site", lambda: contents(site.directory / "events") == [packet], site, world.gate)
    for node in (site, nobody, world.gate):
        node.stop()
    assert contents(nobody.directory / "events") == []


def test_a_renewed_certificate_is_taken_up_at_sighup_and_a_bad_one_refused(world: World) -> None:
    listen = world.stage.program(
        "listen",
        voeflow("listen", f"localhost:{world.gate.port('public')}", *world.certified("site")),
    )
    listen.wait_for("that it is subscribed", lambda line: "subscribed" in line)

    key = world.gate.directory / "gate.key"
    world.authority.certify("gate", "renewed.example.org", "localhost")
    good = key.read_bytes()
    key.write_bytes((world.gate.directory / "site.key").read_bytes())
    world.gate.signal(signal.SIGHUP)
    told = world.gate.wait_until_told("mistake in the pipeline", number=2)
    assert "is not the key of" in str(told[0]["mistake"])
    packet = by("ivo://obspm.gepi/svom", "ivo://obspm.gepi/svom#1")
    renewed = [*world.certified("svom-fsc"), "--server-name", "renewed.example.org"]
    assert world.send(packet, *renewed).status == 3  # the old one goes on
    assert world.send(packet, *world.certified("svom-fsc")).status == 0

    key.write_bytes(good)
    world.gate.signal(signal.SIGHUP)
    world.gate.wait_until_told("pipeline reloaded", changed=[], unchanged=3)
    packet = by("ivo://obspm.gepi/svom", "ivo://obspm.gepi/svom#2")
    assert world.send(packet, *renewed).status == 0
    listen.wait_for("both events", lambda line: "ivo://obspm.gepi/svom#2" in line)
    assert len([line for line in listen.lines() if "connected" in line and "peer" in line]) == 1
    world.gate.stop()
