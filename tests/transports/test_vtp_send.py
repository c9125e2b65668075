from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from click.testing import CliRunner

import voeflow
from support.samples import voevent
from transports.vtp_node import FakeNode, Peer, listening, running
from transports.vtp_support import clock
from voeflow_transports.vtp._addresses import Address
from voeflow_transports.vtp._messages import write_ack, write_authenticate, write_nak
from voeflow_transports.vtp._submit import Outcome, UnreachableError, submit_all
from voeflow_transports.vtp.receive import VTPReceive
from voeflow_transports.vtp.send_command import send

EVENTS = [voevent(f"ivo://a.b/c#{number}") for number in range(100)]


async def submit(port: int, count: int = 3, timeout: float = 10.0) -> list[Outcome]:
    outcomes: list[Outcome] = []

    def tell(number: int, outcome: Outcome) -> None:
        assert number == len(outcomes)
        outcomes.append(outcome)

    async def load(number: int) -> bytes:
        await trio.lowlevel.checkpoint()
        return EVENTS[number]

    await submit_all(Address("127.0.0.1", port), count, load, timeout, tell)
    return outcomes


Broker = Callable[[Peer], Awaitable[None]]


async def submit_to(broker: Broker, count: int = 3, timeout: float = 10.0) -> tuple[list[Outcome], int]:
    """Submit to a broker that does as told; give the outcomes and how many connections there were."""
    connections = 0
    async with listening() as (port, accept), trio.open_nursery() as nursery:

        async def serve() -> None:
            nonlocal connections
            while True:
                peer = await accept()
                connections += 1
                await broker(peer)

        nursery.start_soon(serve)
        outcomes = await submit(port, count, timeout)
        nursery.cancel_scope.cancel()
    return outcomes, connections


async def test_our_own_receiver_takes_many_on_one_connection() -> None:
    node = FakeNode()
    receiver = VTPReceive(listen=("127.0.0.1:0",))
    async with running(receiver, node) as (listener,):
        assert await submit(listener.port, 100) == [Outcome("accepted")] * 100
    assert [raw for raw, _, _ in node.submitted] == EVENTS
    assert len({peer for _, _, peer in node.submitted}) == 1


async def test_a_broker_that_takes_one_at_a_time_gets_one_at_a_time() -> None:
    async def one(peer: Peer) -> None:
        event = voeflow.Event.parse(await peer.receive())
        await peer.send(write_ack(event.ivorn, "", clock))
        await peer.stream.aclose()

    assert await submit_to(one, 5) == ([Outcome("accepted")] * 5, 5)


async def test_a_broker_that_closes_without_a_receipt_loses_no_outcome() -> None:
    async def deaf(peer: Peer) -> None:
        await peer.receive()
        await peer.stream.aclose()

    lost = Outcome("unanswered", "closed the connection without a receipt", closed=True)
    assert await submit_to(deaf) == ([lost] * 3, 3)


async def test_only_the_event_without_a_receipt_failed() -> None:
    async def picky(peer: Peer) -> None:
        while (event := voeflow.Event.parse(await peer.receive())).ivorn != "ivo://a.b/c#1":
            await peer.send(write_ack(event.ivorn, "", clock))
        await peer.stream.aclose()

    def taken(peer: Peer) -> Awaitable[None]:
        return _until_eof(picky, peer)

    outcomes, _ = await submit_to(taken)
    assert [outcome.kind for outcome in outcomes] == ["accepted", "unanswered", "accepted"]


async def _until_eof(broker: Broker, peer: Peer) -> None:
    try:
        await broker(peer)
    except EOFError:
        await peer.stream.aclose()


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (write_nak("o", "", "no Who", clock), Outcome("refused", "no Who")),
        (write_nak("o", "", "", clock), Outcome("refused", "no reason given")),
        (
            write_nak("o", "", "Event rejected: Previously seen by this broker", clock),
            Outcome("accepted", "the broker has seen it before"),
        ),
        (b"<Transport role='ack'/><", None),
    ],
)
async def test_what_an_answer_means(answer: bytes, outcome: Outcome | None) -> None:
    async def say(peer: Peer) -> None:
        await peer.receive()
        await peer.send(answer)

    ((told,), _) = await submit_to(say, 1)
    if outcome is None:
        assert told.kind == "unanswered"
        assert told.note.startswith("answered what cannot be read: line 1")
    else:
        assert told == outcome


async def test_a_broker_that_says_nothing_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    async def greet(peer: Peer) -> None:
        await peer.send(write_authenticate("ivo://b/c", clock))

    ((told,), _) = await submit_to(greet, 1, 30.0)
    assert told.kind == "unanswered"
    assert told.note.startswith("gave no receipt in 30 s; it greets subscribers")


async def test_a_broker_that_is_not_there_is_unreachable() -> None:
    with pytest.raises(UnreachableError, match="refused"):
        await submit(1)


def write(directory: Path, *packets: bytes) -> list[str]:
    names = []
    for number, packet in enumerate(packets):
        path = directory / f"{number}.xml"
        path.write_bytes(packet)
        names.append(str(path))
    return names


def test_nothing_is_sent_when_a_file_is_no_voevent_and_the_place_is_named(tmp_path: Path) -> None:
    good, bad = write(tmp_path, EVENTS[0], b"<VOEvent>\n  <Who></What>")
    result = CliRunner().invoke(send, [good, bad, "--to", "127.0.0.1:1"])
    assert result.exit_code == 1
    assert f"{bad}:2:" in result.stderr
    assert result.stderr.endswith("nothing was sent\n")
    assert result.stdout == ""


def test_a_broker_that_cannot_be_reached_is_exit_status_3(tmp_path: Path) -> None:
    result = CliRunner().invoke(send, [*write(tmp_path, EVENTS[0]), "--to", "127.0.0.1:1"])
    assert result.exit_code == 3
    assert result.stderr == "cannot reach 127.0.0.1:1: Connection refused\n"


def test_an_address_that_is_none_is_a_mistake_of_usage(tmp_path: Path) -> None:
    result = CliRunner().invoke(send, [*write(tmp_path, EVENTS[0]), "--to", "host:port"])
    assert result.exit_code == 2
    assert "expected an address to connect to" in result.stderr


async def run_send(
    *arguments: str, node: FakeNode, stdin: bytes = b"", **options: Any
) -> tuple[int, str, str]:
    async with running(VTPReceive(listen=("127.0.0.1:0",), **options), node) as (listener,):
        result = await trio.to_thread.run_sync(
            lambda: CliRunner().invoke(send, [*arguments, "--to", f"127.0.0.1:{listener.port}"], input=stdin)
        )
    return result.exit_code, result.stdout, result.stderr


async def test_a_line_tells_what_became_of_each(tmp_path: Path) -> None:
    async def answer(raw: bytes) -> voeflow.Submission:
        await trio.lowlevel.checkpoint()
        event = voeflow.Event.parse(raw)
        if event.version == "2.1":
            return voeflow.Submission("refused", event.ivorn, "Schema validation failed")
        return voeflow.Submission("accepted", event.ivorn)

    files = write(tmp_path, EVENTS[0], voevent("ivo://a.b/c#new", version="2.1"), EVENTS[2])
    status, out, _ = await run_send(*files, node=FakeNode(answer))
    assert status == 1
    assert out.splitlines() == [
        "accepted ivo://a.b/c#0",
        (
            "refused ivo://a.b/c#new: Schema validation failed "
            "(the event is VOEvent 2.1, and the broker may take 2.0 only)"
        ),
        "accepted ivo://a.b/c#2",
    ]


@pytest.mark.parametrize("options", [{"allow": ("192.0.2.1",)}, {"max_event": 1000}])
async def test_a_broker_that_closes_without_a_receipt_is_told_with_what_may_be_the_cause(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    large = voevent("ivo://a.b/c#0", body="<What><Description>" + "x" * 10_000 + "</Description></What>")
    node = FakeNode()
    node.max_event = options.pop("max_event", node.max_event)
    status, out, _ = await run_send(*write(tmp_path, large), node=node, **options)
    assert status == 1
    # What stands before is the broker's log.
    said, _, hint = out.splitlines()[-1].partition(": is this address")
    assert said.startswith(
        "temporary failure ivo://a.b/c#0: the broker closed the connection without a receipt"
    )
    assert hint == (
        f" allowed there, does it want TLS, and is the packet ({len(large)} bytes) below its limit?"
        " If so, send it again"
    )


async def test_standard_input_is_sent_as_it_is() -> None:
    node = FakeNode()
    status, out, _ = await run_send("-", node=node, stdin=EVENTS[0])
    assert (status, out) == (0, "accepted ivo://a.b/c#0\n")
    assert node.submitted[0][0] == EVENTS[0]


async def test_without_a_check_anything_is_sent(tmp_path: Path) -> None:
    (file,) = write(tmp_path, b"no XML")
    status, out, _ = await run_send(file, "--no-check", node=FakeNode())
    assert status == 1
    assert out.startswith(f"refused {file}: ")


async def test_a_packet_that_comet_would_not_take_is_told(tmp_path: Path) -> None:
    large = voevent("ivo://a.b/c#0", body="<What><Description>" + "x" * 100_000 + "</Description></What>")
    status, _, err = await run_send(*write(tmp_path, large), node=FakeNode())
    assert status == 0
    assert "Comet" in err
