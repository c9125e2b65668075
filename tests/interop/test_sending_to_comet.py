"""`voeflow send` and `voeflow listen` with Comet at the other end."""

from __future__ import annotations

import signal

import pytest

from interop.packets import varied
from interop.stage import Stage, contents, wait_for_contents
from support.ports import free_port
from support.samples import voevent

pytestmark = [pytest.mark.interop, pytest.mark.slow]


def test_what_voeflow_sends_reaches_comet_byte_for_byte(stage: Stage) -> None:
    comet = stage.comet()
    packets = varied("ivo://org.example/voeflow#to-comet")
    room = stage.room("packets")
    for number, packet in enumerate(packets):
        (room / f"{number}.xml").write_bytes(packet)
    paths = sorted(room.glob("*.xml"))
    sent = stage.command("send", *paths, "--to", f"127.0.0.1:{comet.receive_port}")
    assert sent.status == 0, sent.err
    wait_for_contents(comet.received, packets, comet)
    assert contents(comet.received) == sorted(packets)


def test_an_event_from_standard_input_reaches_comet(stage: Stage) -> None:
    comet = stage.comet()
    packet = voevent("ivo://org.example/voeflow#piped")
    sent = stage.command("send", "-", "--to", f"127.0.0.1:{comet.receive_port}", stdin=packet)
    assert sent.status == 0, sent.err
    wait_for_contents(comet.received, [packet], comet)


def test_comet_refusing_a_duplicate_is_success_with_a_note(stage: Stage) -> None:
    comet = stage.comet()
    packet = voevent("ivo://org.example/voeflow#again")
    to = f"127.0.0.1:{comet.receive_port}"
    first = stage.command("send", "-", "--to", to, stdin=packet)
    second = stage.command("send", "-", "--to", to, stdin=packet)
    assert (first.status, second.status) == (0, 0), second.err
    comet.wait_until_says("Previously seen by this broker")
    assert "has seen it before" in second.out
    assert "seen" not in first.out


def test_comet_refusing_another_version_is_explained_as_that(stage: Stage) -> None:
    comet = stage.comet()
    packet = voevent("ivo://org.example/voeflow#old", version="1.1", body="")
    refused = stage.command("send", "-", "--to", f"127.0.0.1:{comet.receive_port}", stdin=packet)
    assert refused.status == 1
    assert "the event is VOEvent 1.1, and the broker may take 2.0 only" in refused.out
    assert contents(comet.received) == []


def test_a_broker_that_is_not_there_is_told_apart_from_one_that_refuses(stage: Stage) -> None:
    comet = stage.comet()
    port = comet.receive_port
    comet.kill()
    sent = stage.command("send", "-", "--to", f"127.0.0.1:{port}", stdin=voevent())
    assert sent.status == 3
    assert f"127.0.0.1:{port}" in sent.err


def test_a_packet_that_is_no_event_is_told_and_nothing_is_sent(stage: Stage) -> None:
    comet = stage.comet()
    room = stage.room("packets")
    (room / "good.xml").write_bytes(voevent("ivo://org.example/voeflow#good"))
    (room / "bad.xml").write_bytes(b"<VOEvent>")
    sent = stage.command(
        "send", room / "good.xml", room / "bad.xml", "--to", f"127.0.0.1:{comet.receive_port}"
    )
    assert sent.status == 1
    assert f"{room / 'bad.xml'}:1" in sent.err
    assert comet.ivorns_received() == []


def test_listen_prints_and_saves_what_comet_broadcasts_and_matches(stage: Stage) -> None:
    comet = stage.comet()
    listener = stage.listen(
        comet.broadcast_port, "--xpath", "//Param[@name='Packet_Type' and @value=61]", "--save", "saved"
    )
    comet.wait_until_says("Installing filter")
    wanted = [voevent(f"ivo://org.example/listened#{number}") for number in (1, 3)]
    unwanted = voevent("ivo://org.example/listened#2", packet_type=10)
    for packet in (wanted[0], unwanted, wanted[1]):
        assert stage.comet_sendvo(comet.receive_port, packet).status == 0
    lines = listener.wait_for("two events", lambda line: "ivo://org.example/listened#" in line, number=2)
    assert "listened#1" in lines[0]
    assert "listened#3" in lines[1]
    wait_for_contents(listener.directory / "saved", wanted, listener, comet)
    comet.wait_until_says("Ack received from", number=2)
    listener.signal(signal.SIGINT)
    assert listener.wait() == 0, listener.transcript()
    assert contents(listener.directory / "saved") == sorted(wanted)


def test_listening_to_a_broker_that_is_not_there_ends_with_a_status_of_its_own(stage: Stage) -> None:
    heard = stage.command("listen", f"127.0.0.1:{free_port()}")
    assert heard.status == 3
    assert heard.out == ""
    assert "127.0.0.1" in heard.err
