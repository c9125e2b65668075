from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

import voeflow
from support.samples import voevent
from transports.vtp_node import FakeNode, Peer, accept_all, broadcast, connected, running, still, told_logs
from transports.vtp_support import IVOID, clock
from voeflow_transports.vtp import _authors, _serve
from voeflow_transports.vtp._addresses import Address
from voeflow_transports.vtp._connection import Connection
from voeflow_transports.vtp._frames import frame
from voeflow_transports.vtp._listeners import Listener, open_listeners
from voeflow_transports.vtp._messages import Message, write_iamalive
from voeflow_transports.vtp.receive import VTPReceive

ONE, TWO = voevent("ivo://a.b/c#1"), voevent("ivo://a.b/c#2")


def receive(**options: object) -> VTPReceive:
    given: dict[str, object] = {"listen": ("127.0.0.1:0",), "linger": 0.0, **options}
    return VTPReceive(**given)  # type: ignore[arg-type]  # the options of many tests


async def test_an_event_is_submitted_and_acknowledged_and_the_connection_closes() -> None:
    node = FakeNode()
    async with running(receive(), node) as (listener,), connected(listener.port) as peer:
        await peer.send(ONE)
        assert await peer.message() == Message("ack", "ivo://a.b/c#1", IVOID)
        assert await peer.closed()
    ((raw, validate, address),) = node.submitted
    assert (raw, validate) == (ONE, "schema")
    assert address.startswith("127.0.0.1:")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (voeflow.Submission("duplicate", "ivo://a.b/c#1"), Message("ack", "ivo://a.b/c#1", IVOID)),
        (
            voeflow.Submission("refused", "ivo://a.b/c#1", "line 3: no Who"),
            Message("nak", "ivo://a.b/c#1", IVOID, "line 3: no Who"),
        ),
        (voeflow.Submission("refused", None, "no IVORN"), Message("nak", IVOID, IVOID, "no IVORN")),
    ],
)
async def test_what_the_node_answers_reaches_the_author(answer: voeflow.Submission, message: Message) -> None:
    async def say(raw: bytes) -> voeflow.Submission:
        return answer

    async with (
        running(receive(validate="wellformed"), node := FakeNode(say)) as (listener,),
        connected(listener.port) as peer,
    ):
        await peer.send(ONE)
        assert await peer.message() == message
    assert node.submitted[0][1] == "wellformed"


async def test_an_author_may_go_on_and_gets_its_receipts_in_order() -> None:
    both = trio.Event()

    async def second_first(raw: bytes) -> voeflow.Submission:
        if raw == ONE:
            await both.wait()
        both.set()
        return await accept_all(raw)

    async with (
        running(receive(linger=10.0), FakeNode(second_first)) as (listener,),
        connected(listener.port) as peer,
    ):
        await peer.send(ONE, TWO)  # the second is submitted while the first is in hand
        assert [(await peer.message()).origin for _ in range(2)] == ["ivo://a.b/c#1", "ivo://a.b/c#2"]
        await peer.send(write_iamalive("ivo://x/y", clock), ONE)
        assert await peer.message() == Message("iamalive", "ivo://x/y", IVOID)
        assert (await peer.message()).role == "ack"


async def test_so_many_are_in_hand_and_no_more() -> None:
    in_hand, most = 0, 0

    async def count(raw: bytes) -> voeflow.Submission:
        nonlocal in_hand, most
        in_hand += 1
        most = max(most, in_hand)
        await still()
        in_hand -= 1
        return await accept_all(raw)

    async with (
        running(receive(max_in_hand=3), FakeNode(count)) as (listener,),
        connected(listener.port) as peer,
    ):
        await peer.send(*[ONE] * 10)
        assert {(await peer.message()).role for _ in range(10)} == {"ack"}
    assert most == 3


async def test_an_author_is_read_on_while_its_first_events_are_in_hand() -> None:
    second = trio.Event()

    async def wait_for_the_second(raw: bytes) -> voeflow.Submission:
        if raw == ONE:
            await second.wait()
        else:
            second.set()
        return await accept_all(raw)

    async with (
        running(receive(), FakeNode(wait_for_the_second)) as (listener,),
        connected(listener.port) as peer,
    ):
        await peer.send(ONE)
        await still()
        await peer.send(TWO)
        assert [(await peer.message()).origin for _ in range(2)] == ["ivo://a.b/c#1", "ivo://a.b/c#2"]


async def test_with_too_much_in_hand_no_author_is_read_until_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_authors, "_MAX_BYTES_IN_HAND", 3 * len(ONE))
    room = trio.Event()

    async def wait_for_room(raw: bytes) -> voeflow.Submission:
        await room.wait()
        return await accept_all(raw)

    node = FakeNode(wait_for_room)
    async with AsyncExitStack() as stack:
        (listener,) = await stack.enter_async_context(running(receive(), node))
        peers = [await stack.enter_async_context(connected(listener.port)) for _ in range(5)]
        for peer in peers:
            await peer.send(ONE, TWO)
            await still()
        assert len(node.submitted) == 3
        room.set()
        for peer in peers:
            assert [(await peer.message()).origin for _ in range(2)] == ["ivo://a.b/c#1", "ivo://a.b/c#2"]


async def test_no_authors_time_runs_out_while_nobody_is_read_for_want_of_room(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    monkeypatch.setattr(_authors, "_MAX_BYTES_IN_HAND", 1)

    async def take_long(raw: bytes) -> voeflow.Submission:
        await trio.sleep(100.0)
        return await accept_all(raw)

    with told_logs() as logs:
        async with (
            running(receive(idle_timeout=20.0), FakeNode(take_long)) as (listener,),
            connected(listener.port, patience=1000.0) as one,
            connected(listener.port, patience=1000.0) as two,
        ):
            await one.send(ONE)
            await still()
            await two.stream.send_all(frame(TWO)[:100])
            await trio.sleep(50.0)
            await two.stream.send_all(frame(TWO)[100:])
            assert (await one.message()).role == "ack"
            assert (await two.message()).role == "ack"
    assert logs == []


async def test_an_author_that_does_not_read_its_receipts_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    async def wait(_: Connection) -> None:
        await trio.sleep_forever()

    with told_logs() as logs:
        async with (
            running(receive(idle_timeout=5.0), node := FakeNode()) as (listener,),
            connected(listener.port) as peer,
        ):
            monkeypatch.setattr(Connection, "_send", lambda self, data: 0)
            monkeypatch.setattr(Connection, "flush", wait)
            await peer.send(ONE)
            await still()
            await peer.send(TWO)  # is not even read
            assert await peer.closed()
    assert [raw for raw, _, _ in node.submitted] == [ONE]
    assert [told["reason"] for told in logs] == ["does not read its receipts"]


async def test_an_author_that_has_gone_keeps_nothing_waiting() -> None:
    gone = trio.Event()

    async def wait(raw: bytes) -> voeflow.Submission:
        if raw == ONE:
            await gone.wait()
        return await accept_all(raw)

    async with running(receive(), FakeNode(wait)) as (listener,):
        async with connected(listener.port) as peer:
            await peer.send(ONE)
            await still()
            linger = struct.pack("ii", 1, 0)
            peer.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)  # so that it is reset
        gone.set()
        async with connected(listener.port) as peer:
            await peer.send(TWO)
            assert (await peer.message()).role == "ack"


async def test_an_author_that_ends_its_stream_still_gets_its_receipt() -> None:
    async with running(receive(linger=100.0), FakeNode()) as (listener,), connected(listener.port) as peer:
        await peer.send(ONE)
        await peer.stream.send_eof()
        assert (await peer.message()).role == "ack"
        assert await peer.closed()


async def test_when_the_store_cannot_write_the_connection_closes_without_a_receipt_and_it_is_told_once() -> (
    None
):
    async def full(raw: bytes) -> voeflow.Submission:
        if raw == TWO:
            raise voeflow.StoreError("the disk is full")
        return await accept_all(raw)

    with told_logs() as logs:
        async with running(receive(linger=100.0), FakeNode(full)) as (listener,):
            for _ in range(3):
                async with connected(listener.port) as peer:
                    await peer.send(ONE, TWO, ONE)
                    assert (await peer.message()).role == "ack"  # the one before it was stored
                    assert await peer.closed()
    (told,) = logs
    assert (told["log_level"], told["reason"]) == ("error", "the disk is full")


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"<?xml version", "announced a frame of 1010792557 bytes, above the limit of 1048576"),
        (b"\0\0\0\x09abc", "closed in the middle of a frame, 6 bytes short"),
    ],
)
async def test_a_broken_frame_is_told_once_with_the_peer(sent: bytes, reason: str) -> None:
    with told_logs() as logs:
        async with running(receive(), FakeNode()) as (listener,), connected(listener.port) as peer:
            await peer.stream.send_all(sent)
            await peer.stream.send_eof()
            assert await peer.closed()
            name = peer.stream.socket.getsockname()
            await still()
    (told,) = logs
    assert told["event"] == "author cut off"
    assert told["reason"] == reason
    assert told["peer"] == f"127.0.0.1:{name[1]}"
    assert told["transport"] == "table"


async def test_receipts_reach_an_author_whose_connection_ends_by_its_own_fault() -> None:
    async with running(receive(), FakeNode()) as (listener,), connected(listener.port) as peer:
        await peer.stream.send_all(len(ONE).to_bytes(4, "big") + ONE + b"\xff" * 100_000)
        assert (await peer.message()).role == "ack"
        assert await peer.closed()


async def test_a_silent_author_is_cut_off(autojump_clock: trio.testing.MockClock) -> None:
    with told_logs() as logs:
        async with (
            running(receive(idle_timeout=20.0), FakeNode()) as (listener,),
            connected(listener.port) as peer,
        ):
            data = await peer.stream.receive_some()
    assert data == b""
    assert [told["reason"] for told in logs] == ["sent nothing in 20 s"]


async def test_a_peer_that_is_not_allowed_sees_a_close_and_is_told_once() -> None:
    node = FakeNode()
    with told_logs() as logs:
        async with running(receive(allow=("192.0.2.0/24",)), node) as (listener,):
            for _ in range(5):
                async with connected(listener.port) as peer:
                    assert await peer.closed()
    (told,) = logs
    assert told["event"] == "connection refused"
    assert told["peer"].startswith("127.0.0.1:")
    assert node.submitted == []


async def test_the_address_with_the_most_connections_gives_way() -> None:
    with told_logs() as logs:
        async with (
            running(receive(max_connections=2, linger=100.0), FakeNode()) as (listener,),
            connected(listener.port) as one,
            connected(listener.port) as two,
        ):
            for peer in (one, two):
                await peer.send(ONE)
                await peer.message()
            async with connected(listener.port) as three:
                assert await three.closed()
            await two.send(TWO)
            assert (await two.message()).role == "ack"
    assert [told["event"] for told in logs] == ["connection closed to make room"]


async def test_a_failure_of_ours_ends_one_connection_and_no_other() -> None:
    class Failing(FakeNode):
        def submit_nowait(self, raw: bytes, *args: Any, **kwargs: Any) -> None:
            if raw == ONE:
                raise RuntimeError("a bug")
            super().submit_nowait(raw, *args, **kwargs)

    with told_logs() as logs:
        async with running(receive(), Failing()) as (listener,):
            async with connected(listener.port) as peer:
                await peer.send(ONE)
                assert await peer.closed()
            async with connected(listener.port) as peer:
                await peer.send(TWO)
                assert (await peer.message()).role == "ack"
    assert [told["event"] for told in logs] == ["connection failed"]


async def test_a_port_alone_listens_on_both_loopbacks() -> None:
    async with running(receive(listen=("0",)), FakeNode()) as listeners:
        assert {listener.port for listener in listeners} == {listeners[0].port}
        for host in ["127.0.0.1", "::1"][: len(listeners)]:
            async with connected(listeners[0].port, host) as peer:
                await peer.send(ONE)
                assert (await peer.message()).role == "ack"


async def test_a_unix_socket_takes_events_and_its_file_is_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "authors"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))  # left behind by a process that is gone
    async with running(receive(listen=(f"unix:{path}",), allow=("192.0.2.1",)), node := FakeNode()):
        async with await trio.open_unix_socket(str(path)) as stream:
            peer = Peer(stream)
            await peer.send(ONE)
            assert (await peer.message()).role == "ack"
        with pytest.raises(OSError, match=f"cannot listen on unix:{path}: another program has it"):
            await receive(listen=(f"unix:{path}",)).run(FakeNode(), task_status=trio.TASK_STATUS_IGNORED)
    assert node.submitted[0][2] == f"unix:{path}"
    assert not path.exists()


@pytest.mark.parametrize("transport", [receive, broadcast])
async def test_a_port_that_is_stopped_as_soon_as_it_listens_leaves_nothing_behind(
    tmp_path: Path, transport: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def open_and_stop(addresses: Iterable[Address]) -> list[Listener]:
        opened.extend(await open_listeners(addresses))
        stopped.cancel()
        return opened

    opened: list[Listener] = []
    monkeypatch.setattr(_serve, "open_listeners", open_and_stop)
    path = tmp_path / "socket"
    port = transport(listen=("127.0.0.1:0", f"unix:{path}"))
    with trio.CancelScope() as stopped:
        await port.run(FakeNode(), task_status=trio.TASK_STATUS_IGNORED)
    assert [each.fileno() for each in opened] == [-1, -1]
    assert not path.exists()


async def test_a_file_that_is_no_socket_is_never_removed(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(OSError, match="it is no socket"):
        await receive(listen=(f"unix:{path}",)).run(FakeNode(), task_status=trio.TASK_STATUS_IGNORED)
    assert path.read_text() == "data"


async def test_a_port_in_use_is_named() -> None:
    async with running(receive(), FakeNode()) as (listener,):
        with pytest.raises(
            OSError, match=f"cannot listen on 127.0.0.1:{listener.port}: another program has it"
        ):
            await receive(listen=(f"127.0.0.1:{listener.port}",)).run(
                FakeNode(), task_status=trio.TASK_STATUS_IGNORED
            )


async def test_an_address_whose_every_connection_is_cut_off_does_not_fill_the_log() -> None:
    with told_logs() as logs:
        async with running(receive(), FakeNode()) as (listener,):
            for _ in range(30):
                async with connected(listener.port) as peer:
                    await peer.stream.send_all(b"\xff\xff\xff\xff")
                    assert await peer.closed()

    assert len([line for line in logs if line["event"] == "author cut off"]) == 20


async def test_who_holds_the_most_in_unfinished_events_is_cut_off_and_told_once() -> None:
    node = FakeNode(max_event=2000)
    piece = struct.pack("!I", 2000) + b"x" * 1500
    with told_logs() as logs:
        async with (
            running(receive(max_partial=3400), node) as (listener,),
            connected(listener.port, own="127.0.0.2") as honest,
            connected(listener.port) as one,
            connected(listener.port) as two,
            connected(listener.port) as three,
        ):
            whole = frame(ONE)
            await honest.stream.send_all(whole[:504])
            for peer in (one, two, three):
                await peer.stream.send_all(piece)
                await still()
            assert [await one.closed(), await two.closed()] == [True, True]
            await honest.stream.send_all(whole[504:])
            assert (await honest.message()).role == "ack"
    (told,) = [each for each in logs if each["event"] == "connection closed to save memory"]
    assert told["reason"] == "unfinished frames hold above 3400 bytes, and its address has the most"


async def test_while_the_system_has_no_connections_to_give_it_is_asked_now_and_then_and_that_is_told(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    accept, asked = socket.socket.accept, 0

    def exhausted(self: socket.socket) -> tuple[socket.socket, object]:
        nonlocal asked
        asked += 1
        if asked < 10:
            raise OSError(errno.EMFILE, "Too many open files")
        return accept(self)

    with told_logs() as logs:
        async with running(receive(), FakeNode()) as (listener,):
            monkeypatch.setattr(socket.socket, "accept", exhausted)
            began = trio.current_time()
            async with connected(listener.port) as peer:
                await peer.send(ONE)
                assert (await peer.message()).role == "ack"
            assert trio.current_time() - began == pytest.approx(0.9)
    assert [(told["event"], told["reason"]) for told in logs] == [
        ("cannot take connections", "Too many open files")
    ]


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN, errno.EPERM])
async def test_a_connection_that_fails_before_it_is_taken_keeps_no_other_out(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept, failed = socket.socket.accept, False

    def fail_once(self: socket.socket) -> tuple[socket.socket, object]:
        nonlocal failed
        if not failed:
            failed = True
            raise OSError(number, "failed")
        return accept(self)

    async with running(receive(), FakeNode()) as (listener,):
        await still()
        monkeypatch.setattr(socket.socket, "accept", fail_once)
        async with connected(listener.port) as peer:
            await peer.send(ONE)
            assert (await peer.message()).role == "ack"
    assert failed
