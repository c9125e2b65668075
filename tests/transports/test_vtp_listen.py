from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import structlog
import trio
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import voeflow
from support.samples import voevent
from transports.vtp_node import listening
from transports.vtp_support import clock
from voeflow_transports.vtp._messages import write_authenticate
from voeflow_transports.vtp.listen_command import describe, file_name, listen

ONE, TWO = voevent("ivo://a.b/c#1"), voevent("ivo://a.b/c#2", role="test", body="")


@pytest.fixture(autouse=True)
def _own_logs() -> Iterator[None]:
    yield
    structlog.reset_defaults()


LISTEN = (sys.executable, "-m", "voeflow", "listen")


async def run_listen(*arguments: str, packets: list[bytes]) -> tuple[int, str, str]:
    async with listening() as (port, accept), trio.open_nursery() as nursery:
        result = None

        async def command() -> None:
            nonlocal result
            words = [*LISTEN, f"127.0.0.1:{port}", *arguments]
            result = await trio.run_process(words, capture_stdout=True, capture_stderr=True, check=False)

        nursery.start_soon(command)
        broker = await accept()
        await broker.send(*packets)
        while not await broker.closed():
            pass
    assert result is not None
    return result.returncode, result.stdout.decode(), result.stderr.decode()


async def test_a_line_an_event_with_its_position() -> None:
    status, out, err = await run_listen("--count", "2", packets=[ONE, b"<no/>", TWO])
    assert status == 0
    one, two = out.splitlines()
    assert one.endswith("Z observation ivo://a.b/c#1 RA 83.6330 Dec +22.0145 ± 0.05 deg")
    assert two.endswith("Z test        ivo://a.b/c#2")
    assert "no VOEvent: " in err


async def test_packets_are_printed_and_saved_as_they_are(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "events"
    arguments = ["--raw", "--count", "1", "--save", str(directory)]
    status, out, _ = await run_listen(*arguments, packets=[ONE, TWO])
    assert status == 0
    assert out.encode() == ONE
    (file,) = directory.iterdir()
    assert file.read_bytes() == ONE
    assert file.name.startswith("a.b_c_1.")


def test_a_broker_that_is_not_there_is_exit_status_3() -> None:
    result = CliRunner().invoke(listen, ["127.0.0.1:1"])
    assert result.exit_code == 3
    assert result.stderr == "cannot reach 127.0.0.1:1: Connection refused\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_well_even_one_that_it_inherits_as_ignored(number: signal.Signals) -> None:
    in_the_background = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *LISTEN]  # as of a script's `&`
    with trio.fail_after(60):
        async with listening() as (port, accept), trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(
                partial(trio.run_process, [*in_the_background, f"127.0.0.1:{port}"], check=False)
            )
            await accept()
            process.send_signal(number)
            assert await process.wait() == 0


def test_an_xpath_that_is_none_is_a_mistake_of_usage() -> None:
    result = CliRunner().invoke(listen, ["127.0.0.1:1", "--xpath", "//["])
    assert result.exit_code == 2
    assert "no XPath" in result.stderr


async def test_filters_are_asked_of_the_broker() -> None:
    async with listening() as (port, accept), trio.open_nursery() as nursery:
        arguments = [f"127.0.0.1:{port}", "--count", "1", "--xpath", "//Who", "--xpath", "//What"]
        nursery.start_soon(partial(trio.run_process, [*LISTEN, *arguments], capture_stdout=True))
        broker = await accept()
        await broker.send(write_authenticate("ivo://b/c", clock))
        assert (await broker.message()).filters == ("//Who", "//What")
        await broker.send(ONE)
        assert (await broker.message()).role == "ack"
        assert await broker.closed()


@given(tail=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300))
def test_a_line_is_one_line_and_a_file_name_one_name_whatever_the_ivorn(tail: str) -> None:
    from xml.sax.saxutils import escape

    try:
        event = voeflow.Event.parse(voevent("ivo://a.b/c" + escape(tail, {'"': "&quot;"})))
    except voeflow.EventError:
        return
    assert describe(event).isprintable()
    name = file_name(event)
    assert name.isascii()
    assert "/" not in name
    assert not name.startswith(".")
    assert len(name) < 200
