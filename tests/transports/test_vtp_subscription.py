from __future__ import annotations

import math

import pytest
from hypothesis import given

from support.samples import voevent
from transports.vtp_support import IVOID, clock, cuts, exchange, one_by_one, pieces
from voeflow_transports.vtp._broadcaster import Broadcaster
from voeflow_transports.vtp._frames import FrameReader, frame
from voeflow_transports.vtp._machine import FiltersBrought, Packet, Receipt, Unreadable
from voeflow_transports.vtp._messages import (
    Message,
    read_message,
    write_ack,
    write_authenticate,
    write_iamalive,
    write_nak,
)
from voeflow_transports.vtp._subscriber import Subscriber


def broadcaster(patience: int = 2, max_unacknowledged: int = 100) -> Broadcaster:
    return Broadcaster(
        clock=clock,
        limit=10_000,
        ivoid=IVOID,
        opened=0.0,
        alive_interval=60.0,
        alive_patience=patience,
        max_unacknowledged=max_unacknowledged,
    )


def subscriber(filters: tuple[str, ...] = (), identity: str = "ivo://me/client") -> Subscriber:
    return Subscriber(
        clock=clock, limit=10_000, identity=identity, filters=filters, opened=0.0, alive_patience=150.0
    )


def messages(raw: bytes) -> list[Message]:
    return [read_message(payload) for payload in FrameReader(10_000).feed(raw)]


def test_a_subscriber_is_greeted_and_its_filters_are_taken() -> None:
    left, right = broadcaster(), subscriber(("//Who", "@role='test' and 1 < 2"))
    found, _ = exchange(left, right)
    assert found == [FiltersBrought(("//Who", "@role='test' and 1 < 2"))]
    assert right.asked
    assert right.heard


def test_filters_may_come_at_any_time_and_be_none() -> None:
    machine = broadcaster()
    assert machine.receive(frame(write_authenticate(IVOID, clock, "", ["//a"])), 0.0) == [
        FiltersBrought(("//a",))
    ]
    assert machine.receive(frame(write_authenticate(IVOID, clock)), 0.0) == [FiltersBrought(())]


def test_alive_is_asked_by_the_interval_and_the_silent_are_given_up() -> None:
    machine = broadcaster(patience=2)
    machine.outbox()
    for at in (60.0, 120.0):
        assert machine.deadline == at
        machine.tick(at - 0.1)
        assert machine.outbox() == b""
        machine.tick(at)
        assert messages(machine.outbox()) == [Message("iamalive", IVOID)]
    machine.tick(180.0)
    assert (machine.over, machine.fault) == (True, "said nothing to 2 iamalive in a row")
    assert machine.deadline == math.inf


@pytest.mark.parametrize(
    "said",
    [
        write_iamalive(IVOID, clock, "ivo://me/client"),
        write_ack("ivo://a.b/c#1", "", clock),
        b"<Transport role='ack'><Origin>a&b</Origin></Transport>",
        voevent(),
    ],
)
def test_anything_said_is_a_sign_of_life(said: bytes) -> None:
    machine = broadcaster(patience=1)
    for at in range(60, 6000, 60):
        machine.tick(float(at))
        machine.receive(frame(said), at + 1.0)
    assert not machine.over


def test_half_a_frame_is_no_sign_of_life() -> None:
    machine = broadcaster(patience=1)
    machine.tick(60.0)
    machine.receive(b"\0", 61.0)
    machine.tick(120.0)
    assert machine.over


def test_a_subscriber_keeps_its_broker_content() -> None:
    left, right = broadcaster(patience=1), subscriber()
    for at in range(60, 6000, 60):
        left.tick(float(at))
        exchange(left, right, float(at))
        right.tick(float(at))
    assert not left.over
    assert not right.over


def test_receipts_are_counted_by_origin_and_by_order() -> None:
    machine = broadcaster()
    machine.sent(["ivo://a#1", "ivo://a#2", "ivo://a#3", "ivo://a#4", "ivo://a#5"])
    assert machine.receive(frame(write_ack("ivo://a#2", "", clock)), 0.0) == [Receipt(True, "ivo://a#2")]
    assert machine.unacknowledged == 3  # the first was passed over
    machine.receive(frame(write_ack("something else", "", clock)), 0.0)
    assert machine.unacknowledged == 2
    (found,) = machine.receive(frame(b"<Transport role='ack'><Origin>ivo://a&b</Origin></Transport>"), 0.0)
    assert isinstance(found, Unreadable)
    assert machine.unacknowledged == 1


def test_a_nak_ends_a_delivery_and_not_the_subscription() -> None:
    machine = broadcaster()
    machine.sent(["ivo://a#1"])
    assert machine.receive(frame(write_nak("ivo://a#1", "", "not for me", clock)), 0.0) == [
        Receipt(False, "ivo://a#1", "not for me")
    ]
    assert machine.unacknowledged == 0
    assert not machine.over


def test_receipts_that_nobody_waits_for_change_nothing() -> None:
    machine = broadcaster()
    for _ in range(5):
        machine.receive(frame(write_ack("ivo://a#1", "", clock)), 0.0)
    assert machine.unacknowledged == 0
    assert not machine.over


def test_a_subscriber_that_never_answers_is_given_up_in_the_end() -> None:
    machine = broadcaster(max_unacknowledged=100)
    machine.sent(f"ivo://a#{number}" for number in range(100))
    assert not machine.over
    machine.sent(["ivo://a#100"])
    assert (machine.over, machine.fault) == (True, "left more than 100 events without a receipt")


def test_an_event_on_the_subscribers_port_is_refused_with_directions() -> None:
    machine = broadcaster()
    machine.outbox()
    assert machine.receive(frame(voevent()), 0.0) == []
    (message,) = messages(machine.outbox())
    assert message.role == "nak"
    assert "other port" in (message.result or "")


@pytest.mark.parametrize("said", [b"", voevent(), write_authenticate(IVOID, clock), b"<Transport/>"])
def test_a_subscriber_that_sends_what_nobody_asked_for_is_given_up(said: bytes) -> None:
    machine = broadcaster()
    machine.outbox()
    machine.receive(frame(said) * 100, 1.0)
    assert not machine.over
    machine.tick(60.0)
    machine.outbox()
    found = machine.receive(frame(said) * 9000, 61.0)
    assert (machine.over, machine.fault) == (True, "sent more than 100 frames that nobody asked for")
    assert len(found) + len(messages(machine.outbox())) <= 101


def test_receipts_are_asked_for_however_many_come_at_once() -> None:
    machine = broadcaster(max_unacknowledged=5000)
    machine.sent(f"ivo://a#{number}" for number in range(5000))
    machine.receive(b"".join(frame(write_ack(f"ivo://a#{number}", "", clock)) for number in range(5000)), 1.0)
    assert machine.unacknowledged == 0
    assert not machine.over


@pytest.mark.parametrize(
    "said", [write_iamalive(IVOID, clock), write_authenticate(IVOID, clock), b"<Transport/>"]
)
def test_a_broker_that_floods_with_messages_is_given_up(said: bytes) -> None:
    machine = subscriber()
    machine.receive(frame(said) * 100, 1.0)
    machine.receive(frame(said) * 100, 61.0)
    assert not machine.over
    machine.outbox()
    machine.receive(frame(said) * 9000, 62.0)
    assert (machine.over, machine.fault) == (True, "sent more than 100 Transport messages in a minute")
    assert machine.outbox() == b""


def test_events_are_answered_in_order_and_iamalive_before_them() -> None:
    machine = subscriber()
    one, two = voevent("ivo://a.b/c#1"), voevent("ivo://a.b/c#2")
    assert machine.receive(frame(one) + frame(two) + frame(write_iamalive("ivo://b/c", clock)), 0.0) == [
        Packet(one),
        Packet(two),
    ]
    assert messages(machine.outbox()) == [Message("iamalive", "ivo://b/c", "ivo://me/client")]
    machine.accept("ivo://a.b/c#1")
    machine.reject("ivo://a.b/c#2", "no")
    assert messages(machine.outbox()) == [
        Message("ack", "ivo://a.b/c#1", "ivo://me/client"),
        Message("nak", "ivo://a.b/c#2", "ivo://me/client", "no"),
    ]


def test_an_event_without_ivorn_is_still_answered_with_an_origin() -> None:
    machine = subscriber()
    machine.receive(frame(b"<VOEvent/>") * 2, 0.0)
    machine.accept(None)
    machine.reject(None, "no IVORN")
    assert [message.origin for message in messages(machine.outbox())] == ["ivo://me/client"] * 2


def test_a_subscriber_without_identity_gives_no_response() -> None:
    machine = subscriber(identity="")
    machine.receive(frame(voevent()) + frame(write_iamalive("ivo://b/c", clock)), 0.0)
    machine.accept("ivo://a.b/c#1")
    assert [message.response for message in messages(machine.outbox())] == [None, None]


def test_a_silent_broker_is_given_up_and_any_byte_breaks_the_silence() -> None:
    machine = subscriber()
    assert machine.deadline == 150.0
    machine.receive(b"\0", 100.0)
    assert machine.deadline == 250.0
    machine.tick(249.0)
    assert not machine.over
    machine.tick(250.0)
    assert (machine.over, machine.fault) == (True, "was silent for 150 s")


def test_silence_while_nobody_read_is_not_the_brokers() -> None:
    machine = subscriber()
    machine.resume(500.0)
    assert machine.deadline == 650.0


def test_a_broker_that_closes_before_a_word_is_known_by_it() -> None:
    machine = subscriber()
    machine.receive(b"", 0.0)
    assert (machine.over, machine.fault, machine.heard) == (True, "", False)


@given(cuts=cuts)
def test_both_ends_find_the_same_however_the_stream_was_cut(cuts: list[int]) -> None:
    raw = voevent()
    stream = (
        frame(write_authenticate(IVOID, clock)) + frame(raw) + frame(write_iamalive(IVOID, clock)) + b"\0"
    )
    answers = set()
    for cut in (pieces(stream, []), one_by_one(stream), pieces(stream, cuts)):
        machine = subscriber(("//Who",))
        assert [found for piece in cut for found in machine.receive(piece, 0.0)] == [Packet(raw)]
        machine.accept("ivo://a.b/c#1")
        answers.add(machine.outbox())
    (answer,) = answers
    for cut in (pieces(answer, []), one_by_one(answer), pieces(answer, cuts)):
        peer = broadcaster()
        peer.sent(["ivo://a.b/c#1"])
        assert [found for piece in cut for found in peer.receive(piece, 0.0)] == [
            FiltersBrought(("//Who",)),
            Receipt(True, "ivo://a.b/c#1"),
        ]
        assert peer.unacknowledged == 0
