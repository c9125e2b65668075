"""Notices: a mapping makes VOEvents of them, and what goes wrong is told, kept and passed."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

import voeflow
from support.nodes import Hand, Wire, running
from support.samples import voevent
from voeflow import Attachment, Mapped, Notice, _ledger, _mapping
from voeflow._store import Store
from voeflow._store_format import connect_to_add
from voeflow._store_reader import StoreReader
from voeflow._store_select import Selection, select_refused

NODE = """
[transports.in]
plugin = "hand"

[transports.out]
plugin = "wire"
"""


@attrs.define(eq=False)
class Gcn:
    """A mapping that makes an event of each `{"id": ...}`, citing those that came earlier."""

    topics: tuple[str, ...] = ("gcn.*",)
    made: Callable[[Notice, Sequence[str]], Any] | None = None
    asked: list[bytes] = attrs.field(factory=list)
    came: list[Sequence[str]] = attrs.field(factory=list)

    def map(self, notice: Notice, earlier: Callable[[str], Sequence[str]]) -> Any:
        self.asked.append(notice.content)
        if "id" not in notice.json:
            return None
        before = earlier("ivo://gcn/")
        self.came.append(before)
        if self.made is not None:
            return self.made(notice, before)
        return mapped(notice.json["id"])


def mapped(number: object, *attachments: Attachment) -> Mapped:
    return Mapped(voevent(f"ivo://gcn/alerts#{number}"), attachments)


def notice(number: object = 1, topic: str = "gcn.alerts") -> Notice:
    return Notice(b'{"id": "%s"}' % str(number).encode(), topic)


def offering(**mappings: Any) -> object:
    class Plugin:
        @voeflow.hookimpl
        def register_mappings(self) -> dict[str, Any]:
            return mappings

    return Plugin()


def node_of(pipeline: Any) -> voeflow.Node:
    hand = pipeline.transports["in"].instance
    assert isinstance(hand, Hand)
    node: voeflow.Node = hand.node
    return node


def refused(tmp_path: Path) -> list[Any]:
    reader = StoreReader.open(tmp_path / "voeflow.db")
    try:
        return list(select_refused(reader, Selection()))
    finally:
        reader.close()


async def test_a_notice_becomes_an_event_with_the_notice_beside_it(tmp_path: Path) -> None:
    sky = Attachment("skymap.fits", "application/fits", b"SIMPLE")
    gcn = Gcn(made=lambda notice, _: mapped(7, sky))
    async with running(tmp_path, NODE, [offering(gcn=gcn)]) as (pipeline, _):
        answer = await node_of(pipeline).submit_notice(notice(7))
        wire = pipeline.transports["out"].instance
        assert isinstance(wire, Wire)
        (delivery,) = await wire.wait(1)

    assert (answer.outcome, answer.ivorn, answer.position) == ("accepted", "ivo://gcn/alerts#7", 1)
    assert answer.digest == delivery.event.digest
    assert delivery.event.attachments == (
        Attachment("notice.json", "application/json", notice(7).content),
        sky,
    )
    assert delivery.event.source == "in"


async def test_what_the_source_has_against_the_event_made_of_a_notice_refuses_it(tmp_path: Path) -> None:
    asked = []

    def check(event: voeflow.Event) -> str:
        asked.append(event.ivorn)
        return f"its role is {event.role}"

    async with running(tmp_path, NODE, [offering(gcn=Gcn(made=lambda _, __: mapped(7)))]) as (pipeline, _):
        answer = await node_of(pipeline).submit_notice(notice(7), check=check)
        later = await node_of(pipeline).submit_notice(notice(7))

    assert (answer.outcome, answer.reason) == ("refused", "its role is observation")
    assert asked == ["ivo://gcn/alerts#7"]
    (kept,) = refused(tmp_path)
    assert kept.raw == notice(7).content
    assert later.outcome == "accepted"  # from where nothing is against it


async def test_a_notice_that_came_before_is_a_duplicate_and_not_mapped_again(tmp_path: Path) -> None:
    gcn = Gcn()
    plugins = [offering(gcn=gcn)]
    async with running(tmp_path, NODE, plugins) as (pipeline, _):
        first = await node_of(pipeline).submit_notice(notice())
        again = await node_of(pipeline).submit_notice(notice())
    async with running(tmp_path, NODE, plugins) as (pipeline, _):
        later = await node_of(pipeline).submit_notice(notice())

    assert first.outcome == "accepted"
    for repeat in (again, later):
        assert (repeat.outcome, repeat.ivorn) == ("duplicate", first.ivorn)
        assert (repeat.digest, repeat.position) == (first.digest, first.position)
    assert len(gcn.asked) == 1


async def test_one_whose_event_in_the_store_is_damaged_is_mapped_again(tmp_path: Path) -> None:
    gcn = Gcn()
    async with running(tmp_path, NODE, [offering(gcn=gcn)]) as (pipeline, _):
        first = await node_of(pipeline).submit_notice(notice())
        with closing(connect_to_add(pipeline.node.store)) as writer:
            writer.execute("UPDATE packets SET raw = CAST('<damaged' AS BLOB)")
        again = await node_of(pipeline).submit_notice(notice())

    assert (again.outcome, again.ivorn, again.position) == ("duplicate", first.ivorn, first.position)
    assert len(gcn.asked) == 2


async def test_two_notices_that_make_one_event_are_both_known_from_then_on(tmp_path: Path) -> None:
    gcn = Gcn()
    spaced = Notice(b'{ "id": "1" }', "gcn.alerts")
    async with running(tmp_path, NODE, [offering(gcn=gcn)]) as (pipeline, _):
        submit = node_of(pipeline).submit_notice
        answers = [await submit(each) for each in (notice(), spaced, spaced)]

    assert [(answer.outcome, answer.position) for answer in answers] == [
        ("accepted", 1),
        ("duplicate", 1),
        ("duplicate", 1),
    ]
    assert gcn.asked == [notice().content, spaced.content]


async def test_a_mapping_is_told_of_all_that_came_earlier_however_many_come_at_once(tmp_path: Path) -> None:
    gcn = Gcn()
    async with (
        running(tmp_path, NODE, [offering(gcn=gcn)]) as (pipeline, _),
        trio.open_nursery() as nursery,
    ):
        for number in range(20):
            nursery.start_soon(node_of(pipeline).submit_notice, notice(number))

    assert [len(before) for before in gcn.came] == list(range(20))
    assert all(list(before) == list(gcn.came[-1][: len(before)]) for before in gcn.came)


async def test_a_notice_that_nobody_knows_is_kept_aside_and_told_once(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with running(tmp_path, NODE, [offering(gcn=Gcn())]) as (pipeline, _):
            submit = node_of(pipeline).submit_notice
            answers = [
                await submit(
                    Notice(b"%d" % number, "lsst"), where=f"topic lsst, partition 0, offset {number}"
                )
                for number in range(3)
            ]
            unknown = await submit(Notice(b'{"other": 1}', "gcn.other"))

    assert {answer.outcome for answer in (*answers, unknown)} == {"refused"}
    assert answers[0].reason == "no mapping is installed for the topic 'lsst'"
    assert unknown.reason == "not known to gcn"
    kept = refused(tmp_path)
    assert [(each.raw, each.source, each.where) for each in kept[1:]] == [
        (b"2", "in", "topic lsst, partition 0, offset 2"),
        (b"1", "in", "topic lsst, partition 0, offset 1"),
        (b"0", "in", "topic lsst, partition 0, offset 0"),
    ]
    told = [entry for entry in logs if entry["event"] == "notice refused"]
    assert [entry["topic"] for entry in told] == ["lsst", "gcn.other"]
    assert told[0]["where"] == "topic lsst, partition 0, offset 0"


async def test_a_bad_notice_is_refused_with_the_mappings_reason(tmp_path: Path) -> None:
    def bad(notice: Notice, _: object) -> Mapped:
        raise voeflow.EventError("it has no time")

    other = Gcn(topics=("*",))
    async with running(tmp_path, NODE, [offering(gcn=Gcn(made=bad), other=other)]) as (pipeline, _):
        answer = await node_of(pipeline).submit_notice(notice())

    assert (answer.outcome, answer.reason) == ("refused", "it has no time")
    assert not other.asked, "the mapping whose notice it is has said what it is"


def gives(answer: Any) -> Callable[[Notice, Sequence[str]], Any]:
    return lambda _, __: answer


def raises(error: BaseException) -> Callable[[Notice, Sequence[str]], Any]:
    def raising(_: Notice, __: Sequence[str]) -> Any:
        raise error

    return raising


NOTICE_JSON = Attachment("Notice.json", "application/json", b"")
SKY = Attachment("sky.fits", "application/fits", b"")


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (raises(KeyError("superevent_id")), r"raised KeyError: 'superevent_id' \(test_notices.py:"),
        (raises(SystemExit(3)), "raised SystemExit: 3"),
        (raises(BaseException("panic")), "raised BaseException: panic"),  # as an extension in Rust has it
        (raises(RecursionError("maximum")), "raised RecursionError: maximum"),
        (gives(b"<VOEvent/>"), "gave a bytes; it has to give a voeflow.Mapped, or None"),
        (gives(Mapped(b"no XML")), "made what is no VOEvent that can be taken: "),
        (gives(Mapped(b'<VOEvent ivorn="ivo://a/b#c"/>')), "made a packet that breaks its grammar: "),
        (
            gives(Mapped(voevent("ivo://gcn/alerts"))),
            "made a packet that breaks its grammar: .* no local part",
        ),
        (gives(mapped(1, NOTICE_JSON)), "made two attachments named notice.json; the notice itself is"),
        (gives(mapped(1, SKY, SKY)), "made two attachments named sky.fits"),
        (
            gives(mapped(1, *(Attachment(f"{n}.txt", "text/plain", b"") for n in range(17)))),
            "made 17 attachments: at most 16 are kept",
        ),
        (lambda _, __: Mapped(voevent(), "none"), "raised TypeError"),  # type: ignore[arg-type] # a bug of theirs
        (
            lambda _, __: Attachment("../x", "text/plain", b""),
            "raised ValueError: expected the name of a file",
        ),
    ],
)
async def test_a_mapping_that_fails_is_named_and_the_next_one_is_asked(
    tmp_path: Path, made: Callable[[Notice, Sequence[str]], Any], reason: str
) -> None:
    mappings = {"a-bad": Gcn(made=made), "b-good": Gcn()}
    with capture_logs() as logs:
        async with running(tmp_path, NODE, [offering(**mappings)]) as (pipeline, _):
            answer = await node_of(pipeline).submit_notice(notice())
            alone = await node_of(pipeline).submit_notice(notice(2), mapping="a-bad")

    assert answer.outcome == "accepted"
    assert alone.outcome == "refused"
    assert re.match("the mapping a-bad " + reason, alone.reason)
    told = [entry for entry in logs if entry["event"] == "a mapping failed: the next one is asked"]
    assert [(entry["mapping"], entry["plugin"], entry["log_level"]) for entry in told] == [
        ("a-bad", "no distribution", "error")
    ] * 2
    assert re.match(reason, told[0]["reason"])
    assert [each.raw for each in refused(tmp_path)] == [notice(2).content]


async def test_a_mapping_that_hangs_is_passed_over_in_the_time_that_a_filter_has(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    release = threading.Event()

    def hang(_: Notice, __: Sequence[str]) -> None:
        release.wait(60)

    mappings = {"hung": Gcn(made=hang), "quick": Gcn()}
    try:
        async with running(tmp_path, 'filter_timeout = "5 s"\n' + NODE, [offering(**mappings)]) as (
            pipeline,
            node,
        ):
            threads = node._works.notices._turns["hung"].threads

            async def wait_too_long() -> None:
                busy = threads.borrowed_tokens
                while threads.borrowed_tokens + threads.statistics().tasks_waiting == busy:
                    await trio.testing.wait_all_tasks_blocked(0.001)
                mock_clock.jump(5.1)  # now that it is asked, or waits to be, and before another is

            for number in range(6):  # more than it may have threads
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(wait_too_long)
                    answer = await node_of(pipeline).submit_notice(notice(number))
                assert answer.outcome == "accepted"
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait_too_long)
                alone = await node_of(pipeline).submit_notice(notice("x"), mapping="hung")
            release.set()
    finally:
        release.set()
    assert alone.reason == "the mapping hung gave no answer within 5 s"


async def test_a_source_may_name_the_one_mapping_to_ask(tmp_path: Path) -> None:
    mappings = {"one": Gcn(), "two": Gcn()}
    async with running(tmp_path, NODE, [offering(**mappings)]) as (pipeline, _):
        answer = await node_of(pipeline).submit_notice(notice(topic="elsewhere"), mapping="two")
        with pytest.raises(LookupError, match=r"there is no mapping 'three'; installed: .*one.*two"):
            await node_of(pipeline).submit_notice(notice(), mapping="three")
    assert answer.outcome == "accepted"
    assert not mappings["one"].asked


async def test_what_a_transport_cannot_take_itself_is_kept_aside(tmp_path: Path) -> None:
    async with running(tmp_path, NODE) as (pipeline, _):
        answer = await node_of(pipeline).refuse(b"x" * 100, "too long\n", peer="kafka:1", where="offset 5")
    (kept,) = refused(tmp_path)
    assert (answer.outcome, answer.reason) == ("refused", "too long\\n")
    assert (kept.raw, kept.reason, kept.peer, kept.where) == (
        b"x" * 100,
        "too long\\n",
        "kafka:1",
        "offset 5",
    )


async def test_the_place_of_a_refused_packet_is_kept(tmp_path: Path) -> None:
    async with running(tmp_path, NODE) as (pipeline, _):
        await node_of(pipeline).submit(b"<html/>", where="topic t, partition 1, offset 2")
    (kept,) = refused(tmp_path)
    assert kept.where == "topic t, partition 1, offset 2"


async def test_what_is_no_event_in_a_topic_is_told_once_for_it_and_kept_each_time(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with running(tmp_path, NODE) as (pipeline, _):
            for topic in ("t", "t", "u"):
                await node_of(pipeline).submit(b"<html/>", peer=topic, where=f"topic {topic}, offset 2")
    told = [entry["peer"] for entry in logs if entry["event"] == "event refused"]
    assert told == ["t", "u"]
    assert len(refused(tmp_path)) == 3


async def test_a_duplicate_has_the_position_of_the_event_that_came_first(tmp_path: Path) -> None:
    async with running(tmp_path, NODE) as (pipeline, _):
        submit = node_of(pipeline).submit
        answers = [await submit(voevent(f"ivo://gcn/alerts#{n}")) for n in (1, 2, 1)]
        nothing = await submit(b"<html/>")
    assert [(answer.outcome, answer.position) for answer in answers] == [
        ("accepted", 1),
        ("accepted", 2),
        ("duplicate", 1),
    ]
    assert nothing.position is None


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("submit_notice", (b"{}",)),
        ("refuse", ("text", "reason")),
        ("refuse", (b"bytes", None)),
    ],
)
async def test_a_transport_that_submits_what_is_none_is_told(
    tmp_path: Path, method: str, arguments: tuple[Any, ...]
) -> None:
    async with running(tmp_path, NODE) as (pipeline, _):
        with pytest.raises(TypeError, match=rf"{method}\(\) of transports.in: expected "):
            await getattr(node_of(pipeline), method)(*arguments)


async def test_a_notice_is_answered_only_when_it_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, full = Store.append, True

    def append_if_room(store: Store, *rows: Any) -> Any:
        if full:
            raise voeflow.StoreError("store voeflow.db: database or disk is full")
        return append(store, *rows)

    monkeypatch.setattr(Store, "append", append_if_room)
    async with running(tmp_path, NODE, [offering(gcn=Gcn())]) as (pipeline, _):
        for _number in range(2):
            with pytest.raises(voeflow.StoreError):
                await node_of(pipeline).submit_notice(notice())
        full = False
        answer = await node_of(pipeline).submit_notice(notice())
    assert answer.outcome == "accepted", "what was not stored is no duplicate"


async def test_a_store_that_cannot_be_read_is_no_fault_of_the_mapping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: object) -> list[str]:
        raise voeflow.StoreError("cannot read store voeflow.db")

    monkeypatch.setattr(Store, "earlier", unreadable)
    async with running(tmp_path, NODE, [offering(gcn=Gcn())]) as (pipeline, _):
        with pytest.raises(voeflow.StoreError, match="cannot read"):
            await node_of(pipeline).submit_notice(notice())
    assert refused(tmp_path) == []


@pytest.mark.parametrize("prefix", ["", None, "ivo://\ud800"])
async def test_a_mapping_that_asks_wrongly_what_came_earlier_is_told(tmp_path: Path, prefix: Any) -> None:
    class Asks:
        topics = ("*",)

        def map(self, notice: Notice, earlier: Callable[[str], Sequence[str]]) -> None:
            earlier(prefix)

    async with running(tmp_path, NODE, [offering(asks=Asks())]) as (pipeline, _):
        answer = await node_of(pipeline).submit_notice(notice(), mapping="asks")
    assert re.match("the mapping asks raised (ValueError: earlier|UnicodeEncodeError)", answer.reason)


async def test_what_is_too_much_to_keep_beside_an_event_is_a_fault_of_the_mapping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_mapping, "MAX_ATTACHED", 1000)
    gcn = Gcn(made=gives(mapped(1, Attachment("sky.fits", "application/fits", bytes(990)))))
    async with running(tmp_path, NODE, [offering(gcn=gcn)]) as (pipeline, _):
        answer = await node_of(pipeline).submit_notice(notice(), mapping="gcn")
    assert answer.reason == (
        "the mapping gcn made attachments of 1001 bytes with the notice: at most 1000 are kept"
    )


@pytest.mark.parametrize(
    ("media_type", "name"),
    [
        ("application/json", "notice.json"),
        ("application/vnd.x+JSON; charset=utf-8", "notice.json"),
        ("text/plain", "notice.txt"),
        ("application/avro", "notice.bin"),
    ],
)
async def test_a_notice_is_attached_under_a_name_that_says_what_it_is(
    tmp_path: Path, media_type: str, name: str
) -> None:
    class Takes:
        topics = ("*",)

        def map(self, notice: Notice, earlier: object) -> Mapped:
            return mapped(1)

    async with running(tmp_path, NODE, [offering(takes=Takes())]) as (pipeline, _):
        submission = await node_of(pipeline).submit_notice(
            Notice(b"x", "t", media_type=media_type), mapping="takes"
        )
        wire = pipeline.transports["out"].instance
        (delivery,) = await wire.wait(1)
    assert submission.outcome == "accepted"
    assert [each.name for each in delivery.event.attachments] == [name]


async def test_attachments_reach_a_sink_that_was_behind_and_one_after_a_restart(tmp_path: Path) -> None:
    gcn = Gcn(made=lambda notice, _: mapped(notice.json["id"], SKY))
    lagging = NODE + "settle = false\n"
    async with running(tmp_path, 'drain = "0 s"\n' + lagging, [offering(gcn=gcn)]) as (pipeline, _):
        await node_of(pipeline).submit_notice(notice(1))
    async with running(tmp_path, NODE, [offering(gcn=gcn)]) as (pipeline, _):
        (delivery,) = await pipeline.transports["out"].instance.wait(1)
        history = await pipeline.transports["out"].instance.node.history(0, 1)
    for each in (delivery, *history.deliveries):
        assert [attached.name for attached in each.event.attachments] == ["notice.json", "sky.fits"]


async def test_the_node_counts_notices_as_it_counts_packets(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with running(tmp_path, NODE, [offering(gcn=Gcn())]) as (pipeline, _):
            for each in (notice(1), notice(1), Notice(b"[]", "unknown")):
                await node_of(pipeline).submit_notice(each)
    (counts,) = (entry for entry in logs if entry["event"] == "taken since the start")
    assert (counts["accepted"], counts["duplicate"], counts["refused"]) == (1, 1, 1)


async def test_a_transport_that_settles_nothing_holds_a_bounded_number_of_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_ledger, "MAX_OPEN_BYTES", 10_000)
    gcn = Gcn(made=lambda notice, _: mapped(notice.json["id"], attrs.evolve(SKY, content=bytes(4000))))
    toml = 'drain = "0 s"\n' + NODE + "settle = false\n"
    async with running(tmp_path, toml, [offering(gcn=gcn)]) as (pipeline, _):
        wire = pipeline.transports["out"].instance
        for number in range(6):
            await node_of(pipeline).submit_notice(notice(number))
        await wire.wait(2)
        await trio.testing.wait_all_tasks_blocked()
        assert len(wire.deliveries) == 2, "each has a packet of more than 1,000 bytes, too"
        for number in range(6):
            (await wire.wait(number + 1))[number].done()
