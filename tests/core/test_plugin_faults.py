"""Whatever plugin code raises or answers, the node lives on, and so does what other sinks are owed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

import voeflow
from support.nodes import running
from support.samples import voevent
from voeflow._raised import Raised, describe
from voeflow._store import Store
from voeflow._store_select import Selection, select_refused

PIPELINE = """
[transports.in]
plugin = "hand"
[handlers.notes]
plugin = "notebook"
"""


class PanicError(BaseException):
    """As an extension written in Rust raises it: no `Exception`."""


class SpeechlessError(Exception):
    def __str__(self) -> str:
        raise SystemExit("no words")


class _NoAnswer:
    def __bool__(self) -> bool:
        raise ValueError("the truth value of an array is ambiguous")


def _raiser(error: Callable[[], BaseException]) -> Callable[[], None]:
    def act() -> None:
        raise error()

    return act


ACTS = {
    "panic": _raiser(PanicError),
    "asyncio's cancellation": _raiser(asyncio.CancelledError),
    "exit": _raiser(SystemExit),
    "exit in a group": _raiser(lambda: BaseExceptionGroup("several", [SystemExit(3)])),
    "no words": _raiser(SpeechlessError),
    "surrogates": _raiser(lambda: ValueError("\ud800")),
    "later, when?": lambda: (_ for _ in ()).throw(voeflow.Later("soon", "busy")),  # type: ignore[arg-type]
    "later, never": lambda: (_ for _ in ()).throw(voeflow.Later(math.nan, "busy")),
    "later, oddly": lambda: (_ for _ in ()).throw(voeflow.Later(60, ValueError("\ud800"))),  # type: ignore[arg-type]
}


def _plugins(act: Callable[[], object]) -> object:
    @attrs.define(eq=False)
    class Blocking:
        def handle(self, event: voeflow.Event) -> None:
            act()

        def matches(self, event: voeflow.Event) -> bool:
            act()
            return True

    @attrs.define(eq=False)
    class Waiting:
        async def handle(self, event: voeflow.Event) -> None:
            act()

        async def matches(self, event: voeflow.Event) -> bool:
            act()
            return True

    @attrs.define(eq=False)
    class Quick(Blocking):
        inline: ClassVar[bool] = True

    @attrs.define(eq=False)
    class Carrier:
        sink: ClassVar[bool] = True

        async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[None]) -> None:
            task_status.started()
            await node.take()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._act)

        async def _act(self) -> None:
            act()

    class Plugin:
        @voeflow.hookimpl
        def register_transports(self) -> dict[str, type]:
            return {"bad": Carrier}

        @voeflow.hookimpl
        def register_filters(self) -> dict[str, type]:
            return {"blocking": Blocking, "waiting": Waiting, "quick": Quick}

        @voeflow.hookimpl
        def register_handlers(self) -> dict[str, type]:
            return {"blocking": Blocking, "waiting": Waiting}

        @voeflow.hookimpl
        def event_accepted(self) -> None:
            act()

    return Plugin()


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
async def test_what_a_plugin_raises_takes_nothing_else_down(
    tmp_path: Path, act: Callable[[], object]
) -> None:
    toml = PIPELINE + '[transports.carrier]\nplugin = "bad"\n'
    for kind in ("blocking", "waiting"):
        toml += f'[handlers.{kind}]\nplugin = "{kind}"\n'
    for kind in ("blocking", "waiting", "quick"):
        toml += f'[filters.f_{kind}]\nplugin = "{kind}"\n'
        toml += f'[handlers.asks_{kind}]\nplugin = "notebook"\nwhen = "f_{kind}"\n'
    with capture_logs() as logs:
        async with running(tmp_path, "drain = 0.1\n" + toml, [_plugins(act)]) as (pipeline, _):
            submit = pipeline.transports["in"].instance.node.submit
            for number in (1, 2):
                await submit(voevent(f"ivo://obspm.gepi/svom#{number}"))
            await pipeline.handlers["notes"].instance.wait(2)
            await trio.testing.wait_all_tasks_blocked(0.05)

    assert not [line for line in logs if line["event"].startswith("the store cannot write")]


@pytest.mark.parametrize("settle", ["failed", "later"])
async def test_a_transport_may_say_why_in_any_shape(tmp_path: Path, settle: str) -> None:
    async with running(tmp_path, PIPELINE + '[transports.out]\nplugin = "wire"\nsettle = false\n') as (
        pipeline,
        node,
    ):
        await pipeline.transports["in"].instance.node.submit(voevent())
        (delivery,) = await pipeline.transports["out"].instance.wait(1)
        if settle == "failed":
            delivery.failed(OSError("\ud800"))  # a natural mistake
        else:
            with pytest.raises(ValueError, match="finite number of seconds"):
                delivery.later(math.nan, "busy")
            delivery.later(60, None)
        assert await node._works.save()


async def test_a_failure_without_a_reason_is_a_failure() -> None:
    told: list[Any] = []
    event = voeflow.Event.parse(voevent())
    voeflow.Delivery(event, "id", settle=lambda _, ending: told.append(ending)).failed(None)  # type: ignore[arg-type]
    assert told == ["None"]


class _NumpyBool:
    """Stands for numpy's, which is not installed here."""

    def __init__(self, value: bool) -> None:
        self.value = value

    def __bool__(self) -> bool:
        return self.value


_NumpyBool.__module__, _NumpyBool.__name__ = "numpy", "bool"


class _Unshowable:
    def __repr__(self) -> str:
        raise SystemExit("no picture")


def _answering(answer: object) -> object:
    @attrs.define(eq=False)
    class Answers:
        def matches(self, event: voeflow.Event) -> object:
            return answer

    class Plugin:
        @voeflow.hookimpl
        def register_filters(self) -> dict[str, type]:
            return {"answers": Answers}

    return Plugin()


ASKING = (
    PIPELINE
    + """
[filters.answers]
plugin = "answers"
[filters.any]
plugin = "role"
roles = ["observation"]
[handlers.asks]
plugin = "notebook"
when = "any and answers"
retries = 0
"""
)


@pytest.mark.parametrize("wrap", [lambda each: each, lambda each: voeflow.Verdict(each, "why")])
@pytest.mark.parametrize("holds", [True, False])
async def test_a_truth_of_numpy_s_is_one(
    tmp_path: Path, wrap: Callable[[object], object], holds: bool
) -> None:
    async with running(tmp_path, ASKING, [_answering(wrap(_NumpyBool(holds)))]) as (pipeline, _):
        await pipeline.transports["in"].instance.node.submit(voevent())
        await pipeline.handlers["notes"].instance.wait(1)

    assert len(pipeline.handlers["asks"].instance.seen) == holds


@pytest.mark.parametrize(
    "answer",
    [_Unshowable(), voeflow.Verdict("yes", "why"), voeflow.Verdict(True, 5)],  # type: ignore[arg-type]
)
async def test_an_answer_that_is_none_is_told(tmp_path: Path, answer: object) -> None:
    with capture_logs() as logs:
        async with running(tmp_path, ASKING, [_answering(answer)]) as (pipeline, _):
            await pipeline.transports["in"].instance.node.submit(voevent())
            await pipeline.handlers["notes"].instance.wait(1)

    (given_up,) = [line for line in logs if line["event"] == "delivery given up"]
    assert "has to answer a bool" in given_up["reason"]


@pytest.mark.parametrize(("raw", "peer"), [("<a/>", ""), (b"<a/>", ("192.0.2.1", 5))])
async def test_a_submission_of_the_wrong_type_is_its_own_plugin_s_failure(
    tmp_path: Path, raw: Any, peer: Any
) -> None:
    """It must not get as far as the batch that it would share with the packets of others."""
    async with running(tmp_path, PIPELINE) as (pipeline, _):
        with pytest.raises(TypeError, match=r"transports\.in: expected bytes"):
            await pipeline.transports["in"].instance.node.submit(raw, peer=peer)


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
async def test_what_a_source_raises_as_it_judges_an_event_refuses_that_event_alone(
    tmp_path: Path, act: Callable[[], object]
) -> None:
    async with running(tmp_path, PIPELINE) as (pipeline, _):
        submit = pipeline.transports["in"].instance.node.submit
        bad = await submit(voevent("ivo://obspm.gepi/svom#1"), check=lambda _: act())
        good = await submit(voevent("ivo://obspm.gepi/svom#2"), check=lambda _: "")
    assert (bad.outcome, bad.reason) == ("refused", "this node cannot judge it")
    assert good.outcome == "accepted"


@pytest.mark.parametrize(
    "answer", [SpeechlessError(), _NoAnswer()], ids=["no words", "neither true nor false"]
)
async def test_what_a_source_answers_that_is_no_text_refuses_that_event_alone(
    tmp_path: Path, answer: Any
) -> None:
    async with running(tmp_path, PIPELINE) as (pipeline, _):
        submit = pipeline.transports["in"].instance.node.submit
        refused = await submit(voevent(), check=lambda _: answer)
    assert (refused.outcome, refused.reason) == ("refused", "this node cannot judge it")


async def test_a_file_whose_name_is_no_text_fails_no_packet_of_its_batch(tmp_path: Path) -> None:
    """Such a name is legal on Linux: the bytes that are no UTF-8 are surrogates in Python."""
    async with running(tmp_path, PIPELINE) as (pipeline, _):
        node = pipeline.transports["in"].instance.node
        answers: dict[str, voeflow.Submission] = {}

        async def submit(name: str, raw: bytes, **found: str) -> None:
            answers[name] = await node.submit(raw, **found)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(submit, "before", voevent("ivo://obspm.gepi/svom#1"))
            nursery.start_soon(partial(submit, "odd", b"<html/>", where="caf\udce9.xml", peer="\ud800"))
            nursery.start_soon(submit, "after", voevent("ivo://obspm.gepi/svom#2"))

    outcomes = {name: answer.outcome for name, answer in answers.items()}
    assert outcomes == {"before": "accepted", "odd": "refused", "after": "accepted"}
    with closing(Store.open(tmp_path / "voeflow.db")) as store:
        (kept,) = select_refused(store, Selection())
    assert (kept.where, kept.peer) == ("caf\\udce9.xml", "\\ud800")


@pytest.mark.parametrize(
    ("name", "value", "error"), [("topic", 5, TypeError), (b"t", "5", TypeError), ("t", "\udce9", ValueError)]
)
async def test_a_bookmark_that_cannot_be_stored_is_its_own_plugin_s_failure(
    tmp_path: Path, name: Any, value: Any, error: type[Exception]
) -> None:
    """All bookmarks are written together."""
    async with running(tmp_path, PIPELINE) as (pipeline, _):
        node = pipeline.transports["in"].instance.node
        node.bookmark("good", "1")
        with pytest.raises(error, match=r"bookmark\(\) of transports\.in: expected"):
            node.bookmark(name, value)
        assert await node.bookmarks() == {"good": "1"}


async def test_a_failure_that_our_own_handler_expects_speaks_for_itself(tmp_path: Path) -> None:
    toml = PIPELINE + '[handlers.slew]\nplugin = "spawn"\ncommand = ["/bin/false"]\nretries = 0\n'
    toml += '[handlers.broken]\nplugin = "blocking"\nretries = 0\n'
    with capture_logs() as logs:
        async with running(tmp_path, toml, [_plugins(ACTS["no words"])]) as (pipeline, _):
            await pipeline.transports["in"].instance.node.submit(voevent())
            while len(given_up := _given_up(logs)) < 2:
                await trio.testing.wait_all_tasks_blocked(0.01)
    assert given_up == {
        "slew": "/bin/false ended with exit status 1",
        "broken": "plugin blocking of no distribution raised SpeechlessError",
    }


def _given_up(logs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {line["sink"]: line["reason"] for line in logs if line["event"] == "delivery given up"}


async def test_a_transport_that_fails_as_it_is_stopped_does_not_fail_the_node(tmp_path: Path) -> None:
    @attrs.define(eq=False)
    class Untidy:
        async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[None]) -> None:
            task_status.started()
            try:
                await trio.sleep_forever()
            finally:
                raise RuntimeError("cannot tidy up")

    class Plugin:
        @voeflow.hookimpl
        def register_transports(self) -> dict[str, type]:
            return {"untidy": Untidy}

    with capture_logs() as logs:
        async with running(tmp_path, PIPELINE + '[transports.x]\nplugin = "untidy"\n', [Plugin()]):
            pass

    assert [line["reason"] for line in logs if "fail" in line["event"]] == ["RuntimeError: cannot tidy up"]


async def test_a_sink_that_returns_is_told_and_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voeflow._supervisor.FIRST_WAIT", 0.001)
    again = trio.Event()

    @attrs.define(eq=False)
    class Brief:
        sink: ClassVar[bool] = True
        runs: int = 0

        async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[None]) -> None:
            task_status.started()
            self.runs += 1
            if self.runs > 1:
                again.set()
                await trio.sleep_forever()

    class Plugin:
        @voeflow.hookimpl
        def register_transports(self) -> dict[str, type]:
            return {"brief": Brief}

    with capture_logs() as logs:
        async with running(tmp_path, PIPELINE + '[transports.x]\nplugin = "brief"\n', [Plugin()]):
            with trio.fail_after(60):
                await again.wait()

    (failed,) = [line for line in logs if line["event"] == "transport failed"]
    assert "run() returned" in failed["reason"]


def test_a_cancellation_is_no_fault_and_is_kept_apart_from_one() -> None:
    interrupt, fault = KeyboardInterrupt(), ValueError("no")
    assert Raised.of(interrupt) == Raised(None, interrupt)
    assert Raised.of(fault) == Raised(fault, None)
    both = Raised.of(BaseExceptionGroup("", [interrupt, ExceptionGroup("", [fault])]))
    assert both.fault is fault
    assert isinstance(both.passing, BaseExceptionGroup)
    assert both.passing.exceptions == (interrupt,)


def test_several_errors_are_told_in_one_line() -> None:
    group = ExceptionGroup("", [ValueError("a\nb"), SpeechlessError()])
    assert describe(group) == r"ValueError: a\nb; SpeechlessError"
