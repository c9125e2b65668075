"""Digests of the `email` handler: every event in one, none lost, whatever happens in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

import voeflow
from support.nodes import running
from support.samples import voevent
from voeflow_handlers import mail
from voeflow_handlers._ceiling import Digest, Hold, Told
from voeflow_handlers._digest import GATHER, HELD_AT_ONCE, Digests
from voeflow_handlers._smtp import MailError
from voeflow_handlers.mail import Email

HOURS = 3600.0
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOW = NOON.timestamp()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[EmailMessage]:
    """Instead of a mail server: what it was sent. The delivery by SMTP itself is tested elsewhere."""
    messages: list[EmailMessage] = []

    def send(server: object, message: EmailMessage, **_: Any) -> dict[str, str]:
        messages.append(message)
        return {}

    monkeypatch.setattr(mail, "send", send)
    return messages


def email(**options: Any) -> Email:
    options = {"digest": voeflow.Seconds(6 * HOURS), "digest_line": "{ivorn} {param:SNR}", **options}
    return Email(("duty@example.org",), "voeflow@example.org", **options)


def delivery(number: int, after: float = 0.0) -> voeflow.Delivery:
    event = voeflow.Event.parse(
        voevent(f"ivo://org.example/weather#{number}"), received=NOON + timedelta(seconds=after)
    )
    return voeflow.Delivery(event, f"{number}.duty")


def hold(handler: Email, each: voeflow.Delivery, now: float) -> float:
    with pytest.raises(voeflow.Later) as later:
        handler.handle_at(each.event, each, now)
    return later.value.seconds


def test_events_of_a_stretch_go_out_in_one_mail_after_it(sent: list[EmailMessage]) -> None:
    handler = email()
    deliveries = [delivery(n, n * 60) for n in range(3)]
    for n, each in enumerate(deliveries):
        assert hold(handler, each, NOW + n * 60) == HELD_AT_ONCE
    assert hold(handler, deliveries[0], NOW + 5.5 * HOURS) == 0.5 * HOURS + GATHER
    assert sent == []
    for each in deliveries:
        handler.handle_at(each.event, each, NOW + 6 * HOURS + GATHER)
    (message,) = sent
    assert message["Subject"] == "[voeflow] 3 events from 2026-11-24 12:00 to 12:02 UTC"
    body = message.get_content()
    assert [line for line in body.splitlines() if "weather#" in line] == [
        f"ivo://org.example/weather#{n} 12.5" for n in range(3)
    ]


def test_so_many_events_go_out_before_their_time(sent: list[EmailMessage]) -> None:
    handler = email(digest_max=2)
    first, second, third = (delivery(n) for n in range(3))
    hold(handler, first, NOW)
    handler.handle_at(second.event, second, NOW + 1)
    assert len(sent) == 1
    handler.handle_at(first.event, first, NOW + HELD_AT_ONCE)
    hold(handler, third, NOW + 2)
    assert len(sent) == 1


def test_after_a_restart_all_that_is_overdue_is_collected_before_it_is_told(
    sent: list[EmailMessage],
) -> None:
    deliveries = [delivery(n) for n in range(5)]
    before = email()
    for each in deliveries:
        hold(before, each, NOW)
    after = email()
    later = NOW + 8 * HOURS
    for each in deliveries:
        assert hold(after, each, later) == GATHER
    for each in deliveries:
        after.handle_at(each.event, each, later + GATHER)
    (message,) = sent
    assert message["Subject"].startswith("[voeflow] 5 events")


def test_a_server_that_is_down_fails_one_delivery_and_loses_none(
    sent: list[EmailMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = email()
    deliveries = [delivery(n) for n in range(3)]
    for each in deliveries:
        hold(handler, each, NOW)
    due = NOW + 6 * HOURS + GATHER
    working = mail.send

    def down(*_: Any, **__: Any) -> None:
        raise MailError("no route to host")

    monkeypatch.setattr(mail, "send", down)
    with pytest.raises(MailError):
        handler.handle_at(deliveries[0].event, deliveries[0], due)
    assert hold(handler, deliveries[1], due + 1) == 59
    monkeypatch.setattr(mail, "send", working)
    for each in deliveries:
        handler.handle_at(each.event, each, due + 60)
    assert [message["Subject"][:18] for message in sent] == ["[voeflow] 3 events"]


def test_the_same_digest_sent_twice_has_one_message_id(sent: list[EmailMessage]) -> None:
    for _ in range(2):
        handler = email(digest_max=2)
        hold(handler, delivery(1), NOW)
        handler.handle_at(delivery(2).event, delivery(2), NOW)
    first, second = sent
    assert first["Message-ID"] == second["Message-ID"]


@pytest.mark.parametrize("options", [{"digest": 5}, {"digest_max": 0}, {"digest_max": 1000}])
def test_what_cannot_be_collected_is_a_mistake(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        email(**options)


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 4 * HOURS), st.booleans()), max_size=60))
def test_every_delivery_that_is_done_with_was_told_at_least_once(
    steps: list[tuple[int, float, bool]],
) -> None:
    """Deliveries are handed over in any order, at any time, as servers fail and nodes start anew."""
    digests = Digests(6 * HOURS, 4)
    now, told, done = NOW, set(), set()
    for number, passed, bad in steps:
        now += passed
        answer = digests.ask(str(number), "", NOW, now)
        if isinstance(answer, Digest):
            if bad:
                digests.untold(now)
            else:
                told.update(answer.ids)
                digests.told(answer)
        elif isinstance(answer, Told):
            done.add(str(number))
        else:
            assert isinstance(answer, Hold)
            assert 0 < answer.seconds <= HELD_AT_ONCE
            if bad:
                digests = Digests(6 * HOURS, 4)
    assert done <= told


PIPELINE = """
drain = 0
[transports.in]
plugin = "hand"
[handlers.duty]
plugin = "email"
to = "duty@example.org"
sender = "voeflow@example.org"
digest = "1 hour"
digest_max = {most}
retry_wait = 0.01
"""


async def test_in_a_node_what_was_held_back_before_a_restart_is_in_the_digest_after_it(
    tmp_path: Path, sent: list[EmailMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voeflow_handlers._digest.HELD_AT_ONCE", 0.01)
    delivered: list[str] = []
    changed = trio.Event()

    class Watches:
        @voeflow.hookimpl
        def event_delivered(self, event: voeflow.Event) -> None:
            delivered.append(event.ivorn)
            changed.set()

    ivorns = [f"ivo://org.example/weather#{n}" for n in range(4)]
    async with running(tmp_path, PIPELINE.format(most=100), [Watches()]) as (pipeline, _):
        for ivorn in ivorns[:3]:
            await pipeline.transports["in"].instance.node.submit(voevent(ivorn))
    assert (delivered, sent) == ([], [])
    async with running(tmp_path, PIPELINE.format(most=4), [Watches()]) as (pipeline, _):
        await pipeline.transports["in"].instance.node.submit(voevent(ivorns[3]))
        with trio.fail_after(60):
            while len(delivered) < 4:
                changed = trio.Event()
                await changed.wait()
    assert sorted(delivered) == ivorns
    (message,) = sent
    assert message["Subject"].startswith("[voeflow] 4 events")
