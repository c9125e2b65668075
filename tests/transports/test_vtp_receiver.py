from __future__ import annotations

import math

import pytest
from hypothesis import given

from support.samples import voevent
from transports.vtp_support import IVOID, clock, cuts, exchange, one_by_one, pieces
from voeflow_transports.vtp._author import Author
from voeflow_transports.vtp._frames import FrameReader, frame
from voeflow_transports.vtp._machine import Packet, Receipt, Unreadable
from voeflow_transports.vtp._messages import (
    Message,
    read_message,
    write_ack,
    write_authenticate,
    write_iamalive,
)
from voeflow_transports.vtp._receiver import Receiver


def receiver(limit: int = 10_000) -> Receiver:
    return Receiver(clock=clock, limit=limit, ivoid=IVOID, opened=0.0, idle_timeout=20.0, linger=1.0)


def author() -> Author:
    return Author(clock=clock, limit=10_000, timeout=30.0)


def answers(machine: Receiver) -> list[Message]:
    return [read_message(payload) for payload in FrameReader(10_000).feed(machine.outbox())]


def test_each_event_is_answered_in_order_by_its_ivorn() -> None:
    machine = receiver()
    assert machine.receive(
        frame(voevent("ivo://a.b/c#1")) + frame(b"not XML") + frame(voevent("ivo://a.b/c#3")), 0.0
    ) == [
        Packet(voevent("ivo://a.b/c#1")),
        Packet(b"not XML"),
        Packet(voevent("ivo://a.b/c#3")),
    ]
    assert machine.outbox() == b""  # never by itself
    machine.accept("ivo://a.b/c#1", 1.0)
    machine.reject(None, "line 1: this is no XML", 1.0)
    machine.reject("ivo://a.b/c#3", "unknown role", 1.0)
    assert answers(machine) == [
        Message("ack", "ivo://a.b/c#1", IVOID),
        Message("nak", IVOID, IVOID, "line 1: this is no XML"),
        Message("nak", "ivo://a.b/c#3", IVOID, "unknown role"),
    ]
    assert machine.owed == 0


@given(cuts=cuts)
def test_what_is_found_does_not_depend_on_how_the_stream_was_cut(cuts: list[int]) -> None:
    one, two = voevent("ivo://a.b/c#1"), voevent("ivo://a.b/c#2")
    stream = frame(one) + frame(write_iamalive("ivo://x/y", clock)) + frame(two) + b"\0\0"
    for cut in (pieces(stream, []), one_by_one(stream), pieces(stream, cuts)):
        machine = receiver()
        assert [found for piece in cut for found in machine.receive(piece, 0.0)] == [Packet(one), Packet(two)]
        assert answers(machine) == [Message("iamalive", "ivo://x/y", IVOID)]
        machine.accept("ivo://a.b/c#1", 0.0)
        machine.accept("ivo://a.b/c#2", 0.0)
        assert machine.receive(b"", 0.0) == []
        assert (machine.over, machine.fault) == (True, "closed in the middle of a frame, 2 bytes short")


def test_other_messages_are_tolerated_and_not_answered() -> None:
    machine = receiver()
    found = machine.receive(
        frame(write_ack("ivo://a/b#c", "", clock))
        + frame(write_authenticate("o", clock))
        + frame(b"<Transport>"),
        0.0,
    )
    assert [type(each) for each in found] == [Unreadable]
    assert machine.outbox() == b""
    assert not machine.over


def test_a_frame_too_long_ends_the_connection_once_what_came_before_is_answered() -> None:
    machine = receiver(limit=3000)
    raw = voevent()
    assert machine.receive(frame(raw) + (3001).to_bytes(4, "big"), 0.0) == [Packet(raw)]
    assert not machine.over
    machine.accept("ivo://a.b/c#1", 5.0)
    assert (machine.over, machine.fault) == (True, "announced a frame of 3001 bytes, above the limit of 3000")


def test_an_author_that_ends_its_stream_gets_its_receipts_and_then_an_end_without_fault() -> None:
    machine = receiver()
    machine.receive(frame(voevent()), 0.0)
    machine.receive(b"", 0.0)
    assert not machine.over
    machine.accept("ivo://a.b/c#1", 100.0)
    assert (machine.over, machine.fault, len(answers(machine))) == (True, "", 1)


def test_a_connection_that_says_nothing_at_all_ends_without_fault_when_it_closes() -> None:
    machine = receiver()
    machine.receive(b"", 3.0)
    assert (machine.over, machine.fault) == (True, "")


def test_silence_ends_the_connection() -> None:
    machine = receiver()
    assert machine.deadline == 20.0
    machine.tick(19.9)
    assert not machine.over
    machine.tick(20.0)
    assert (machine.over, machine.fault) == (True, "sent nothing in 20 s")


def test_trickling_bytes_gain_no_time() -> None:
    machine = receiver()
    stream = frame(voevent())
    for second in range(20):
        machine.receive(stream[second : second + 1], 10.0 + second)
    assert machine.deadline == 30.0
    machine.tick(30.0)
    assert machine.over
    assert "too slowly" in machine.fault
    assert machine.receive(stream[20:], 31.0) == []


def test_time_stands_still_while_answers_are_owed() -> None:
    machine = receiver()
    raw = frame(voevent())
    machine.receive(raw + raw[:10], 5.0)
    assert machine.deadline == math.inf
    machine.tick(1000.0)
    assert not machine.over
    machine.accept("ivo://a.b/c#1", 1000.0)
    assert machine.deadline == 1020.0  # the frame that has begun gets its time anew
    machine.receive(raw[10:], 1001.0)
    machine.accept("ivo://a.b/c#1", 1002.0)
    assert machine.deadline == 1003.0  # the author may go on, for a moment
    machine.tick(1003.0)
    assert (machine.over, machine.fault) == (True, "")


def test_an_author_that_goes_on_within_the_moment_is_served() -> None:
    machine = receiver()
    machine.receive(frame(voevent()), 0.0)
    machine.accept("ivo://a.b/c#1", 0.0)
    machine.receive(frame(voevent())[:1], 0.9)
    assert machine.deadline == 20.9


def test_an_answer_to_no_packet_is_our_mistake() -> None:
    with pytest.raises(AssertionError):
        receiver().accept("ivo://a.b/c#1", 0.0)


def test_an_author_learns_from_the_receiver_what_became_of_each() -> None:
    left, right = author(), receiver()
    left.send(voevent("ivo://a.b/c#1"), 0.0)
    left.send(voevent("ivo://a.b/c#2"), 0.0)
    _, found = exchange(left, right)
    assert len(found) == 2
    right.accept("ivo://a.b/c#1", 0.0)
    right.reject("ivo://a.b/c#2", "expected <Who>", 0.0)
    receipts, _ = exchange(left, right)
    assert receipts == [Receipt(True, "ivo://a.b/c#1"), Receipt(False, "ivo://a.b/c#2", "expected <Who>")]
    assert left.unanswered == 0
    assert left.deadline == math.inf


def test_an_author_waits_so_long_for_each_receipt_and_no_longer() -> None:
    machine = author()
    assert machine.deadline == math.inf
    machine.send(voevent(), 5.0)
    machine.send(voevent(), 10.0)
    assert machine.deadline == 35.0
    machine.receive(frame(write_ack("ivo://a.b/c#1", "", clock)), 20.0)
    assert machine.deadline == 50.0
    machine.tick(49.0)
    assert not machine.over
    machine.tick(50.0)
    assert (machine.over, machine.fault, machine.unanswered) == (True, "gave no receipt in 30 s", 1)


def test_an_author_suspects_the_wrong_port_when_it_is_greeted_like_a_subscriber() -> None:
    machine = author()
    machine.send(voevent(), 0.0)
    assert machine.receive(frame(write_authenticate("ivo://comet/broker", clock)), 0.0) == []
    machine.tick(30.0)
    assert "wrong port" in machine.fault


def test_an_author_answers_iamalive_and_counts_an_unreadable_answer_as_one() -> None:
    machine = author()
    machine.send(voevent(), 0.0)
    machine.outbox()
    assert machine.receive(frame(write_iamalive("ivo://b/c", clock)), 0.0) == []
    assert read_message(machine.outbox()[4:]) == Message("iamalive", "ivo://b/c")
    (found,) = machine.receive(frame(b"<Transport role='ack'><Origin>a&b</Origin></Transport>"), 0.0)
    assert isinstance(found, Unreadable)
    assert machine.unanswered == 0


def test_an_author_is_told_when_the_broker_closes_without_a_receipt() -> None:
    machine = author()
    machine.send(voevent(), 0.0)
    machine.receive(b"", 0.0)
    assert (machine.over, machine.unanswered) == (True, 1)


@pytest.mark.parametrize(
    "message", [write_iamalive("ivo://x/y", clock), b"<Transport>", b"<Transport role='x'/>"]
)
def test_an_author_that_sends_messages_without_end_is_cut_off_in_the_middle_of_them(message: bytes) -> None:
    machine = receiver()
    machine.receive(frame(message) * 5000 + frame(voevent()), 0.0)

    assert machine.over
    assert "Transport messages and no event" in machine.fault
    assert len(answers(machine)) <= 101


def test_an_author_may_ask_for_life_between_events_as_long_as_it_lives() -> None:
    machine = receiver()
    for number in range(300):
        machine.receive(frame(write_iamalive("ivo://x/y", clock)) + frame(voevent()), float(number))
        machine.accept("ivo://a.b/c#1", float(number))

    assert not machine.over


def test_who_sends_too_many_messages_still_has_its_events_answered() -> None:
    machine = receiver()
    machine.receive(frame(voevent()) + frame(write_iamalive("ivo://x/y", clock)) * 5000, 0.0)
    assert not machine.over
    machine.accept("ivo://a.b/c#1", 0.0)

    assert machine.over
