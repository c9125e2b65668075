from __future__ import annotations

import os
import re
import signal
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio
from trio.testing import MockClock

import voeflow
from support.samples import voevent
from voeflow_handlers import _process as limits
from voeflow_handlers.spawn import CommandFailed, Spawn, event_variables

EVENT = voeflow.Event.parse(voevent(), source="upstream")


def delivery(event: voeflow.Event = EVENT, attempt: int = 1) -> voeflow.Delivery:
    return voeflow.Delivery(event, "delivery-1", attempt)


def shell(script: str, **options: Any) -> Spawn:
    return Spawn(("/bin/sh", "-c", script), **options)


async def run(spawn: Spawn, event: voeflow.Event = EVENT) -> list[str]:
    """Run the command and give what it wrote, line by line as logged."""
    with structlog.testing.capture_logs() as logs:
        await spawn.handle(event, delivery(event))
    return [entry["line"] for entry in logs if "line" in entry]


async def test_the_packet_is_on_standard_input_byte_for_byte(tmp_path: Path) -> None:
    raw = voevent().replace(b"UTF-8", b"ISO-8859-1").replace(b"SVOM", b"caf\xe9") + b"<!-- \r\n -->"
    await run(shell("cat > got", directory=tmp_path), voeflow.Event.parse(raw))
    assert (tmp_path / "got").read_bytes() == raw


async def test_the_facts_are_in_the_environment() -> None:
    lines = await run(shell("env | grep ^VOEVENT_ | sort"))
    assert lines == [
        "VOEVENT_ATTEMPT=1",
        "VOEVENT_AUTHOR=ivo://obspm.gepi/svom",
        "VOEVENT_DATE=2026-11-24T01:02:03Z",
        "VOEVENT_DEC=22.0145",
        "VOEVENT_DELIVERY=delivery-1",
        "VOEVENT_ERROR=0.05",
        "VOEVENT_IVORN=ivo://obspm.gepi/svom#trigger-1",
        "VOEVENT_RA=83.633",
        "VOEVENT_ROLE=observation",
        "VOEVENT_SOURCE=upstream",
        "VOEVENT_TIME=2026-11-24T01:01:30.250000Z",
        "VOEVENT_VERSION=2.0",
    ]


async def test_what_the_packet_lacks_is_unset_even_if_the_node_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("RA", "AUTHOR", "SOURCE", "TIME", "DATE"):
        monkeypatch.setenv(f"VOEVENT_{name}", "inherited")
    bare = voeflow.Event.parse(voevent(body="<What/>"))
    lines = await run(shell("env | grep ^VOEVENT_ | cut -d= -f1 | sort"), bare)
    assert lines == [f"VOEVENT_{name}" for name in ("ATTEMPT", "DELIVERY", "IVORN", "ROLE", "VERSION")]


async def test_attachments_are_files_while_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # where TMPDIR said before is remembered there
    event = voeflow.Event.parse(
        voevent(),
        attachments=(
            voeflow.Attachment("notice.json", "application/json", b'{"id": 1}'),
            voeflow.Attachment("skymap.fits", "application/fits", b"SIMPLE"),
        ),
    )
    script = 'cd "$VOEVENT_ATTACHMENTS" && stat -c %a . && ls && cat notice.json'
    assert await run(shell(script), event) == ["700", "notice.json", "skymap.fits", '{"id": 1}']
    with pytest.raises(CommandFailed):
        await shell("exit 3").handle(event, delivery(event))
    assert os.listdir(tmp_path) == []


async def test_attachments_that_cannot_be_written_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path, __: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Path, "write_bytes", full)
    attached = voeflow.Event.parse(voevent(), attachments=(voeflow.Attachment("a", "text/plain", b""),))
    with pytest.raises(OSError, match="No space left"):
        await shell("true").handle(attached, delivery(attached))
    assert os.listdir(tmp_path) == []


def test_hostile_facts_are_one_printable_line_of_bounded_length() -> None:
    hostile = voevent(author="ivo://x/&#10;PATH=/evil&#x202e;&#x85;" + "y" * 5000, role="&#9;x")
    variables = event_variables(voeflow.Event.parse(hostile), delivery())
    assert all(value.isprintable() and len(value) <= 1000 for value in variables.values())
    assert variables["VOEVENT_AUTHOR"].startswith("ivo://x/")


async def test_more_variables_may_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INHERITED", "of the node")
    assert await run(shell("echo $SITE $INHERITED", environment={"SITE": "north"})) == ["north of the node"]


async def test_the_command_is_looked_up_and_runs_in_the_directory(tmp_path: Path) -> None:
    script = tmp_path / "slew.sh"
    script.write_text("#!/bin/sh\necho $1 in $(pwd)\n")
    script.chmod(0o755)
    spawn = Spawn(("./slew.sh", "--fast"), directory=tmp_path)
    spawn.start()
    assert await run(spawn) == [f"--fast in {tmp_path}"]


@pytest.mark.parametrize("script", ["exit 0", "exec <&-; exit 0", "head -c 1 >/dev/null"])
async def test_a_command_need_not_read_its_input(script: str) -> None:
    large = voeflow.Event.parse(voevent(tail="<!-- " + "x" * 500_000 + " -->"))
    await run(shell(script), large)


async def test_an_exit_status_other_than_zero_is_a_failure_with_its_last_words() -> None:
    with pytest.raises(CommandFailed, match=r"/bin/sh ended with exit status 3: the dome is shut$") as failed:
        await run(shell("echo opening; echo trying >&2; echo the dome is shut >&2; exit 3"))
    assert failed.value.status == 3


async def test_an_end_by_a_signal_is_a_failure_with_its_name() -> None:
    with pytest.raises(CommandFailed, match="was ended by SIGSEGV") as failed:
        await run(shell("kill -SEGV $$"))
    assert failed.value.status == -signal.SIGSEGV


async def test_the_last_words_are_printable_and_bounded() -> None:
    with pytest.raises(CommandFailed) as failed:
        await run(shell(r"printf '\033[2J\377%05000d' 7 >&2; exit 1"))
    assert str(failed.value).isprintable()
    assert len(str(failed.value)) < 600


async def assert_gone(group: int) -> None:
    """Wait until nobody is left in a process group but those that only wait to be collected."""
    with trio.fail_after(60):
        while any(alive_in(group)):  # noqa: ASYNC110 - they are nobody's children here
            await trio.sleep(0.01)


def alive_in(group: int) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, pgrp = path.read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if int(pgrp) == group and state not in "ZX":
            found.append(path.parent.name)
    return found


async def run_once_ready(spawn: Spawn, directory: Path, clock: MockClock) -> None:
    """Run a command that writes to the file `ready`, and let no time pass before it does.

    A slow machine may need all of a short time limit to start a shell.
    """
    os.mkfifo(directory / "ready")

    async def let_time_pass() -> None:
        await trio.to_thread.run_sync((directory / "ready").read_text)
        clock.rate = 1.0

    async with trio.open_nursery() as nursery:
        nursery.start_soon(let_time_pass)
        try:
            await spawn.handle(EVENT, delivery())
        except CommandFailed as error:
            failed = error
        else:
            raise AssertionError("it did not fail")
    raise failed


async def test_at_the_time_limit_the_whole_process_group_is_ended(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    script = "echo $$ > group; sleep 600 & sleep 600 & echo > ready; wait"
    with pytest.raises(CommandFailed, match="did not end within 300 ms") as failed:
        await run_once_ready(shell(script, directory=tmp_path, timeout=0.3), tmp_path, mock_clock)
    assert failed.value.status is None
    await assert_gone(int((tmp_path / "group").read_text()))


async def test_who_does_not_heed_sigterm_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mock_clock: MockClock
) -> None:
    monkeypatch.setattr(limits, "GRACE", 0.2)
    script = "trap '' TERM; echo $$ > group; echo > ready; while :; do sleep 600; done"
    with pytest.raises(CommandFailed, match="did not end"):
        await run_once_ready(shell(script, directory=tmp_path, timeout=0.2), tmp_path, mock_clock)
    await assert_gone(int((tmp_path / "group").read_text()))


async def test_a_child_that_outlives_its_ended_parent_is_killed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mock_clock: MockClock
) -> None:
    monkeypatch.setattr(limits, "GRACE", 0.2)
    script = "echo $$ > group; (trap '' TERM; echo > ready; while :; do sleep 600; done) & wait"
    with pytest.raises(CommandFailed, match="did not end"):
        await run_once_ready(shell(script, directory=tmp_path, timeout=0.2), tmp_path, mock_clock)
    await assert_gone(int((tmp_path / "group").read_text()))


async def test_sigterm_comes_first_and_what_the_command_then_says_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mock_clock: MockClock
) -> None:
    monkeypatch.setattr(limits, "GRACE", 60.0)
    script = "trap 'echo parked >&2; exit 0' TERM; echo > ready; while :; do sleep 0.02; done"
    with pytest.raises(CommandFailed, match=r"was stopped: parked$"):
        await run_once_ready(shell(script, directory=tmp_path, timeout=0.3), tmp_path, mock_clock)


async def test_a_command_ends_with_the_node(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ready")
    script = "echo $$ > group; echo > ready; sleep 600 & wait"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, shell(script, directory=tmp_path))
        await trio.to_thread.run_sync((tmp_path / "ready").read_text)
        nursery.cancel_scope.cancel()
    await assert_gone(int((tmp_path / "group").read_text()))


async def test_a_helper_left_running_does_not_hold_up_the_handler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "AFTERTHOUGHT", 0.1)
    with trio.fail_after(60):
        lines = await run(shell("echo $$ > group; echo done; sleep 600 &", directory=tmp_path))
    assert lines == ["done"]
    group = int((tmp_path / "group").read_text())
    assert alive_in(group)  # it was left on purpose, and is nobody's business
    os.killpg(group, signal.SIGKILL)


async def test_output_is_logged_in_printable_lines_with_its_stream_and_event() -> None:
    with structlog.testing.capture_logs() as logs:
        await shell(r"printf 'one\n\n\033[31mtwo\n'; printf 'no end' >&2").handle(EVENT, delivery())
    assert sorted((entry["stream"], entry["line"]) for entry in logs) == [
        ("stderr", "no end"),
        ("stdout", r"\x1b[31mtwo"),
        ("stdout", "one"),
    ]
    assert {entry["ivorn"] for entry in logs} == {EVENT.ivorn}
    assert {entry["delivery"] for entry in logs} == {"delivery-1"}


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        ("yes | head -c 1000000", limits.LINES_MAX),  # many lines
        ("head -c 1000000 /dev/zero", 1),  # one long line
        ("head -c 1000000 /dev/zero | tr '\\0' '\\n'", 0),  # blank lines
    ],
)
async def test_much_output_is_read_to_its_end_and_cut_in_the_log_with_one_word(
    script: str, lines: int
) -> None:
    with structlog.testing.capture_logs() as logs:
        await shell(script).handle(EVENT, delivery())
    told = [entry for entry in logs if "line" in entry]
    assert len(told) == lines
    assert all(len(entry["line"]) <= limits.LINE_MAX for entry in told)
    assert [entry["log_level"] for entry in logs if "line" not in entry] == ["warning"]


async def test_the_last_words_are_heard_beyond_the_output_limit() -> None:
    with pytest.raises(CommandFailed, match=r"the end$"):
        await run(shell("yes | head -c 9000 >&2; echo the end >&2; exit 1", output_limit=10))


def test_a_program_that_is_not_there_is_named_at_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"no program {tmp_path}/slew.sh"):
        Spawn(("./slew.sh",), directory=tmp_path).start()
    with pytest.raises(ValueError, match='no program "voeflow-no-such-program" on the PATH'):
        Spawn(("voeflow-no-such-program",), directory=tmp_path).start()
    with pytest.raises(ValueError, match=f"no directory {tmp_path}/none"):
        Spawn(("true",), directory=tmp_path / "none").start()


def test_a_program_that_cannot_run_is_named_at_start(tmp_path: Path) -> None:
    script = tmp_path / "slew.sh"
    script.write_text("echo no first line\n")
    with pytest.raises(ValueError, match=r"not executable \(chmod \+x"):
        Spawn(("./slew.sh",), directory=tmp_path).start()
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(ValueError, match="#!/bin/sh"):
        Spawn(("./slew.sh",), directory=tmp_path).start()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("#!/bin/sh\r\n", r'"/bin/sh\r", which does not exist (Windows line ends? run dos2unix)'),
        ("#! /opt/nix/python -u\n", '"/opt/nix/python", which does not exist'),
        ("#!no/such\n", '"no/such", which does not exist'),
        ("#!\n", "#!/bin/sh or the like"),
    ],
)
def test_a_script_whose_first_line_names_nothing_that_exists_is_told_at_start(
    tmp_path: Path, line: str, told: str
) -> None:
    script = tmp_path / "slew.sh"
    script.write_bytes(line.encode() + b"exit 0\n")
    script.chmod(0o755)
    for command, environment in (("./slew.sh", {}), ("slew.sh", {"PATH": str(tmp_path)})):
        with pytest.raises(ValueError, match=re.escape(told) + "$"):
            Spawn((command,), directory=tmp_path, environment=environment).start()


@pytest.mark.parametrize("line", ["#!/bin/sh", "#!\t/bin/sh -e", "#!/usr/bin/env voeflow-no-such", "#!own"])
def test_a_script_whose_first_line_names_what_exists_may_start(tmp_path: Path, line: str) -> None:
    (tmp_path / "own").touch()
    script = tmp_path / "slew.sh"
    script.write_text(line + "\nexit 0\n")
    script.chmod(0o755)
    Spawn(("./slew.sh",), directory=tmp_path).start()


def test_a_program_on_the_path_or_in_the_directory_may_start(tmp_path: Path) -> None:
    Spawn(("sh",)).start()
    Spawn(("/bin/sh",), directory=tmp_path).start()
    with pytest.raises(ValueError, match="on the PATH"):
        Spawn(("sh",), environment={"PATH": str(tmp_path)}).start()


async def test_a_program_that_vanished_is_a_failure_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"^\./slew\.sh cannot be run: No such file"):
        await run(Spawn(("./slew.sh",), directory=tmp_path))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"command": ()}, "got none"),
        ({"command": ("",)}, "got none"),
        ({"command": ("a\0b",)}, "NUL"),
        ({"command": ("a",), "timeout": 0.0}, "> 0"),
        ({"command": ("a",), "environment": {"VOEVENT_RA": "1"}}, "set from the event"),
        ({"command": ("a",), "environment": {"A=B": "1"}}, "without ="),
    ],
)
def test_options_that_cannot_work_are_mistakes(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Spawn(**options)
