"""What is named to resume, and what becomes of it: without connections."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.samples import voevent
from transports.vtp_node import FakeNode
from transports.vtp_support import IVOID, clock, exchange
from voeflow_transports.vtp._broadcaster import Broadcaster
from voeflow_transports.vtp._frames import FrameReader, frame
from voeflow_transports.vtp._machine import FiltersBrought, Packet, ResumeAsked, Resumed
from voeflow_transports.vtp._messages import read_message, write_authenticate, write_iamalive
from voeflow_transports.vtp._place import Place
from voeflow_transports.vtp._resume import (
    AFTER,
    MAX_EVENT,
    SINCE,
    STAGE,
    Resume,
    read_params,
    read_stage,
    write_params,
)
from voeflow_transports.vtp._subscriber import Subscriber

DIGEST = bytes(range(32))
SINCE_THEN = datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC)

resumes = st.builds(
    Resume,
    after=st.none() | st.binary(min_size=32, max_size=32),
    since=st.none()
    | st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC)).map(
        lambda moment: moment.replace(microsecond=0)
    ),
    max_event=st.none() | st.integers(min_value=0, max_value=10**15 - 1),
)


def broadcaster() -> Broadcaster:
    return Broadcaster(
        clock=clock,
        limit=10_000,
        ivoid=IVOID,
        opened=0.0,
        alive_interval=60.0,
        alive_patience=2,
        max_unacknowledged=100,
    )


def subscriber(wish: Resume | None) -> Subscriber:
    return Subscriber(
        clock=clock, limit=10_000, identity="", filters=(), opened=0.0, alive_patience=150.0, wish=wish
    )


@given(resumes)
def test_what_is_named_is_read_as_it_was_meant(resume: Resume) -> None:
    assert read_params(write_params(resume)) == resume


@given(st.dictionaries(st.sampled_from([AFTER, SINCE, MAX_EVENT, STAGE]), st.text()))
def test_whatever_a_stranger_writes_is_read_or_passed_over(params: dict[str, str]) -> None:
    assert isinstance(read_params(params), Resume | None)
    assert read_stage(params) in (None, "event", "time", "now", "live")


def test_the_params_are_these() -> None:
    assert write_params(Resume(DIGEST, SINCE_THEN, 1000)) == {
        "voeflow-resume-after": DIGEST.hex(),
        "voeflow-resume-since": "2026-11-24T01:02:03Z",
        "voeflow-resume-max-event": "1000",
    }
    assert write_params(Resume()) == {"voeflow-resume-since": "now"}


@pytest.mark.parametrize(
    "params",
    [
        {},
        {AFTER: "ab", SINCE: "yesterday"},
        {SINCE: "2026-11-24T01:02:03"},  # in which zone?
        {SINCE: "0001-01-01T00:00:00+23:59"},
        {MAX_EVENT: "7"},
    ],
)
def test_nothing_that_can_be_read_is_no_wish(params: dict[str, str]) -> None:
    assert read_params(params) is None


def test_a_time_may_have_any_zone_and_a_digest_any_case() -> None:
    read = read_params({AFTER: DIGEST.hex().upper(), SINCE: "2026-11-24T02:02:03.5+01:00", MAX_EVENT: "-1"})
    assert read == Resume(DIGEST, SINCE_THEN + timedelta(seconds=0.5), None)


def test_a_wish_goes_with_the_answer_to_authenticate_and_is_answered_in_the_stream() -> None:
    left, right = broadcaster(), subscriber(Resume(DIGEST, None, 10_000))
    found, _ = exchange(left, right)
    assert found == [FiltersBrought(()), ResumeAsked(Resume(DIGEST, None, 10_000))]
    packet = voevent()
    left.tell("event")
    told = left.outbox() + frame(packet)
    left.tell("live")
    assert right.receive(told + left.outbox(), 0.0) == [Resumed("event"), Packet(packet), Resumed("live")]
    answers = FrameReader(10_000).feed(right.outbox())
    assert [read_message(answer).role for answer in answers] == ["iamalive", "iamalive"]
    assert right.broker == IVOID


def test_who_asks_for_nothing_names_nothing_and_hears_nothing() -> None:
    left, right = broadcaster(), subscriber(None)
    found, _ = exchange(left, right)
    assert found == [FiltersBrought(())]
    left.tell("event")
    assert right.receive(left.outbox(), 0.0) == []


def test_params_of_others_and_second_ones_of_a_name_are_passed_over() -> None:
    raw = write_authenticate(IVOID, clock, "", ["//a"], {AFTER: "1", "else": "2"})
    raw = raw.replace(b"</Meta>", b'<Param name="' + AFTER.encode() + b'" value="3"/></Meta>')
    message = read_message(raw)
    assert message.filters == ("//a",)
    assert message.params == {AFTER: "1"}
    assert read_message(write_iamalive(IVOID, clock, params={STAGE: "live"})).params == {STAGE: "live"}


async def test_a_place_is_recalled_as_it_was_left() -> None:
    node = FakeNode()
    place = await Place.recall(node, "a:1")
    assert place.resume() == Resume(None, None, node.max_event)
    place.told("event")
    assert (await Place.recall(node, "a:1")).after is None
    place.hold(DIGEST, "event")
    place.told("live")
    again = await Place.recall(node, "a:1")
    assert again.resume() == Resume(DIGEST, again.since, node.max_event)
    assert again.stage is None


async def test_from_the_first_attempt_on_nothing_is_missed() -> None:
    node = FakeNode()
    before = datetime.now(UTC).replace(microsecond=0)
    await Place.recall(node, "a:1")
    wish = (await Place.recall(node, "a:1")).resume()
    assert wish.after is None
    assert wish.since is not None
    assert before <= wish.since <= datetime.now(UTC)


async def test_the_time_stands_still_while_the_past_is_sent() -> None:
    node = FakeNode(noted={"a:1": f"- {write_params(Resume(None, SINCE_THEN))[SINCE]}"})
    place = await Place.recall(node, "a:1")
    place.told("time")
    place.hold(DIGEST, "time")
    assert (await Place.recall(node, "a:1")).resume() == Resume(DIGEST, SINCE_THEN, node.max_event)


async def test_a_remote_without_a_place_begins_when_the_last_one_was_followed() -> None:
    earlier, later = "2026-11-24T01:02:03Z", "2026-11-25T01:02:03Z"
    node = FakeNode(
        noted={"a:1": f"{DIGEST.hex()} {later}", "b:1": f"{DIGEST.hex()} {earlier}", "c:1": "- -"}
    )
    place = await Place.recall(node, "d:1")
    assert place.resume() == Resume(None, datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC), node.max_event)
