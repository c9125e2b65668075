"""A process that reads packets in a burst finds what the node finds, and nothing is lost with it."""

from __future__ import annotations

import fcntl
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs

import voeflow
from support.nodes import running
from support.samples import voevent
from voeflow import _reader
from voeflow._errors import EventError
from voeflow._event import Facts
from voeflow._reader import BURST, FEWEST, LONGEST, Limits, Reader
from voeflow._store_reader import StoreReader
from voeflow._store_select import Selection
from voeflow._store_select import select as find

PATIENCE = _reader._PATIENCE  # of a node; the tests have more

LIMITS = Limits(max_bytes=2**20, max_depth=64, max_attributes=256)

SOUND = [
    voevent(),
    voevent(version="1.1"),
    voevent(version="2.1"),
    voevent(role=None),
    voevent(body=""),
    voevent(tail="<!-- signed -->\n"),
    voevent(body="<Who><Date>2026-11-24T01:02:03+01:00</Date></Who>"),
    voevent(body="<Who><Date>tomorrow</Date></Who><Wherewhen/><What/>"),
    voevent("ivo://ünïcode.example/a b#\U0001f300").decode().encode(),
    voevent(declaration='<?xml version="1.0" encoding="UTF-16"?>').decode().encode("utf-16"),
]

UNREADABLE = [
    b"",
    b"no xml",
    b"<html/>",
    b"<a>\n<b></a>",
    b"<!DOCTYPE a><a/>",
    voevent(ivorn=""),
    voevent(body="<a>" * 70 + "</a>" * 70),
]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a process that gets no processor for a time be no failure, unless a test is about that."""
    monkeypatch.setattr(_reader, "_PATIENCE", 60.0)


@pytest.fixture
def reader() -> Iterator[Reader]:
    reader = Reader()
    yield reader
    reader.close()


def begun(reader: Reader) -> Reader:
    """Have the process started, and wait until it reads."""
    ends = time.monotonic() + 60
    while reader.read([voevent()] * BURST, LIMITS) is None:
        assert time.monotonic() < ends
    return reader


def pid(reader: Reader) -> int:
    assert reader._process is not None
    return reader._process.pid


def test_it_finds_what_the_node_finds(reader: Reader) -> None:
    found = begun(reader).read(SOUND, LIMITS)

    assert found is not None
    for raw, facts in zip(SOUND, found, strict=True):
        read = voeflow.Event.parse(raw, source="in")
        assert isinstance(facts, Facts)
        made = voeflow.Event.of_facts(facts, raw, source="in", received=read.received)
        for name in ("raw", "source", "received", "ivorn", "role", "version", "author", "date", "digest"):
            assert getattr(made, name) == getattr(read, name)
        assert made.defects == read.defects
        assert made.element == read.element
        assert made.position == read.position
        assert made.params == read.params
        assert made.xpath("count(//*)") == read.xpath("count(//*)")


def test_what_cannot_be_read_is_refused_in_the_same_words(reader: Reader) -> None:
    found = begun(reader).read(UNREADABLE, LIMITS)

    assert found is not None
    for raw, error in zip(UNREADABLE, found, strict=True):
        with pytest.raises(EventError) as here:
            voeflow.Event.parse(raw)
        assert isinstance(error, EventError)
        assert error.args == here.value.args


def test_it_keeps_to_the_limits_of_the_pipeline(reader: Reader) -> None:
    found = begun(reader).read([voevent(body="<a><b><c/></b></a>")] * FEWEST, Limits(2**20, 3, 256))

    assert found is not None
    assert {str(each) for each in found} == {"line 3: elements are nested deeper than 3"}


def test_it_is_started_by_a_burst_and_left_alone_by_fewer_packets_and_long_ones(reader: Reader) -> None:
    assert reader.read([voevent()] * (BURST - 1), LIMITS) is None
    assert reader._process is None
    begun(reader)
    assert reader.read([voevent()] * (FEWEST - 1), LIMITS) is None
    assert reader.read([voevent()] * FEWEST + [b" " * (LONGEST + 1)], LIMITS) is None
    assert reader.read([voevent()] * FEWEST, LIMITS) is not None


def test_it_is_used_in_a_node_with_more_than_a_thousand_files(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, far = socket.socketpair, 1100
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def far_pair() -> tuple[socket.socket, socket.socket]:
        ours, theirs = pair()
        with ours:
            return socket.socket(fileno=fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, far)), theirs

    monkeypatch.setattr(socket, "socketpair", far_pair)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, far + 100), hard))
    try:
        found = begun(reader).read(SOUND, LIMITS)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert found is not None


def test_when_it_dies_that_is_told_and_a_later_burst_starts_another(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pid(begun(reader))
    os.kill(first, signal.SIGKILL)

    with capture_logs() as logs:
        assert reader.read([voevent()] * BURST, LIMITS) is None
    assert [(line["log_level"], line["status"]) for line in logs] == [("warning", -signal.SIGKILL)]
    assert reader.read([voevent()] * BURST, LIMITS) is None
    assert reader._process is None  # not at once

    monkeypatch.setattr(reader, "_not_before", 0.0)
    assert pid(begun(reader)) != first


def test_one_that_does_not_answer_is_ended_and_keeps_nobody_waiting_for_long(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = pid(begun(reader))
    os.kill(stopped, signal.SIGSTOP)
    monkeypatch.setattr(_reader, "_PATIENCE", 0.1)
    monkeypatch.setattr(_reader, "_FAREWELL", 120.0)  # which is not waited for: it would not see its end

    began = time.monotonic()
    assert reader.read([voevent()] * FEWEST, LIMITS) is None
    assert time.monotonic() - began < 60.0
    assert PATIENCE + _reader._PER_PACKET * FEWEST < 3.0
    with pytest.raises(ProcessLookupError):
        os.kill(stopped, 0)


def test_it_runs_nothing_that_lies_in_the_working_directory(
    reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("struct", "voeflow"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w')\nraise ImportError\n")
    monkeypatch.chdir(tmp_path)

    assert begun(reader).read(SOUND, LIMITS) is not None
    assert not Path("ran").exists()


def test_it_heeds_no_signal_that_is_meant_for_the_node_and_ends_with_it() -> None:
    script = (
        "import sys; from voeflow import _reader; from voeflow._reader import Reader, Limits\n"
        "_reader._PATIENCE = 60.0\n"
        "def read(): return reader.read([b'<a/>'] * 16, Limits(100, 9, 9))\n"
        "reader = Reader()\n"
        "while read() is None: pass\n"
        "print(reader._process.pid, flush=True); sys.stdin.readline()\n"
        "print(len(read() or ()), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as node:
        assert node.stdin is not None
        assert node.stdout is not None
        its = int(node.stdout.readline())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(its, number)
        node.stdin.write("go on\n")
        node.stdin.flush()
        assert node.stdout.readline() == "16\n"
        its_end = os.pidfd_open(its)
        node.kill()
    assert select.select([its_end], [], [], 30)[0]
    os.close(its_end)


def test_what_ends_a_node_at_a_terminal_does_not_reach_it_even_before_it_has_begun(reader: Reader) -> None:
    assert reader.read([voevent()] * BURST, LIMITS) is None
    assert os.getpgid(pid(reader)) == pid(reader)  # Ctrl-C goes to the node's group of processes


def test_it_ends_without_a_word_when_the_node_has_ended_before_it_could_begin() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    words = [sys.executable, "-c", "from voeflow._reader_process import main; main()"]
    with theirs:
        done = subprocess.run(words, stdin=theirs.fileno(), capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


@pytest.mark.parametrize("killed", [False, True])
async def test_a_burst_is_taken_whether_the_process_lives_or_not(tmp_path: Path, killed: bool) -> None:
    toml = '[transports.in]\nplugin = "hand"\n[handlers.notes]\nplugin = "notebook"\n'
    packets = [voevent(f"ivo://obspm.gepi/svom#{number:03}") for number in range(100)]
    packets[50] = b"<html/>"
    answered = []
    async with running(tmp_path, toml) as (pipeline, node):
        reader = node._works.intake._reader
        await trio.to_thread.run_sync(begun, reader)
        its_end = os.pidfd_open(pid(reader))
        if killed:
            os.kill(pid(reader), signal.SIGKILL)
        source = pipeline.transports["in"].instance.node

        async def submit(raw: bytes) -> None:
            answered.append((await source.submit(raw)).outcome)

        async with trio.open_nursery() as nursery:
            for raw in packets:
                nursery.start_soon(submit, raw)
        await pipeline.handlers["notes"].instance.wait(99)
        other = StoreReader.open(tmp_path / "voeflow.db")
        try:
            stored = [each.raw for each in find(other, Selection())]
        finally:
            other.close()
    assert sorted(answered) == ["accepted"] * 99 + ["refused"]
    assert sorted(stored) == sorted(packets[:50] + packets[51:])
    assert select.select([its_end], [], [], 0)[0]  # it is gone with the node
    os.close(its_end)


async def test_a_packet_that_is_too_long_is_refused_in_the_same_words_whoever_has_read_it(
    tmp_path: Path,
) -> None:
    toml = 'max_event = "1 kB"\n[transports.in]\nplugin = "hand"\n'
    raw = voevent(tail=f"<!--{'x' * 1000}-->")
    reasons = []
    async with running(tmp_path, toml) as (pipeline, node):
        source = pipeline.transports["in"].instance.node

        async def submit() -> None:
            reasons.append((await source.submit(raw)).reason)

        await submit()
        await trio.to_thread.run_sync(begun, node._works.intake._reader)
        async with trio.open_nursery() as nursery:
            for _ in range(BURST):
                nursery.start_soon(submit)
    assert set(reasons) == {f"{len(raw)} bytes are too long: the pipeline's max_event is 1000"}
