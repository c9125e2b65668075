from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from support.samples import voevent
from transports.vtp_support import ENDLESS
from voeflow_transports.vtp._forker import Forker
from voeflow_transports.vtp._judge import Judge, Judgement, Question


@asynccontextmanager
async def judging(room: int = 2**20) -> AsyncIterator[Judge]:
    judge = Judge(Forker(room))
    try:
        yield judge
    finally:
        await judge.aclose()
        await judge.forker.aclose()


async def test_each_of_all_is_asked_up_to_one_that_takes_too_long() -> None:
    packets = [voevent("ivo://a.b/c#1"), voevent("ivo://a.b/c#2", role="test")]
    async with judging() as judge:
        for _ in range(2):  # there is another process after one was ended
            question = Question(["//Who", "/*[@role='test']", ENDLESS, "//What"], packets, 0.2)
            judgement = await judge.ask(question)
            assert judgement.held == {"//Who": b"11", "/*[@role='test']": b"01"}
            assert judgement.costly == (ENDLESS, "takes too long")


async def test_an_old_event_is_asked_about_that_has_more_attributes_than_are_taken_today() -> None:
    crowded = voevent().replace(b"<Who>", b"<Who " + b" ".join(b'a%d="1"' % n for n in range(300)) + b">")
    async with judging() as judge:
        judgement = await judge.ask(Question(["//Who/@a299", "//Who/@b"], [crowded], 5.0))
        assert judgement.held == {"//Who/@a299": b"1", "//Who/@b": b"0"}


async def test_what_is_no_xpath_is_told_and_what_takes_too_long_to_try_is_ended() -> None:
    deep = "count(//*) > 0"
    for _ in range(30):
        deep = f"count(//*[{deep}]) > 0"
    async with judging() as judge:
        judgement = await judge.ask(Question(["//Who", "//[", "x:y", "@a\nb", deep], [], 0.2))
        assert judgement.held == {"//Who": b"", "@a\nb": b""} or judgement.held == {"//Who": b""}
        assert "no XPath 1.0" in judgement.unusable["//["]
        assert "prefix" in judgement.unusable["x:y"]
        assert judgement.costly == (deep, "takes too long")


async def test_who_has_used_up_an_account_is_asked_no_more_on_it() -> None:
    async with judging() as judge:
        accounts = {ENDLESS: "a", "//What": "a", "//Who": "b"}
        question = Question([ENDLESS, "//What", "//Who"], [voevent()], 5.0, accounts, {"a": 0.05})
        judgement = await judge.ask(question)
        assert (judgement.unpaid, judgement.held) == ([ENDLESS, "//What"], {"//Who": b"1"})
        assert judgement.costly is None


async def test_answers_are_seen_while_more_is_asked() -> None:
    slow = [f"count(//*[count(//*[count(//*) > {number}]) > 1])" for number in range(6)]
    packet = voevent(body="<What>" + "<Param/>" * 100 + "</What>")
    judgement = Judgement()

    async def progress() -> None:
        await trio.lowlevel.checkpoint()
        scope.cancel()

    async with judging() as judge:
        with trio.CancelScope() as scope:
            await judge.ask(Question(["//Who", *slow, ENDLESS], [packet], 60.0), judgement, progress)
        assert scope.cancelled_caught
        assert judgement.held.keys() <= {"//Who", *slow}
        assert judgement.held
        assert len((await judge.ask(Question(["//Who", *slow], [packet], 5.0))).held) == 7


async def test_more_answers_than_there_is_room_for_are_asked_in_parts() -> None:
    expressions = [f"//Who[{number}]" for number in range(1, 30)]
    async with judging(room=50) as judge:
        judgement = await judge.ask(Question(expressions, [voevent()] * 20, 5.0))
        assert [judgement.held[each] for each in expressions] == [b"1" * 20, *[b"0" * 20] * 28]


async def test_a_judge_that_is_cancelled_half_way_can_be_asked_again() -> None:
    async with judging() as judge:
        await judge.ask(Question(["//Who"], [voevent()], 1.0))
        with trio.move_on_after(0.05):
            await judge.ask(Question([ENDLESS], [voevent()], 60.0))
        assert (await judge.ask(Question(["//Who"], [voevent()], 1.0))).held == {"//Who": b"1"}


async def test_a_judge_whose_first_start_is_cancelled_can_be_asked_again() -> None:
    async with judging() as judge:
        with trio.move_on_after(0.01):
            await judge.ask(Question(["//Who"], [voevent()], 1.0))
        assert (await judge.ask(Question(["//Who"], [voevent()], 1.0))).held == {"//Who": b"1"}


@pytest.mark.parametrize("both", [False, True], ids=["it", "it-and-what-forks-it"])
async def test_a_judge_that_the_system_ended_is_started_again_and_nobody_is_blamed(both: bool) -> None:
    async with judging() as judge:
        await judge.ask(Question(["//Who"], [voevent()], 1.0))
        assert judge._child is not None
        process = judge.forker._process
        assert process is not None
        os.kill(judge._child.pid, signal.SIGKILL)
        if both:
            process.kill()
        judgement = await judge.ask(Question(["//Who", "//Nothing"], [voevent()], 1.0))
        assert (judgement.held, judgement.costly) == ({"//Who": b"1", "//Nothing": b"0"}, None)


async def test_a_judge_runs_nothing_that_lies_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("struct", "voeflow"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w')\nraise ImportError\n")
    monkeypatch.chdir(tmp_path)
    async with judging() as judge:
        assert (await judge.ask(Question(["//Who"], [voevent()], 5.0))).held == {"//Who": b"1"}
    assert "ran" not in os.listdir()


async def test_a_judge_heeds_no_signal_that_is_meant_for_the_node() -> None:
    question = Question(["//Who"], [voevent()], 5.0)
    async with judging() as judge:
        await judge.ask(question)
        first, forks = judge._child, judge.forker._process
        assert first is not None
        assert forks is not None
        assert os.getpgid(forks.pid) == os.getpgid(first.pid) == forks.pid  # Ctrl-C goes to the node's group
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(first.pid, number)
            os.kill(forks.pid, number)
        assert (await judge.ask(question)).held == {"//Who": b"1"}
        assert judge._child is first
        await judge.aclose()
        await judge.ask(question)  # which takes another fork
        assert judge.forker._process is forks


async def test_a_judge_that_cannot_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/true")
    with pytest.raises(OSError, match="did not start"):
        await Judge(Forker()).ask(Question(["//Who"], [voevent()], 1.0))


def test_what_a_judge_needs_is_imported_before_it_is_forked() -> None:
    program = (
        "import sys, voeflow_transports.vtp._judge_process; before = set(sys.modules)\n"
        "from voeflow_transports.vtp._judge_process import Event, XPath\n"
        f"event = Event.parse({voevent()!r}); XPath('//Who').holds(event)\n"
        "print(*(sys.modules.keys() - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
