"""A node: what is submitted is kept, judged, and handed to every sink that wants it, whatever fails."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

import voeflow
from support.nodes import read, running
from support.samples import voevent
from support.stored import new_event
from voeflow import _intake, _wall
from voeflow._bookkeeping import save_progress
from voeflow._node import RunningNode
from voeflow._store import Store
from voeflow._store_deliveries import verdicts_of
from voeflow._store_reader import StoreReader
from voeflow._store_select import Selection, select, select_dead, select_refused

SIMPLE = """
[transports.in]
plugin = "hand"
[handlers.notes]
plugin = "notebook"
retry_wait = 0
"""


async def test_an_event_is_on_disk_when_it_is_accepted(tmp_path: Path) -> None:
    async with running(tmp_path, SIMPLE) as (pipeline, _):
        answer = await pipeline.transports["in"].instance.node.submit(voevent())
        other = StoreReader.open(tmp_path / "voeflow.db")
        try:
            (stored,) = select(other, Selection())
        finally:
            other.close()

    assert answer == voeflow.Submission("accepted", "ivo://obspm.gepi/svom#trigger-1")
    assert stored.raw == voevent()


async def test_the_same_element_again_is_a_duplicate_and_goes_no_further(tmp_path: Path) -> None:
    async with running(tmp_path, SIMPLE) as (pipeline, _):
        submit = pipeline.transports["in"].instance.node.submit
        await submit(voevent())
        again = await submit(b"<!-- by another broker -->" + voevent(declaration=""))
        await submit(voevent("ivo://obspm.gepi/svom#trigger-2"))
        seen = await pipeline.handlers["notes"].instance.wait(2)

    assert again.outcome == "duplicate"
    assert [ivorn for ivorn, _, _ in seen] == [
        "ivo://obspm.gepi/svom#trigger-1",
        "ivo://obspm.gepi/svom#trigger-2",
    ]


async def test_the_same_ivorn_with_another_element_is_another_event(tmp_path: Path) -> None:
    async with running(tmp_path, SIMPLE) as (pipeline, _):
        submit = pipeline.transports["in"].instance.node.submit
        outcomes = [(await submit(voevent(packet_type=number))).outcome for number in (1, 2)]

    assert outcomes == ["accepted", "accepted"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"no xml", "XML"),
        (b"<!DOCTYPE a><a/>", "DOCTYPE"),
        (b"<html/>", "VOEvent"),
        (voevent(ivorn=""), "ivorn"),
        (voevent(ivorn="ivo://obspm.gepi/svom"), "no local part"),
        (voevent(ivorn="ivo://a/b c#1"), "ivorn"),
        (voevent(body="<Wherewhen/>"), "Wherewhen"),
        (voevent(role="joke"), "role"),
    ],
)
async def test_what_an_author_got_wrong_is_refused_with_what_to_mend(
    tmp_path: Path, raw: bytes, reason: str
) -> None:
    async with running(tmp_path, SIMPLE) as (pipeline, _):
        answer = await pipeline.transports["in"].instance.node.submit(raw, peer="192.0.2.1:1")

    assert answer.outcome == "refused"
    assert reason in answer.reason
    assert str(tmp_path) not in answer.reason


async def test_a_packet_that_is_too_long_is_refused_with_the_key_that_says_how_long_one_may_be(
    tmp_path: Path,
) -> None:
    packet = voevent()
    async with running(tmp_path, f"max_event = {len(packet) - 1}{SIMPLE}") as (pipeline, _):
        answer = await pipeline.transports["in"].instance.node.submit(packet, validate="wellformed")

    assert answer.outcome == "refused"
    assert f"{len(packet)} bytes" in answer.reason
    assert f"max_event is {len(packet) - 1}" in answer.reason


async def test_a_refusal_says_where_in_the_packet(tmp_path: Path) -> None:
    async with running(tmp_path, SIMPLE) as (pipeline, _):
        answer = await pipeline.transports["in"].instance.node.submit(voevent(body="<What><Parm/></What>"))

    assert answer.reason.startswith("line 3")


async def test_an_upstream_packet_that_breaks_the_grammar_is_taken_and_marked(tmp_path: Path) -> None:
    async with running(tmp_path, SIMPLE) as (pipeline, _):
        submit = pipeline.transports["in"].instance.node.submit
        answer = await submit(voevent(body="<Wherewhen/>"), validate="wellformed")
        await pipeline.handlers["notes"].instance.wait(1)

    assert answer.outcome == "accepted"
    with_store = Store.open(tmp_path / "voeflow.db")
    assert [event.valid for event in select(with_store, Selection())] == [False]
    with_store.close()


async def test_what_is_refused_is_kept_aside_with_its_reason(tmp_path: Path) -> None:
    async with running(tmp_path, SIMPLE) as (pipeline, _):
        await pipeline.transports["in"].instance.node.submit(b"<html/>", validate="wellformed", peer="p")

    store = Store.open(tmp_path / "voeflow.db")
    (refusal,) = select_refused(store, Selection())
    store.close()
    assert (refusal.raw, refusal.source, refusal.peer) == (b"<html/>", "in", "p")


async def test_a_peer_whose_every_packet_is_refused_does_not_fill_the_log(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with running(tmp_path, SIMPLE) as (pipeline, _):
            submit = pipeline.transports["in"].instance.node.submit
            for port in range(100):
                await submit(b"", peer=f"192.0.2.1:{port}")
            await submit(b"", peer="192.0.2.2:1")

    told = [line["peer"] for line in logs if line["event"] == "event refused"]
    assert told == [f"192.0.2.1:{port}" for port in range(20)] + ["192.0.2.2:1"]


async def test_packets_submitted_without_waiting_are_answered_in_order_many_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[list[voeflow.Submission | voeflow.StoreError]] = []
    append, all_here, all_there = Store.append, threading.Event(), trio.Event()

    def append_then(store: Store, *rows: Any) -> Any:
        assert all_here.wait(60)  # else a slow machine may store each before the next is there
        return append(store, *rows)

    def answered(some: Sequence[voeflow.Submission | voeflow.StoreError]) -> None:
        answers.append(list(some))
        if sum(map(len, answers)) == 20:
            all_there.set()

    def trip(some: Sequence[voeflow.Submission | voeflow.StoreError]) -> None:
        raise RuntimeError("a bug in a source")

    monkeypatch.setattr(Store, "append", append_then)
    ivorns = [f"ivo://obspm.gepi/svom#{number}" for number in range(20)]
    with capture_logs() as logs:
        async with running(tmp_path, SIMPLE) as (pipeline, _):
            node = pipeline.transports["in"].instance.node
            node.submit_nowait(voevent("ivo://obspm.gepi/svom#trip"), trip)
            for ivorn in ivorns:
                node.submit_nowait(voevent(ivorn), answered)
            all_here.set()
            with trio.fail_after(60):
                await all_there.wait()

    told = [answer for some in answers for answer in some]
    assert told == [voeflow.Submission("accepted", ivorn) for ivorn in ivorns]
    assert len(answers) < 20
    assert [line["source"] for line in logs if line["log_level"] == "error"] == ["in"]


async def test_packets_submitted_without_waiting_hear_of_a_store_that_cannot_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise voeflow.StoreError("full")

    answers: list[voeflow.Submission | voeflow.StoreError] = []
    told = trio.Event()

    def answered(some: Sequence[voeflow.Submission | voeflow.StoreError]) -> None:
        answers.extend(some)
        told.set()

    async with running(tmp_path, SIMPLE) as (pipeline, _):
        monkeypatch.setattr(Store, "append", fail)
        pipeline.transports["in"].instance.node.submit_nowait(voevent(), answered)
        with trio.fail_after(60):
            await told.wait()
    assert [type(answer) for answer in answers] == [voeflow.StoreError]


async def test_a_source_may_judge_an_event_before_it_is_stored(tmp_path: Path) -> None:
    def check(event: voeflow.Event) -> str:
        if event.ivorn.endswith("#broken"):
            raise KeyError("nothing of this is told")
        return "not yours\nto say" if event.ivorn.endswith("#2") else ""

    ones = [voevent(f"ivo://a.bc/d#{name}") for name in ("1", "2", "broken")]
    async with running(tmp_path, SIMPLE) as (pipeline, _):
        node = pipeline.transports["in"].instance.node
        await node.submit(ones[1])
        answers = [await node.submit(each, check=check) for each in ones]
        assert (await pipeline.handlers["notes"].instance.wait(2))[1][0] == "ivo://a.bc/d#1"

    refusals = [(each.outcome, each.ivorn, each.reason) for each in answers]
    assert refusals == [
        ("accepted", "ivo://a.bc/d#1", ""),
        ("refused", "ivo://a.bc/d#2", "not yours\\nto say"),  # though it is known: nobody learns that here
        ("refused", "ivo://a.bc/d#broken", "this node cannot judge it"),
    ]
    store = Store.open(tmp_path / "voeflow.db")
    kept = select_refused(store, Selection())
    store.close()
    assert {each.reason for each in kept} == {"not yours\\nto say", "this node cannot judge it"}


async def test_how_deep_and_how_crowded_a_packet_may_be_is_said_in_the_pipeline(tmp_path: Path) -> None:
    deep = voevent().replace(b"</Who>", b"</Who><What>" + b"<Group>" * 10 + b"</Group>" * 10 + b"</What>")
    crowded = voevent().replace(b"<Who>", b"<Who " + b" ".join(b'a%d=""' % n for n in range(17)) + b">")
    limits = "max_depth = 9\nmax_attributes = 16\n"
    async with running(tmp_path, limits + SIMPLE) as (pipeline, node):
        submit = pipeline.transports["in"].instance.node.submit
        assert (await submit(deep)).reason.endswith("elements are nested deeper than 9")
        assert (await submit(crowded)).reason.endswith("an element has more than 16 attributes")
        await node.reload(read(tmp_path, SIMPLE)[0])
        assert (await submit(deep, validate="wellformed")).outcome == "accepted"
        assert (await submit(crowded, validate="wellformed")).outcome == "accepted"


async def test_a_sink_gets_what_its_when_and_sources_say(tmp_path: Path) -> None:
    toml = (
        SIMPLE
        + """
[transports.other]
plugin = "hand"
[filters.test]
plugin = "role"
roles = ["test"]
[handlers.tests_only]
plugin = "notebook"
when = "test"
[transports.out]
plugin = "wire"
when = "not test"
sources = ["in"]
"""
    )
    async with running(tmp_path, toml) as (pipeline, _):
        submit = pipeline.transports["in"].instance.node.submit
        await submit(voevent("ivo://a.bc/d#1", role="test"))
        await submit(voevent("ivo://a.bc/d#2"))
        await pipeline.transports["other"].instance.node.submit(voevent("ivo://a.bc/d#3"))
        await submit(voevent("ivo://a.bc/d#4"))
        everything = await pipeline.handlers["notes"].instance.wait(4)
        out = await pipeline.transports["out"].instance.wait(2)
        tests = await pipeline.handlers["tests_only"].instance.wait(1)

    assert len(everything) == 4
    assert [delivery.event.ivorn for delivery in out] == ["ivo://a.bc/d#2", "ivo://a.bc/d#4"]
    assert [ivorn for ivorn, _, _ in tests] == ["ivo://a.bc/d#1"]


async def test_a_handler_that_fails_is_given_the_event_again_with_the_same_id(tmp_path: Path) -> None:
    toml = SIMPLE.replace("retry_wait = 0", "retry_wait = 0\nfailures = 2")
    async with running(tmp_path, toml) as (pipeline, _):
        await pipeline.transports["in"].instance.node.submit(voevent())
        seen = await pipeline.handlers["notes"].instance.wait(3)

    assert [attempt for _, _, attempt in seen] == [1, 2, 3]
    assert len({delivery for _, delivery, _ in seen}) == 1


async def test_a_delivery_is_given_up_after_its_retries_and_told_in_the_store(tmp_path: Path) -> None:
    toml = SIMPLE.replace("retry_wait = 0", "retry_wait = 0\nretries = 2\nfailures = 9")
    with capture_logs() as logs:
        async with running(tmp_path, toml) as (pipeline, _):
            submit = pipeline.transports["in"].instance.node.submit
            await submit(voevent("ivo://a.bc/d#1"))
            await pipeline.handlers["notes"].instance.wait(3)

    (given_up,) = [line for line in logs if line["event"] == "delivery given up"]
    assert "no ink" in given_up["reason"]
    store = Store.open(tmp_path / "voeflow.db")
    (dead,) = select_dead(store, Selection())
    store.close()
    assert (dead.sink, dead.attempts, dead.event.ivorn) == ("notes", 3, "ivo://a.bc/d#1")


async def test_what_was_in_hand_when_a_node_stopped_is_handed_over_after_its_start_and_both_are_told(
    tmp_path: Path,
) -> None:
    with capture_logs() as logs:
        async with running(tmp_path, "drain = 0\n" + SIMPLE + "hangs = true\n") as (pipeline, _):
            await pipeline.transports["in"].instance.node.submit(voevent())
            first = list(await pipeline.handlers["notes"].instance.wait(1))
        async with running(tmp_path, SIMPLE) as (pipeline, _):
            second = await pipeline.handlers["notes"].instance.wait(1)

    assert second == first
    told = "stopped before these were done; they go on at the next start"
    assert [each["sinks"] for each in logs if each["event"] == told] == [["notes"]]
    goes_on = [each for each in logs if each["event"] == "sink goes on where it was"]
    assert [(each["sink"], each["behind"], each["waiting"]) for each in goes_on] == [("notes", 1, 0)]


async def test_nothing_is_pruned_before_the_store_knows_which_sinks_there_are(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "voeflow.db")
    store.open_sinks(["notes"])
    store.append([new_event(1, raw=voevent(), received=0.0)])
    store.open_sinks([])
    store.close()
    async with running(tmp_path, SIMPLE) as (pipeline, _):
        ((ivorn, _id, _attempt),) = await pipeline.handlers["notes"].instance.wait(1)

    assert ivorn == "ivo://obspm.gepi/svom#trigger-1"


async def test_a_delivery_that_waits_for_its_retry_goes_on_counting_after_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml = SIMPLE.replace("retry_wait = 0", 'retry_wait = "1 hour"\nfailures = 1')
    failed = trio.Event()

    class Watches:
        @voeflow.hookimpl
        def delivery_failed(self) -> None:
            failed.set()

    async with running(tmp_path, toml, [Watches()]) as (pipeline, _):
        await pipeline.transports["in"].instance.node.submit(voevent())
        await failed.wait()
    monkeypatch.setattr(_wall, "now", lambda: time.time() + 7200)
    async with running(tmp_path, SIMPLE) as (pipeline, _):
        ((_ivorn, _id, attempt),) = await pipeline.handlers["notes"].instance.wait(1)

    assert attempt == 2


async def test_a_transport_that_settles_nothing_has_it_again_after_a_restart(tmp_path: Path) -> None:
    toml = 'drain = 0\n[transports.in]\nplugin = "hand"\n[transports.out]\nplugin = "wire"\nsettle = false\n'
    async with running(tmp_path, toml) as (pipeline, _):
        await pipeline.transports["in"].instance.node.submit(voevent())
        await pipeline.transports["out"].instance.wait(1)
    async with running(tmp_path, toml) as (pipeline, _):
        (again,) = await pipeline.transports["out"].instance.wait(1)

    assert again.event.raw == voevent()


async def test_a_transport_that_fails_is_started_again_and_has_what_it_had_not_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voeflow._supervisor.FIRST_WAIT", 0.001)
    toml = 'drain = 0\n[transports.in]\nplugin = "hand"\n[transports.out]\nplugin = "wire"\nsettle = false\n'
    with capture_logs() as logs:
        async with running(tmp_path, toml) as (pipeline, _):
            wire = pipeline.transports["out"].instance
            await pipeline.transports["in"].instance.node.submit(voevent())
            await wire.wait(1)
            wire.crash.set()
            first, second = await wire.wait(2)

    assert first.id == second.id
    (failed,) = [line for line in logs if line["event"] == "transport failed"]
    assert failed["transport"] == "out"
    assert "the wire broke" in failed["reason"]


async def test_more_than_a_sink_holds_in_memory_comes_from_the_store_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voeflow._feed.MAX_QUEUED", 3)
    monkeypatch.setattr("voeflow._feed.READ_AT_ONCE", 4)
    gate = trio.Event()

    @attrs.define(eq=False)
    class Slow:
        seen: list[str] = attrs.field(factory=list, init=False)

        async def handle(self, event: voeflow.Event) -> None:
            await gate.wait()
            self.seen.append(event.ivorn)

    ivorns = [f"ivo://a.bc/d#{number}" for number in range(30)]
    async with running(tmp_path, SIMPLE + '[handlers.slow]\nplugin = "slow"\n', [_handlers(slow=Slow)]) as (
        pipeline,
        _,
    ):
        for ivorn in ivorns:
            await pipeline.transports["in"].instance.node.submit(voevent(ivorn))
        seen = await pipeline.handlers["notes"].instance.wait(30)
        gate.set()
    # the node has drained

    assert [ivorn for ivorn, _, _ in seen] == ivorns
    assert pipeline.handlers["slow"].instance.seen == ivorns


async def test_a_handler_that_asks_for_later_is_not_counted_as_failing(tmp_path: Path) -> None:
    @attrs.define(eq=False)
    class Busy:
        attempts: list[int] = attrs.field(factory=list, init=False)
        finished: trio.Event = attrs.field(factory=trio.Event, init=False)

        async def handle(self, event: voeflow.Event, delivery: voeflow.Delivery) -> None:
            self.attempts.append(delivery.attempt)
            if len(self.attempts) < 8:
                raise voeflow.Later(0.001, "busy")
            self.finished.set()

    toml = SIMPLE + '[handlers.busy]\nplugin = "busy"\nretries = 1\n'
    async with running(tmp_path, toml, [_handlers(busy=Busy)]) as (pipeline, _):
        await pipeline.transports["in"].instance.node.submit(voevent())
        with trio.fail_after(60):
            await pipeline.handlers["busy"].instance.finished.wait()

    assert len(pipeline.handlers["busy"].instance.attempts) == 8


async def test_a_handler_that_gives_up_has_a_dead_letter_at_once(tmp_path: Path) -> None:
    given_up = trio.Event()

    @attrs.frozen
    class Hopeless:
        async def handle(self, event: voeflow.Event) -> None:
            raise voeflow.GiveUp("refused\nfor good")

    class Watches:
        @voeflow.hookimpl
        def delivery_failed(self, dead: bool, attempt: int) -> None:
            assert (dead, attempt) == (True, 1)
            given_up.set()

    toml = SIMPLE + '[handlers.hopeless]\nplugin = "hopeless"\nretries = 9\n'
    async with running(tmp_path, toml, [_handlers(hopeless=Hopeless), Watches()]) as (pipeline, _):
        await pipeline.transports["in"].instance.node.submit(voevent())
        with trio.fail_after(60):
            await given_up.wait()
    store = Store.open(tmp_path / "voeflow.db")
    (dead,) = select_dead(store, Selection())
    store.close()
    assert (dead.sink, dead.attempts, dead.reason) == ("hopeless", 1, "refused\\nfor good")


class _Raises:
    def matches(self, event: voeflow.Event) -> bool:
        raise RuntimeError("out of order")


@pytest.mark.parametrize("inline", [True, False])
async def test_a_filter_that_raises_is_named_and_others_decide_without_it(
    tmp_path: Path, inline: bool
) -> None:
    is_inline = inline

    @attrs.define(eq=False)
    class Broken(_Raises):
        inline: ClassVar[bool] = is_inline

    toml = (
        SIMPLE
        + """
[filters.broken]
plugin = "broken"
[filters.any]
plugin = "author"
authors = ["ivo://*"]
[handlers.needs_it]
plugin = "notebook"
when = "broken"
retries = 0
[handlers.does_not]
plugin = "notebook"
when = "any or broken"
"""
    )
    with capture_logs() as logs:
        async with running(tmp_path, toml, [_filters(broken=Broken)]) as (pipeline, _):
            await pipeline.transports["in"].instance.node.submit(voevent())
            await pipeline.handlers["does_not"].instance.wait(1)

    assert pipeline.handlers["needs_it"].instance.seen == []
    (line,) = [line for line in logs if line["event"] == "delivery given up"]
    assert line["sink"] == "needs_it"
    assert "broken" in line["reason"]
    assert "out of order" in line["reason"]


async def test_a_filter_that_hangs_delays_only_the_sinks_that_ask_it(tmp_path: Path) -> None:
    release = trio.Event()

    @attrs.define(eq=False)
    class Hangs:
        async def matches(self, event: voeflow.Event) -> bool:
            await release.wait()
            return True

    toml = (
        SIMPLE
        + '[filters.hangs]\nplugin = "hangs"\n[handlers.waits]\nplugin = "notebook"\nwhen = "hangs"\n'
        + 'retry_wait = 0\ngive_up_after = "1 hour"\n'  # however often it is asked until it is released
    )
    toml = "filter_timeout = 0.05\n" + toml
    async with running(tmp_path, toml, [_filters(hangs=Hangs)]) as (pipeline, _):
        submit = pipeline.transports["in"].instance.node.submit
        for number in range(5):
            await submit(voevent(f"ivo://a.bc/d#{number}"))
        await pipeline.handlers["notes"].instance.wait(5)
        assert pipeline.handlers["waits"].instance.seen == []
        release.set()
        await pipeline.handlers["waits"].instance.wait(5)


async def test_a_filter_that_several_sinks_name_is_asked_once(tmp_path: Path) -> None:
    @attrs.define(eq=False)
    class Counts:
        asked: int = attrs.field(default=0, init=False)

        async def matches(self, event: voeflow.Event) -> voeflow.Verdict:
            self.asked += 1
            await trio.lowlevel.checkpoint()
            return voeflow.Verdict(True, "why not")

    toml = SIMPLE + '[filters.counts]\nplugin = "counts"\n'
    for name in "abc":
        toml += f'[handlers.{name}]\nplugin = "notebook"\nwhen = "counts"\n'
    async with running(tmp_path, toml, [_filters(counts=Counts)]) as (pipeline, _):
        await pipeline.transports["in"].instance.node.submit(voevent())
        for name in "abc":
            await pipeline.handlers[name].instance.wait(1)

    assert pipeline.filters["counts"].instance.asked == 1


async def test_observers_are_told_what_happens(tmp_path: Path) -> None:
    told: list[tuple[str, Any]] = []

    class Watches:
        @voeflow.hookimpl
        def node_started(self, ivoid: str) -> None:
            told.append(("started", ivoid))

        @voeflow.hookimpl
        def event_accepted(self, event: voeflow.Event) -> None:
            told.append(("accepted", event.ivorn))

        @voeflow.hookimpl
        def event_duplicate(self, event: voeflow.Event) -> None:
            told.append(("duplicate", event.ivorn))

        @voeflow.hookimpl
        def event_refused(self, reason: str, source: str) -> None:
            told.append(("refused", source))

        @voeflow.hookimpl
        def event_delivered(self, event: voeflow.Event, sink: str) -> None:
            told.append(("delivered", sink))
            raise RuntimeError("an observer may fail")

        @voeflow.hookimpl
        def delivery_failed(self, sink: str, attempt: int, dead: bool) -> None:
            told.append(("failed", (sink, attempt, dead)))

        @voeflow.hookimpl
        def node_stopping(self) -> None:
            told.append(("stopping", None))

    toml = SIMPLE.replace("retry_wait = 0", "retry_wait = 0\nfailures = 1")
    async with running(tmp_path, 'ivoid = "ivo://a.bc/d"\n' + toml, [Watches()]) as (pipeline, _):
        submit = pipeline.transports["in"].instance.node.submit
        await submit(voevent())
        await submit(voevent())
        await submit(b"")
        await pipeline.handlers["notes"].instance.wait(2)

    ivorn = "ivo://obspm.gepi/svom#trigger-1"
    assert set(map(str, told)) == set(
        map(
            str,
            [
                ("started", "ivo://a.bc/d"),
                ("accepted", ivorn),
                ("duplicate", ivorn),
                ("refused", "in"),
                ("failed", ("notes", 1, False)),
                ("delivered", "notes"),
                ("stopping", None),
            ],
        )
    )


async def test_a_handler_that_cannot_start_keeps_the_node_from_starting(tmp_path: Path) -> None:
    @attrs.define(eq=False)
    class Cannot:
        def start(self) -> None:
            raise ValueError("the telescope is locked")

        def handle(self, event: voeflow.Event) -> None: ...

    with pytest.RaisesGroup(voeflow.StartError) as caught:
        async with running(tmp_path, SIMPLE + '[handlers.no]\nplugin = "no"\n', [_handlers(no=Cannot)]):
            pass

    assert str(caught.value.exceptions[0]) == "handlers.no: the telescope is locked"


async def test_a_transport_that_cannot_start_keeps_the_node_from_starting(tmp_path: Path) -> None:
    @attrs.define(eq=False)
    class Cannot:
        async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[None]) -> None:
            raise OSError(98, "Address already in use", "0.0.0.0:8098")

    toml = SIMPLE + '[transports.no]\nplugin = "no"\n'
    with pytest.RaisesGroup(voeflow.StartError) as caught:
        async with running(tmp_path, toml, [_transports(no=Cannot)]):
            pass

    assert str(caught.value.exceptions[0]) == "transports.no: Address already in use: 0.0.0.0:8098"


async def test_a_store_that_another_node_holds_keeps_the_node_from_starting(tmp_path: Path) -> None:
    async with running(tmp_path, SIMPLE) as (pipeline, _):
        second = RunningNode(pipeline, voeflow_observers())
        with pytest.raises(voeflow.StartError, match=r"store: .*held by another node"):
            await second.run()


@pytest.mark.parametrize("fails", ["last_seq", "open_sinks"])
async def test_a_store_that_fails_as_the_node_starts_is_told_as_any_that_cannot_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    def full(*_: object) -> Any:
        raise voeflow.StoreError("database or disk is full")

    monkeypatch.setattr(Store, fails, full)
    with pytest.raises(voeflow.StartError, match="store: database or disk is full"):
        await RunningNode(*read(tmp_path, SIMPLE)).run()


async def test_nothing_is_accepted_before_everything_has_started(tmp_path: Path) -> None:
    """A source that is ready early waits until the last table is ready too."""
    started = trio.Event()
    accepted = trio.Event()

    @attrs.define(eq=False)
    class Eager:
        async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[None]) -> None:
            task_status.started()
            started.set()
            await node.submit(voevent())
            accepted.set()
            await trio.sleep_forever()

    @attrs.define(eq=False)
    class Hesitant:
        async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[None]) -> None:
            await started.wait()
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert not accepted.is_set()
            task_status.started()
            await trio.sleep_forever()

    toml = SIMPLE + '[transports.eager]\nplugin = "eager"\n[transports.hesitant]\nplugin = "hesitant"\n'
    async with running(tmp_path, toml, [_transports(eager=Eager, hesitant=Hesitant)]):
        with trio.fail_after(60):
            await accepted.wait()


async def test_one_that_calls_exit_does_not_take_the_node_down(tmp_path: Path) -> None:
    @attrs.define(eq=False)
    class Exits:
        def handle(self, event: voeflow.Event) -> None:
            raise SystemExit(3)

    toml = SIMPLE + '[handlers.exits]\nplugin = "exits"\nretries = 0\n'
    with capture_logs() as logs:
        async with running(tmp_path, toml, [_handlers(exits=Exits)]) as (pipeline, _):
            await pipeline.transports["in"].instance.node.submit(voevent())
            await pipeline.handlers["notes"].instance.wait(1)

    assert [line["sink"] for line in logs if line["event"] == "delivery given up"] == ["exits"]


def voeflow_observers() -> Any:
    from voeflow._plugins import load_plugins

    return load_plugins().observers


def _handlers(**classes: type) -> object:
    class Plugin:
        @voeflow.hookimpl
        def register_handlers(self) -> dict[str, type]:
            return classes

    return Plugin()


def _filters(**classes: type) -> object:
    class Plugin:
        @voeflow.hookimpl
        def register_filters(self) -> dict[str, type]:
            return classes

    return Plugin()


def _transports(**classes: type) -> object:
    class Plugin:
        @voeflow.hookimpl
        def register_transports(self) -> dict[str, type]:
            return classes

    return Plugin()


async def test_no_answer_is_given_for_what_is_not_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that cannot write is no refusal: the author is to try again. It is told once, not each time."""
    append = Store.append
    full = True

    def append_if_room(store: Store, *rows: Any) -> list[int | None]:
        if full:
            raise voeflow.StoreError("store voeflow.db: database or disk is full")
        return append(store, *rows)

    monkeypatch.setattr(Store, "append", append_if_room)
    with capture_logs() as logs:
        async with running(tmp_path, SIMPLE) as (pipeline, _):
            submit = pipeline.transports["in"].instance.node.submit
            for _number in range(3):
                with pytest.raises(voeflow.StoreError):
                    await submit(voevent())
            with pytest.raises(voeflow.StoreError):
                await submit(b"<html/>")
            full = False
            answer = await submit(voevent())

    assert answer.outcome == "accepted"
    assert len([line for line in logs if line["log_level"] == "error"]) == 1


async def test_progress_that_could_not_be_written_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, failures, saved = Store.save_progress, iter(range(2)), threading.Event()

    def save_after_a_while(store: Store, *rows: Any) -> None:
        if next(failures, None) is not None:
            raise voeflow.StoreError("disk full")
        save(store, *rows)
        saved.set()

    monkeypatch.setattr(Store, "save_progress", save_after_a_while)
    monkeypatch.setattr("voeflow._bookkeeping.SAVE_INTERVAL", 0.001)
    async with running(tmp_path, SIMPLE) as (pipeline, _):
        await pipeline.transports["in"].instance.node.submit(voevent())
        await pipeline.handlers["notes"].instance.wait(1)
        assert await trio.to_thread.run_sync(saved.wait, 60)

    store = Store.open(tmp_path / "voeflow.db")
    assert store.open_sinks(["notes"])["notes"].cursor == 1
    store.close()


async def test_why_a_filter_said_so_is_kept(tmp_path: Path) -> None:
    @attrs.frozen
    class Says:
        def matches(self, event: voeflow.Event) -> voeflow.Verdict:
            return voeflow.Verdict(True, "zenith angle 30 deg")

    toml = SIMPLE + '[filters.says]\nplugin = "says"\n[handlers.acts]\nplugin = "notebook"\nwhen = "says"\n'
    async with running(tmp_path, toml, [_filters(says=Says)]) as (pipeline, _):
        await pipeline.transports["in"].instance.node.submit(voevent())
        await pipeline.handlers["acts"].instance.wait(1)

    reader = StoreReader.open(tmp_path / "voeflow.db")
    (verdict,) = verdicts_of(reader, 1)
    reader.close()
    assert (verdict.filter, verdict.holds, verdict.reason) == ("says", True, "zenith angle 30 deg")


async def test_a_plain_handler_may_block(tmp_path: Path) -> None:
    entered, release = threading.Event(), threading.Event()

    @attrs.frozen
    class Blocks:
        def handle(self, event: voeflow.Event) -> None:
            entered.set()
            assert release.wait(60)

    async with running(tmp_path, SIMPLE + '[handlers.b]\nplugin = "b"\n', [_handlers(b=Blocks)]) as (
        pipeline,
        _,
    ):
        submit = pipeline.transports["in"].instance.node.submit
        await submit(voevent("ivo://a.bc/d#1"))
        await trio.to_thread.run_sync(entered.wait, 60)
        await submit(voevent("ivo://a.bc/d#2"))
        await pipeline.handlers["notes"].instance.wait(2)
        release.set()


async def test_a_packet_that_trips_the_parser_is_refused_and_the_node_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parse = voeflow.Event.parse

    def trip(raw: bytes, **facts: Any) -> voeflow.Event:
        if b"trip" in raw:
            raise KeyError("a bug of ours")
        return parse(raw, **facts)

    monkeypatch.setattr(voeflow.Event, "parse", trip)
    async with running(tmp_path, SIMPLE) as (pipeline, _):
        submit = pipeline.transports["in"].instance.node.submit
        tripped = await submit(voevent("ivo://a.bc/d#trip"))
        answer = await submit(voevent())

    assert (tripped.outcome, answer.outcome) == ("refused", "accepted")


async def test_a_packet_that_trips_what_reads_more_of_it_is_refused_and_the_node_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trip(_: object) -> tuple[voeflow.Defect, ...]:
        raise AssertionError("an internal error of libxml2")

    monkeypatch.setattr("voeflow._event.defects", trip)
    async with running(tmp_path, SIMPLE) as (pipeline, _):
        submit = pipeline.transports["in"].instance.node.submit
        tripping = await submit(voevent(), validate="wellformed")
        monkeypatch.undo()
        next_one = await submit(voevent())

    assert (tripping.outcome, next_one.outcome) == ("refused", "accepted")


async def test_who_takes_without_being_a_sink_is_told_what_to_write(tmp_path: Path) -> None:
    async with running(tmp_path, SIMPLE) as (pipeline, _):
        with pytest.raises(TypeError, match="sink = True"):
            await pipeline.transports["in"].instance.node.take()


async def test_every_handler_that_cannot_start_is_told_at_once(tmp_path: Path) -> None:
    @attrs.define(eq=False)
    class Cannot:
        def start(self) -> None:
            raise OSError(13, "Permission denied", "/proc/x")

        def handle(self, event: voeflow.Event) -> None: ...

    toml = SIMPLE + '[handlers.a]\nplugin = "no"\n[handlers.b]\nplugin = "no"\n'
    with pytest.RaisesGroup(voeflow.StartError) as caught:
        async with running(tmp_path, toml, [_handlers(no=Cannot)]):
            pass

    (error,) = caught.value.exceptions
    told = [str(each) for each in (error, *error.others)]
    assert told == [f"handlers.{name}: Permission denied: /proc/x" for name in "ab"]


async def test_a_mistake_in_a_plugin_is_told_with_its_place(tmp_path: Path) -> None:
    @attrs.frozen
    class Mistaken:
        def handle(self, event: voeflow.Event) -> None:
            event.nonesuch  # type: ignore[attr-defined]  # noqa: B018 - the mistake

    toml = SIMPLE + '[handlers.m]\nplugin = "m"\nretries = 0\n'
    with capture_logs() as logs:
        async with running(tmp_path, toml, [_handlers(m=Mistaken)]) as (pipeline, _):
            await pipeline.transports["in"].instance.node.submit(voevent())

    (line,) = [line for line in logs if line["event"] == "delivery given up"]
    assert re.search(r"\(test_node\.py:\d+\)$", line["reason"])


async def test_what_was_taken_is_counted_and_told_at_the_end(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with running(tmp_path, SIMPLE) as (pipeline, _):
            submit = pipeline.transports["in"].instance.node.submit
            await submit(voevent())
            await submit(voevent())
            await submit(voevent(body="<Wherewhen/>"), validate="wellformed")
            await submit(b"<html/>")

    (line,) = [line for line in logs if line["event"] == "taken since the start"]
    counts = {name: line[name] for name in ("accepted", "invalid", "duplicate", "refused")}
    assert counts == {"accepted": 2, "invalid": 1, "duplicate": 1, "refused": 1}


async def test_progress_whose_writing_was_cancelled_is_written_at_the_end(tmp_path: Path) -> None:
    async with running(tmp_path, SIMPLE) as (pipeline, node):
        await pipeline.transports["in"].instance.node.submit(voevent())
        await pipeline.handlers["notes"].instance.wait(1)
        await node._works.wait_idle()
        with trio.CancelScope() as scope:
            scope.cancel()
            works = node._works
            await save_progress(works._store, list(works.sinks.values()), works.filters)

    store = Store.open(tmp_path / "voeflow.db")
    assert store.open_sinks(["notes"])["notes"].cursor == 1
    store.close()


async def test_a_source_can_see_how_far_every_sink_is_done_with_events(tmp_path: Path) -> None:
    toml = '[transports.in]\nplugin = "hand"\n'
    wire = '[transports.out]\nplugin = "wire"\nsettle = false\n'
    async with running(tmp_path, toml + wire + '[handlers.notes]\nplugin = "notebook"\n') as (pipeline, _):
        source = pipeline.transports["in"].instance.node
        out = pipeline.transports["out"].instance
        assert source.delivered_up_to == 0
        for number in (1, 2):
            await source.submit(voevent(f"ivo://a.bc/d#{number}"))
        await pipeline.handlers["notes"].instance.wait(2)
        first, second = await out.wait(2)
        second.done()
        assert source.delivered_up_to == 0
        first.done()
        with trio.fail_after(60):
            while source.delivered_up_to < 2:  # noqa: ASYNC110 - the handler's own end is told to nobody
                await trio.sleep(0.01)


async def test_where_nothing_goes_out_what_is_stored_counts_as_delivered(tmp_path: Path) -> None:
    async with running(tmp_path, '[transports.in]\nplugin = "hand"\n') as (pipeline, _):
        source = pipeline.transports["in"].instance.node
        submission = await source.submit(voevent())
        assert source.delivered_up_to == submission.position == 1


async def test_many_events_in_a_moment_have_some_lines_in_the_log_and_a_sum(
    tmp_path: Path,
    mock_clock: trio.testing.MockClock,  # by which it is a moment
) -> None:
    with capture_logs() as logs:
        async with running(tmp_path, SIMPLE) as (pipeline, _):
            submit = pipeline.transports["in"].instance.node.submit
            async with trio.open_nursery() as nursery:
                for number in range(300):
                    nursery.start_soon(submit, voevent(f"ivo://obspm.gepi/svom#{number}"))

    single = [line for line in logs if line["event"] == "event accepted"]
    sums = [line["number"] for line in logs if line["event"] == "events accepted"]
    assert (len(single), sum(sums)) == (20, 280)


async def test_a_batch_is_read_while_the_one_before_is_stored_and_order_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, stored = Store.append, []
    first_is_stored, second_was_read = threading.Event(), threading.Event()
    parse = voeflow.Event.parse

    def slow_append(self: Store, events: Sequence[Any], *args: Any) -> Any:
        stored.append([event.ivorn[-1] for event in events])
        if len(stored) == 1:
            first_is_stored.set()
            assert second_was_read.wait(60)
        return append(self, events, *args)

    def seen(raw: bytes, **facts: Any) -> voeflow.Event:
        if b"svom#2" in raw:
            second_was_read.set()
        return parse(raw, **facts)

    async with running(tmp_path, SIMPLE) as (pipeline, _):
        monkeypatch.setattr(Store, "append", slow_append)
        monkeypatch.setattr(voeflow.Event, "parse", seen)
        submit = pipeline.transports["in"].instance.node.submit
        async with trio.open_nursery() as nursery:
            nursery.start_soon(submit, voevent("ivo://obspm.gepi/svom#1"))
            assert await trio.to_thread.run_sync(first_is_stored.wait, 60)
            nursery.start_soon(submit, voevent("ivo://obspm.gepi/svom#2"))
        seen_by_sink = await pipeline.handlers["notes"].instance.wait(2)

    assert stored == [["1"], ["2"]]
    assert [ivorn[-1] for ivorn, _, _ in seen_by_sink] == ["1", "2"]


async def test_who_waits_for_room_gets_it_also_where_the_thread_took_what_was_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_intake, "MAX_WAITING_BYTES", 1)
    append = Store.append

    def slow_append(self: Store, *args: Any) -> Any:
        time.sleep(0.005)  # so that what comes meanwhile is read for the next batch, and others wait for room
        return append(self, *args)

    monkeypatch.setattr(Store, "append", slow_append)
    answers = []

    async with running(tmp_path, SIMPLE) as (pipeline, _):
        node = pipeline.transports["in"].instance.node

        async def submit(number: int) -> None:
            answers.append((await node.submit(voevent(f"ivo://obspm.gepi/svom#{number}"))).outcome)

        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                for number in range(60):
                    nursery.start_soon(submit, number)
    assert answers == ["accepted"] * 60
